import { Ajv } from 'ajv'
import type { ErrorObject, ValidateFunction } from 'ajv'
import { testRe2 } from './cel.ts'
import { complaint } from './complaints.ts'
import { childSchema } from './json-schema.ts'
import type { JsonSchema } from './json-schema.ts'
import { shown } from './shown.ts'
import type { Violation } from './validation.ts'

// RE2 for patterns too: a file of a stranger must not be able to keep the validator busy.
// ajv tells compiled patterns apart by their text.
const re2 = Object.assign((pattern: string) => ({ test: (text: string) => testRe2(text, pattern), toString: () => pattern }), {
  code: 're2',
})
const ajv = new Ajv({ allErrors: true, strict: false, verbose: true, validateFormats: false, code: { regExp: re2 } })

const validators = new WeakMap<JsonSchema, ValidateFunction>()
const validatorOf = (schema: JsonSchema): ValidateFunction => {
  const known = validators.get(schema)
  if (known) return known
  const fresh = ajv.compile(forAjv(schema))
  validators.set(schema, fresh)
  return fresh
}

/** Everything that the schema says without CEL: types, bounds, patterns, required and unknown fields, duplicates in lists. */
export function shapeViolations(schema: JsonSchema, value: unknown): readonly Violation[] {
  const validate = validatorOf(schema)
  if (validate(value)) return duplicates(schema, value, '')
  return once((validate.errors ?? []).map(error => ({ field: fieldOf(error, value), message: complaint(error) })))
}

/** JSON schema knows no int-or-string; metadata has fields that are none of ours. */
function forAjv(schema: JsonSchema): object {
  const { properties, items, additionalProperties, ...rest } = schema
  return {
    ...rest,
    ...(schema['x-kubernetes-int-or-string'] && { type: ['integer', 'string'] }),
    ...(properties && { properties: Object.fromEntries(Object.entries(properties).map(([name, node]) => [name, forAjv(node)])) }),
    ...(items && { items: forAjv(items) }),
    ...(additionalProperties !== undefined && {
      additionalProperties: typeof additionalProperties === 'object' ? forAjv(additionalProperties) : additionalProperties,
    }),
  }
}

/** `/spec/steps/1/after` as people write it: `spec.steps[1].after`. */
function fieldOf(error: ErrorObject, value: unknown): string {
  const steps = error.instancePath.split('/').slice(1).map(unescape)
  const params = error.params as Readonly<Record<string, string | undefined>>
  const missing =
    error.keyword === 'required' ? params.missingProperty : error.keyword === 'additionalProperties' ? params.additionalProperty : undefined
  let node = value
  let path = ''
  for (const step of missing === undefined ? steps : [...steps, missing]) {
    path += Array.isArray(node) ? `[${step}]` : `${path === '' ? '' : '.'}${shown(step)}`
    node = (node as Readonly<Record<string, unknown>> | undefined)?.[step]
  }
  return path
}
const unescape = (step: string): string => step.replaceAll('~1', '/').replaceAll('~0', '~')

/** ajv names a field once per rule that it breaks; the first says enough. */
function once(violations: readonly Violation[]): readonly Violation[] {
  const seen = new Set<string>()
  return violations.filter(({ field }) => !seen.has(field) && seen.add(field))
}

function duplicates(schema: JsonSchema, value: unknown, path: string): readonly Violation[] {
  if (Array.isArray(value))
    return [...repeatedItems(schema, value, path), ...value.flatMap((item, i) => duplicates(schema.items ?? {}, item, `${path}[${i}]`))]
  if (value === null || typeof value !== 'object') return []
  return Object.entries(value).flatMap(([key, child]) => duplicates(childSchema(schema, key), child, path === '' ? key : `${path}.${key}`))
}

function repeatedItems(schema: JsonSchema, items: readonly unknown[], path: string): readonly Violation[] {
  const type = schema['x-kubernetes-list-type']
  if (type !== 'set' && type !== 'map') return []
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const identity = (item: unknown) =>
    JSON.stringify(type === 'set' ? item : keys.map(key => (item as Readonly<Record<string, unknown>>)[key]))
  const seen = new Set<string>()
  return items.flatMap((item, i) => {
    const id = identity(item)
    if (!seen.has(id)) {
      seen.add(id)
      return []
    }
    const what =
      type === 'set' ? id : keys.map(key => `${key} ${JSON.stringify((item as Readonly<Record<string, unknown>>)[key])}`).join(', ')
    return [{ field: `${path}[${i}]`, message: `${what} is there twice: remove one` }]
  })
}
