import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { definitions } from '../../../src/kinds/definitions.ts'
import { validateFiles } from '../../../src/commands/validate.ts'
import { invalidFixtures } from '../../support/invalid-fixtures.ts'
import { startKubernetes } from '../../support/kubernetes.ts'
import type { KubectlResult, TestKubernetes } from '../../support/kubernetes.ts'

const SAMPLES = join(import.meta.dirname, '../../../manifests/samples')
const START_TIMEOUT_MS = 120_000
const CASE_TIMEOUT_MS = 30_000

let kubernetes: TestKubernetes

beforeAll(async () => {
  kubernetes = await startKubernetes()
  await kubernetes.applyCrds()
}, START_TIMEOUT_MS)

afterAll(() => kubernetes.stop())

const dryRun = (text: string) => kubernetes.kubectl(['create', '--dry-run=server', '--validate=strict', '-f', '-'], { input: text })

describe('CRDs on a real API server', () => {
  test('should be listed together, each with its short name', async () => {
    const { stdout } = await kubernetes.kubectl(['api-resources', '--api-group=sluice.dev', '--categories=sluice', '--no-headers'])
    const lines = stdout
      .trim()
      .split('\n')
      .map(line => line.split(/\s+/))
    expect(lines.map(([plural, short]) => `${plural} ${short}`).sort()).toEqual(
      definitions.map(({ plural, shortNames }) => `${plural} ${shortNames[0]}`).sort(),
    )
  })

  test('should show Ready and Reason of each kind', async () => {
    for (const { plural } of definitions) {
      const { stdout } = await kubernetes.kubectl([
        'get',
        `crd/${plural}.sluice.dev`,
        '-o',
        'jsonpath={.spec.versions[0].additionalPrinterColumns[*].name}',
      ])
      expect(stdout).toMatch(/^Ready Reason .*Age$/)
    }
  })

  test.each(readdirSync(SAMPLES))(
    'should accept the sample %s',
    async file => {
      const { code, stderr } = await kubernetes.kubectl(['create', '--dry-run=server', '--validate=strict', '-f', join(SAMPLES, file)])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    },
    CASE_TIMEOUT_MS,
  )

  test.each(
    invalidFixtures('invalid')
      .filter(({ offlineOnly }) => !offlineOnly)
      .map(fixture => [fixture.file, fixture] as const),
  )(
    'should refuse %s and name the field that validate names',
    async (_, fixture) => {
      const result = await dryRun(fixture.text)
      expect(result.code).not.toBe(0)
      expect(fieldsIn(result)).toEqual([fixture.field])
      const offline = validateFiles([fixture]).findings.filter(({ severity }) => severity === 'error')
      expect(offline.map(({ field }) => field)).toEqual([fixture.field])
    },
    CASE_TIMEOUT_MS,
  )

  test.each(
    invalidFixtures('invalid')
      .filter(({ offlineOnly, severity }) => offlineOnly && severity === 'warning')
      .map(fixture => [fixture.file, fixture] as const),
  )(
    'should accept %s, of which validate only warns',
    async (_, fixture) => {
      const { code, stderr } = await dryRun(fixture.text)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    },
    CASE_TIMEOUT_MS,
  )

  test.each(invalidFixtures('invalid-updates').map(fixture => [fixture.file, fixture] as const))(
    'should refuse the change of %s',
    async (_, fixture) => {
      const [before = '', after = ''] = fixture.text.split(/^---$/m)
      const created = await kubernetes.kubectl(['create', '-f', '-', '--validate=strict'], { input: before })
      expect(created.stderr).toBe('')
      const same = await kubernetes.kubectl(['replace', '-f', '-', '--validate=strict'], { input: before })
      expect(same.stderr).toBe('')
      const changed = await kubernetes.kubectl(['replace', '-f', '-', '--validate=strict'], { input: after })
      await kubernetes.kubectl(['delete', '-f', '-'], { input: before })
      expect(changed.code).not.toBe(0)
      expect(fieldsIn(changed)).toEqual([fixture.field])
      expect(changed.stderr).toContain(fixture.message)
    },
    CASE_TIMEOUT_MS,
  )

  test(
    'should scale the workers of a queue',
    async () => {
      await kubernetes.kubectl(['create', '-f', join(SAMPLES, 'delay-queue.yaml')])
      const scaled = await kubernetes.kubectl(['scale', 'dq/pay-timeout', '--replicas=3'])
      expect(scaled.stderr).toBe('')
      const { stdout } = await kubernetes.kubectl(['get', 'dq/pay-timeout', '-o', 'jsonpath={.spec.workers.replicas}'])
      expect(stdout).toBe('3')
    },
    CASE_TIMEOUT_MS,
  )

  test(
    'should keep a null of config, which leaves a key alone',
    async () => {
      await kubernetes.kubectl(['create', '-f', join(SAMPLES, 'policy-orders.yaml')])
      const { stdout } = await kubernetes.kubectl(['get', 'ktp/orders', '-o', 'json'])
      expect((JSON.parse(stdout) as { spec: { config: unknown } }).spec.config).toEqual({
        'max.message.bytes': '2097152',
        'compression.type': null,
      })
    },
    CASE_TIMEOUT_MS,
  )
})

/** The fields that the API server complains about, in our notation: a map key of CEL errors stands in brackets there. */
function fieldsIn({ stderr }: KubectlResult): readonly string[] {
  const strict = [...stderr.matchAll(/unknown field "([^"]+)"/g)].map(match => match[1] ?? '')
  const invalid = [
    ...stderr.matchAll(
      /(?:^|[\s[])((?:metadata|spec)(?:[.[][^\s:]*)?): (?:Invalid value|Required value|Unsupported value|Too long|Too many|Duplicate value)/g,
    ),
  ].map(match => match[1] ?? '')
  return [...new Set([...strict, ...invalid])]
}
