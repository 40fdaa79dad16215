import { celValue, holds, isTransition } from './cel.ts'
import { childSchema } from './json-schema.ts'
import type { JsonSchema } from './json-schema.ts'
import type { Violation } from './validation.ts'

type Fields = Readonly<Record<string, unknown>>
const isFields = (value: unknown): value is Fields => value !== null && typeof value === 'object' && !Array.isArray(value)

/** CEL rules of the schema that `value` breaks, and those that changing `old` to it breaks. */
export const brokenRules = (schema: JsonSchema, value: unknown, old: unknown): readonly Violation[] => walk(schema, value, old, '')

function walk(schema: JsonSchema, value: unknown, old: unknown, path: string): Violation[] {
  if (value === undefined || value === null) return []
  const own = violationsHere(schema, value, old, path)
  if (Array.isArray(value)) return [...own, ...inItems(schema, value, old, path)]
  if (isFields(value)) return [...own, ...inFields(schema, value, old, path)]
  return own
}

function violationsHere(schema: JsonSchema, value: unknown, old: unknown, path: string): Violation[] {
  const rules = schema['x-kubernetes-validations'] ?? []
  if (rules.length === 0) return []
  const self = celValue(schema, value)
  const oldSelf = old === undefined ? undefined : celValue(schema, old)
  return rules
    .filter(rule => !(isTransition(rule) && oldSelf === undefined) && !holds(rule, self, oldSelf))
    .map(rule => ({ field: path + (rule.fieldPath ?? ''), message: rule.message }))
}

/** An item is compared with the stored one only where the list says what tells items apart; so does the API server. */
function inItems(schema: JsonSchema, items: readonly unknown[], old: unknown, path: string): Violation[] {
  const itemSchema = schema.items
  if (!itemSchema) return []
  const keys = schema['x-kubernetes-list-map-keys']
  const keyOf = (item: unknown) => JSON.stringify(keys?.map(key => (isFields(item) ? item[key] : undefined)))
  const stored = new Map(keys && Array.isArray(old) ? old.map(item => [keyOf(item), item as unknown]) : [])
  return items.flatMap((item, i) => walk(itemSchema, item, stored.get(keyOf(item)), `${path}[${i}]`))
}

function inFields(schema: JsonSchema, fields: Fields, old: unknown, path: string): Violation[] {
  const stored: Fields = isFields(old) ? old : {}
  return Object.entries(fields).flatMap(([key, value]) => walk(childSchema(schema, key), value, stored[key], join(path, key)))
}

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`)
