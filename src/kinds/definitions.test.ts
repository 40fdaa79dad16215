import { describe, expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crd, crdFileName, crdYaml } from '../api/crd.ts'
import { resourceSchema } from '../api/json-schema.ts'
import type { JsonSchema } from '../api/json-schema.ts'
import { validateResource } from '../api/validation.ts'
import { definitions } from './definitions.ts'
import { kinds } from './index.ts'

const CRDS = join(import.meta.dirname, '../../crds')

/** Every node of a schema with its path. */
function nodes(schema: JsonSchema, path = ''): readonly (readonly [string, JsonSchema])[] {
  const below = [
    ...Object.entries(schema.properties ?? {}).map(([name, node]) => [`${path}.${name}`, node] as const),
    ...(schema.items ? [[`${path}[]`, schema.items] as const] : []),
    ...(typeof schema.additionalProperties === 'object' ? [[`${path}{}`, schema.additionalProperties] as const] : []),
  ]
  return [[path, schema], ...below.flatMap(([at, node]) => nodes(node, at))]
}
const specNodes = definitions.flatMap(definition => nodes(resourceSchema(definition).properties?.spec ?? {}, `${definition.kind}.spec`))

describe('definitions', () => {
  test('should be those of the kinds, in the same order', () => {
    expect(kinds.map(({ definition }) => definition)).toEqual(definitions)
  })

  test('should have nothing in crds/ but what the schemas say (node scripts/generate-crds.ts)', () => {
    expect(readdirSync(CRDS).sort()).toEqual(definitions.map(crdFileName).sort())
    for (const definition of definitions) expect(readFileSync(join(CRDS, crdFileName(definition)), 'utf8')).toBe(crdYaml(definition))
  })

  test('should bound every text, list and map of a spec', () => {
    const unbounded = specNodes.filter(
      ([, node]) =>
        (node.type === 'string' && node.enum === undefined && node.maxLength === undefined) ||
        (node.type === 'array' && node.maxItems === undefined) ||
        (typeof node.additionalProperties === 'object' && node.maxProperties === undefined) ||
        (node['x-kubernetes-int-or-string'] === true && node.maxLength === undefined),
    )
    expect(unbounded.map(([path]) => path)).toEqual([])
  })

  test('should describe every field of a spec', () => {
    expect(
      specNodes.filter(([path, node]) => !path.endsWith('[]') && !path.endsWith('{}') && !node.description).map(([path]) => path),
    ).toEqual([])
  })

  test('should use no regular expression but those of find, which run on RE2 offline as well', () => {
    const rules = specNodes.flatMap(([, node]) => node['x-kubernetes-validations'] ?? [])
    expect(rules.length).toBeGreaterThan(50)
    expect(rules.filter(({ rule }) => rule.includes('matches(')).map(({ rule }) => rule)).toEqual([])
  })

  test('should leave our own keywords out of the CRDs', () => {
    expect(JSON.stringify(definitions.map(crd))).not.toMatch(/x-sluice-|additionalProperties":(true|false)/)
  })

  test.each(definitions.map(definition => [definition.kind, definition] as const))(
    'should not fall over garbage for a %s',
    (_, definition) => {
      for (const garbage of [
        null,
        1,
        'x',
        [],
        {},
        { spec: null },
        { spec: [] },
        { metadata: 1, spec: {} },
        { metadata: { name: null }, spec: { connectionRef: 1 } },
      ]) {
        expect(validateResource(definition, garbage).length).toBeGreaterThan(0)
      }
    },
  )

  test('should say of sagas that they do nothing yet', () => {
    for (const kind of kinds.filter(({ definition }) => definition.kind === 'SagaDefinition')) {
      const resource = {
        apiVersion: 'sluice.dev/v1alpha1',
        kind: kind.definition.kind,
        metadata: { name: 'x', namespace: 'y' },
        spec: { connectionRef: { name: 'main' } },
      }
      const plan = kind.plan(resource, undefined as never)
      expect(kind.connectionOf(resource)).toBe('main')
      expect(kind.interest(resource).topics('anything')).toBe(false)
      expect(plan).toMatchObject({ topics: [], problems: [{ severity: 'Stalled', reason: 'NotImplemented' }] })
      expect(plan.workers).toBeUndefined()
    }
  })
})
