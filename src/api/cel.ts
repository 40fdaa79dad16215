import { Environment } from '@marcbachmann/cel-js'
import { RE2JS } from 're2js'
import { childSchema } from './json-schema.ts'
import type { JsonSchema } from './json-schema.ts'
import type { Rule } from './schema.ts'
import { parseSize } from './size.ts'

/** What `quantity()` of Kubernetes answers, as far as our rules use it. */
class Quantity {
  readonly bytes: number
  constructor(bytes: number) {
    this.bytes = bytes
  }
}

// Regular expressions run on RE2, as in the API server: linear in the text. `matches` is built into the library on top of RegExp, so no rule
// may use it; a test sees to that.
const compiled = new Map<string, RE2JS>()
const re2 = (pattern: string): RE2JS => {
  const known = compiled.get(pattern)
  if (known) return known
  const fresh = RE2JS.compile(pattern)
  compiled.set(pattern, fresh)
  return fresh
}

/** First match of an RE2 pattern, or ''. */
export const findRe2 = (text: string, pattern: string): string => {
  const matcher = re2(pattern).matcher(text)
  return matcher.find() ? (matcher.group() ?? '') : ''
}

/** Whether an RE2 pattern matches anywhere in the text. */
export const testRe2 = (text: string, pattern: string): boolean => re2(pattern).matcher(text).find()

const environment = new Environment({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false })
  .registerType('Quantity', Quantity)
  .registerFunction('quantity(string): Quantity', (text: string) => new Quantity(parseSize(text)))
  .registerFunction('Quantity.compareTo(Quantity): int', (a: Quantity, b: Quantity) => BigInt(Math.sign(a.bytes - b.bytes)))
  .registerFunction('string.find(string): string', findRe2)

const programs = new Map<string, ReturnType<Environment['parse']>>()
const programOf = (rule: string) => {
  const known = programs.get(rule)
  if (known) return known
  const fresh = environment.parse(rule)
  programs.set(rule, fresh)
  return fresh
}

/** Rules that compare with the stored object. */
export const isTransition = (rule: Rule): boolean => rule.rule.includes('oldSelf')

/** True when the rule holds. A rule that cannot be evaluated does not hold, as in the API server. */
export function holds(rule: Rule, self: unknown, oldSelf?: unknown): boolean {
  const program = programOf(rule.rule)
  try {
    return program({ self, oldSelf }) === true
  } catch {
    return false
  }
}

/** The value as CEL sees it: whole numbers of the schema are ints, not doubles. */
export function celValue(schema: JsonSchema, value: unknown): unknown {
  if (typeof value === 'number') {
    const isInt = schema.type === 'integer' || schema['x-kubernetes-int-or-string'] === true
    return isInt && Number.isSafeInteger(value) ? BigInt(value) : value
  }
  if (Array.isArray(value)) return schema.items ? value.map(item => celValue(schema.items ?? {}, item)) : value
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, celValue(childSchema(schema, key), child)]))
}
