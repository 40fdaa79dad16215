import type { ErrorObject } from 'ajv'
import { parseDuration, parseDurationOrUnlimited } from './duration.ts'
import type { JsonSchema } from './json-schema.ts'
import type { Explained } from './schema.ts'
import { parseSize } from './size.ts'
import { topicNameProblem } from './topic-name.ts'

/** What an error of the JSON schema means to the person who wrote the file: what is wrong and the way out. */
export const complaint = (error: ErrorObject): string =>
  COMPLAINTS[error.keyword]?.(error.parentSchema as JsonSchema, error.data, error) ?? error.message ?? 'is not valid'

type Complaint = (schema: JsonSchema, data: unknown, error: ErrorObject) => string
const count = (value: unknown): number => (value === null || typeof value !== 'object' ? String(value).length : Object.keys(value).length)

/** By keyword of JSON schema. */
const COMPLAINTS: Readonly<Record<string, Complaint>> = {
  required: () => 'is required',
  additionalProperties: (schema, _data, error) =>
    unknownField((error.params as { readonly additionalProperty: string }).additionalProperty, Object.keys(schema.properties ?? {})),
  type: (schema, data) => `must be ${article(typeName(schema))}, not ${article(nameOf(data))}`,
  enum: (schema, data) => `must be one of ${(schema.enum ?? []).join(', ')}; ${quoted(data)} is not`,
  pattern: (schema, data) => badText(schema, String(data)),
  minLength: (schema, data) => (data === '' ? 'must not be empty' : badText(schema, String(data))),
  maxLength: (schema, data) => `has ${count(data)} characters; at most ${schema.maxLength ?? 0} are allowed`,
  minItems: schema => `needs at least ${schema.minItems ?? 0} item${schema.minItems === 1 ? '' : 's'}`,
  maxItems: (schema, data) => `has ${count(data)} items; at most ${schema.maxItems ?? 0} are allowed`,
  minProperties: () => 'must not be empty',
  maxProperties: (schema, data) => `has ${count(data)} entries; at most ${schema.maxProperties ?? 0} are allowed`,
  minimum: (schema, data) => `must be ${schema.minimum ?? 0} or more, not ${String(data)}`,
  maximum: (schema, data) => `must be ${schema.maximum ?? 0} or less, not ${String(data)}`,
}

const PARSERS: Readonly<Record<Explained, (text: string) => unknown>> = {
  duration: parseDuration,
  durationOrUnlimited: parseDurationOrUnlimited,
  size: parseSize,
  glob: text => {
    throw new RangeError(`${quoted(text)} is not a pattern for topic names: letters, digits, ".", "_", "-", and * or ? as wildcards`)
  },
  topic: text => {
    const problem = topicNameProblem(text)
    if (problem !== undefined) throw new RangeError(`${problem}: Kafka would refuse it`)
  },
}

function badText(schema: JsonSchema, text: string): string {
  const explained = schema['x-sluice-explained']
  try {
    if (explained) PARSERS[explained](text)
  } catch (error) {
    return (error as Error).message
  }
  return `${quoted(text)} must match ${schema.pattern ?? 'the pattern'}${schema.description ? ` (${schema.description})` : ''}`
}

function unknownField(name: string, known: readonly string[]): string {
  const near = known.find(field => distance(field.toLowerCase(), name.toLowerCase().slice(0, 64)) <= 2)
  if (near !== undefined) return `unknown field; did you mean ${near}?`
  return known.length <= 12
    ? `unknown field; known here: ${known.join(', ')}`
    : 'unknown field: remove it, or see the documentation for the fields of this kind'
}

/** Levenshtein. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length] ?? 0
}

const quoted = (value: unknown): string =>
  JSON.stringify(typeof value === 'string' && value.length > 60 ? `${value.slice(0, 60)}...` : value)

const typeName = (schema: JsonSchema & { readonly type?: unknown }): string => {
  const types: readonly unknown[] = [schema.type].flat()
  return types.map(type => (type === 'integer' ? 'whole number' : type === 'array' ? 'list' : String(type))).join(' or ')
}
const nameOf = (value: unknown): string => {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'list'
  if (typeof value === 'number') return Number.isInteger(value) ? 'whole number' : 'fraction'
  return typeof value
}
const article = (noun: string): string => (noun === 'null' ? 'null' : /^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`)
