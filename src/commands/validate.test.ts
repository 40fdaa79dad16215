import { describe, expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { invalidFixtures } from '../../test/support/invalid-fixtures.ts'
import { readManifest } from '../api/manifest.ts'
import { validateResource } from '../api/validation.ts'
import { definitions } from '../kinds/definitions.ts'
import { reportText, validateFiles } from './validate.ts'

const SAMPLES = join(import.meta.dirname, '../../manifests/samples')
const sampleFiles = readdirSync(SAMPLES).map(file => ({ file, text: readFileSync(join(SAMPLES, file), 'utf8') }))
/** What the fixtures lack for being about one thing only. */
const isMissingConnection = (message: string) => message.startsWith('no KafkaConnection')

describe('validate', () => {
  test('should find nothing wrong with the samples', () => {
    const report = validateFiles(sampleFiles)
    expect(report).toEqual({ resources: 7, findings: [], skipped: [] })
  })

  test('should be given at least 45 invalid files', () => {
    expect(invalidFixtures('invalid').length).toBeGreaterThanOrEqual(45)
  })

  test.each(invalidFixtures('invalid').map(fixture => [fixture.file, fixture] as const))('should say one thing about %s', (_, fixture) => {
    const { findings } = validateFiles([fixture])
    const about = findings.filter(({ message }) => !isMissingConnection(message) || isMissingConnection(fixture.message))
    expect(about).toHaveLength(1)
    expect(about[0]).toMatchObject({
      file: fixture.file,
      severity: fixture.severity,
      ...(fixture.field !== undefined && { field: fixture.field }),
    })
    expect(reportText({ resources: 1, findings: about, skipped: [] })).toContain(fixture.message)
    if (fixture.field !== undefined) expect(about[0]?.resource).toMatch(/^[A-Z][A-Za-z]+(\/.+)?$/)
  })

  test.each(invalidFixtures('invalid-updates').map(fixture => [fixture.file, fixture] as const))(
    'should refuse the change of %s',
    (_, fixture) => {
      const [before, after] = readManifest(fixture.file, fixture.text).documents.map(({ object }) => object)
      const definition = definitions.find(({ kind }) => kind === before?.kind)
      if (!definition) throw new Error(`${fixture.file} is of no kind of ours`)
      expect(validateResource(definition, before)).toEqual([])
      expect(validateResource(definition, after)).toEqual([])
      const violations = validateResource(definition, after, before)
      expect(violations).toEqual([{ field: fixture.field, message: expect.stringContaining(fixture.message) }])
    },
  )

  test('should accept growing partitions and an unchanged resource', () => {
    const definition = definitions.find(({ kind }) => kind === 'KafkaTopicPolicy')!
    const policy = (partitions: number) => ({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'KafkaTopicPolicy',
      metadata: { name: 'orders' },
      spec: { connectionRef: { name: 'main' }, topics: [{ name: 'orders', partitions }] },
    })
    expect(validateResource(definition, policy(12), policy(6))).toEqual([])
    expect(validateResource(definition, policy(6), policy(6))).toEqual([])
  })

  test('should skip documents of other groups and say so', () => {
    const report = validateFiles([{ file: 'secret.yaml', text: 'apiVersion: v1\nkind: Secret\nmetadata: {name: kafka}\n' }])
    expect(report).toEqual({ resources: 0, findings: [], skipped: ['secret.yaml: Secret/kafka'] })
    expect(reportText(report)).toBe('secret.yaml: Secret/kafka: skipped: not a resource of Sluice\n0 resources read: valid\n')
  })

  test('should print file, resource, field and message, and warnings as such', () => {
    const findings = [
      { severity: 'error', file: 'a.yaml', line: 2, resource: 'DelayQueue/q', field: 'spec.maxDelay', message: 'is required' },
      {
        severity: 'warning',
        file: 'a.yaml',
        line: 9,
        resource: 'DelayQueue/r',
        field: 'spec.connectionRef.name',
        message: 'no such connection',
      },
      { severity: 'error', file: 'b.yaml', line: 7, message: 'not YAML' },
    ] as const
    expect(reportText({ resources: 2, findings, skipped: [] })).toBe(
      [
        'a.yaml: DelayQueue/q: spec.maxDelay: is required',
        'a.yaml: DelayQueue/r: spec.connectionRef.name: warning: no such connection',
        'b.yaml: line 7: not YAML',
        '2 resources read: 2 errors, 1 warning',
        '',
      ].join('\n'),
    )
  })

  test('should not look for a connection in another namespace', () => {
    const [connection, ...others] = sampleFiles
    const elsewhere = { file: 'elsewhere.yaml', text: connection!.text.replace('name: main', 'name: main\n  namespace: elsewhere') }
    const { findings } = validateFiles([elsewhere, ...others])
    expect(findings.map(({ severity, field }) => `${severity} ${field}`)).toEqual(
      Array.from({ length: 5 }, () => 'warning spec.connectionRef.name'),
    )
  })
})
