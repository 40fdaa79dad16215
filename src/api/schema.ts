import { Type } from 'typebox'
import type { Static, TObject, TProperties, TSchema, TUnsafe } from 'typebox'
import { DURATION_MAX_LENGTH, DURATION_PATTERN, MAX_DURATION_MS } from './duration.ts'
import { durationMsCel } from './cel-text.ts'
import { GLOB_PATTERN } from './glob.ts'
import { SIZE_PATTERN } from './size.ts'
import { TOPIC_MAX_LENGTH, TOPIC_PATTERN } from './topic-name.ts'

/**
 * The words that kinds write their schemas in. Each gives a node that is a structural schema of Kubernetes and plain JSON schema at once, with
 * a bound on everything: the API server refuses CEL on values whose size it cannot bound.
 */
export interface Rule {
  /** CEL; `self` is the value of this node, `oldSelf` the stored one. */
  readonly rule: string
  /** Tells the user the way out. */
  readonly message: string
  /** Field that the message is about, below this node, e.g. `.partitions`. */
  readonly fieldPath?: string
}

/** Values that a kind may read but never change. */
export type Immutable<T> = T extends readonly (infer U)[]
  ? readonly Immutable<U>[]
  : T extends object
    ? { readonly [K in keyof T]: Immutable<T[K]> }
    : T

/** Static type of a schema, readonly through and through. */
export type Of<S extends TSchema> = Immutable<Static<S>>

/** What the CRD cannot say and `validateResource` knows: which parser explains a bad value. Not part of the CRD. */
export type Explained = 'duration' | 'durationOrUnlimited' | 'size' | 'glob' | 'topic'
export const EXPLAINED = 'x-sluice-explained'

const validations = (rules: readonly Rule[]) => (rules.length === 0 ? {} : { 'x-kubernetes-validations': rules })

/** An object that refuses unknown fields. */
export const object = <P extends TProperties>(
  description: string,
  properties: P,
  rules: readonly Rule[] = [],
  extra: object = {},
): TObject<P> => Type.Object(properties, { description, additionalProperties: false, ...validations(rules), ...extra })

export const optional = Type.Optional

export const text = (description: string, maxLength: number, pattern?: string, rules: readonly Rule[] = []): TUnsafe<string> =>
  Type.Unsafe<string>({
    type: 'string',
    description,
    minLength: 1,
    maxLength,
    ...(pattern === undefined ? {} : { pattern }),
    ...validations(rules),
  })

/** One of a few words. */
export const choice = <const V extends readonly string[]>(description: string, ...values: V): TUnsafe<V[number]> =>
  Type.Unsafe<V[number]>({ type: 'string', description, enum: values })

export const integer = (description: string, minimum: number, maximum: number): TUnsafe<number> =>
  Type.Unsafe<number>({ type: 'integer', description, minimum, maximum, format: maximum > 2 ** 31 - 1 ? 'int64' : 'int32' })

export const flag = (description: string): TUnsafe<boolean> => Type.Unsafe<boolean>({ type: 'boolean', description })

export const list = <S extends TSchema>(
  description: string,
  items: S,
  maxItems: number,
  rules: readonly Rule[] = [],
  extra: object = {},
): TUnsafe<Static<S>[]> => Type.Unsafe<Static<S>[]>({ type: 'array', description, items, maxItems, ...validations(rules), ...extra })

/** A list whose items are told apart by one field: the API server refuses duplicates and merges by it. */
export const listBy = <S extends TSchema>(
  key: string,
  description: string,
  items: S,
  maxItems: number,
  rules: readonly Rule[] = [],
): TUnsafe<Static<S>[]> =>
  list(description, items, maxItems, rules, { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] })

/** A list of distinct strings. */
export const set = <S extends TSchema>(
  description: string,
  items: S,
  maxItems: number,
  rules: readonly Rule[] = [],
): TUnsafe<Static<S>[]> => list(description, items, maxItems, rules, { 'x-kubernetes-list-type': 'set' })

/** Words of the user's own to values. */
export const map = <S extends TSchema>(
  description: string,
  values: S,
  maxProperties: number,
  rules: readonly Rule[] = [],
): TUnsafe<Record<string, Static<S>>> =>
  Type.Unsafe<Record<string, Static<S>>>({
    type: 'object',
    description,
    additionalProperties: values,
    maxProperties,
    ...validations(rules),
  })

/** JSON of any shape, handed on as it is. */
export const anything = (description: string): TUnsafe => Type.Unsafe({ description, 'x-kubernetes-preserve-unknown-fields': true })

/** An object of any shape, handed on as it is. */
export const anyObject = (description: string): TUnsafe<Record<string, unknown>> =>
  Type.Unsafe<Record<string, unknown>>({ type: 'object', description, 'x-kubernetes-preserve-unknown-fields': true })

export const intOrString = (
  description: string,
  pattern: string,
  maxLength: number,
  rules: readonly Rule[] = [],
  extra: object = {},
): TUnsafe<number | string> =>
  Type.Unsafe<number | string>({ description, 'x-kubernetes-int-or-string': true, pattern, maxLength, ...validations(rules), ...extra })

const DURATION_RANGE = (value: string): string => `${durationMsCel(value)} > 0 && ${durationMsCel(value)} <= ${MAX_DURATION_MS}`
const DURATION_MESSAGE = 'must be a duration above zero and up to 36500d, such as 500ms, 30s, 1h30m or 30d'

/** Text that `parseDuration` reads. */
export const duration = (description: string): TUnsafe<string> =>
  Type.Unsafe<string>({
    type: 'string',
    description: `${description} A duration such as 500ms, 30s, 1h30m or 30d.`,
    minLength: 2,
    maxLength: DURATION_MAX_LENGTH,
    pattern: DURATION_PATTERN,
    ...validations([{ rule: DURATION_RANGE('self'), message: DURATION_MESSAGE }]),
    [EXPLAINED]: 'duration',
  })

/** What `parseDurationOrUnlimited` reads. */
export const durationOrUnlimited = (description: string): TUnsafe<number | string> =>
  intOrString(
    `${description} A duration such as 12h or 7d; -1 is unlimited.`,
    `${DURATION_PATTERN}|^-1$`,
    DURATION_MAX_LENGTH,
    [
      {
        rule: `string(self) == '-1' || (type(self) == string && ${DURATION_RANGE('string(self)')})`,
        message: `${DURATION_MESSAGE}; or -1 for unlimited`,
      },
    ],
    { [EXPLAINED]: 'durationOrUnlimited' },
  )

/** What `parseSize` reads. `minBytes` -1 allows unlimited. */
export const size = (description: string, minBytes: number, maxBytes: number): TUnsafe<number | string> =>
  intOrString(
    `${description} Bytes, or a quantity such as 512Mi or 10G${minBytes < 0 ? '; -1 is unlimited' : ''}.`,
    SIZE_PATTERN,
    20,
    [
      {
        rule: `quantity(string(self)).compareTo(quantity('${minBytes}')) >= 0 && quantity(string(self)).compareTo(quantity('${maxBytes}')) <= 0`,
        message: `must be a size from ${minBytes} to ${maxBytes} bytes, such as 1048576, 512Mi or 10G`,
      },
    ],
    { [EXPLAINED]: 'size' },
  )

export const glob = (description: string): TUnsafe<string> =>
  Type.Unsafe<string>({
    type: 'string',
    description,
    minLength: 1,
    maxLength: TOPIC_MAX_LENGTH,
    pattern: GLOB_PATTERN,
    [EXPLAINED]: 'glob',
  })

/** A topic that Sluice may create, write or configure: Kafka's own rule for names, and not an internal one. */
export const topic = (description: string): TUnsafe<string> =>
  Type.Unsafe<string>({
    type: 'string',
    description,
    minLength: 1,
    maxLength: TOPIC_MAX_LENGTH,
    pattern: TOPIC_PATTERN,
    ...validations([
      { rule: "self != '.' && self != '..'", message: 'must not be "." or "..": Kafka refuses these names' },
      { rule: "!self.startsWith('__')", message: 'must not start with "__": internal topics are never touched; choose another topic' },
    ]),
    [EXPLAINED]: 'topic',
  })

/** `"0.5"`: floats do not survive every client, so ratios are text. */
export const RATIO_PATTERN = '^(0(\\.[0-9]{1,6})?|1(\\.0{1,6})?)$'
export const ratio = (description: string): TUnsafe<string> =>
  text(`${description} A number from "0" to "1", as text, such as "0.5".`, 8, RATIO_PATTERN)

/** RFC 1123 subdomain: the name of an object. */
export const NAME_PATTERN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
export const localRef = (description: string) =>
  object(description, { name: text('Name of the resource, in the same namespace.', 253, NAME_PATTERN) })

const SECRET_KEY_PATTERN = '^[-._a-zA-Z0-9]+$'
export const secretRef = (description: string) =>
  object(description, { name: text('Name of the Secret, in the same namespace.', 253, NAME_PATTERN) })
export const secretKeyRef = (description: string) =>
  object(description, {
    name: text('Name of the Secret, in the same namespace.', 253, NAME_PATTERN),
    key: text('Key within the Secret.', 253, SECRET_KEY_PATTERN),
  })

/** May be set when the resource is created and never after; rules of the object that holds the field. */
export const immutable = (field: string, wayOut: string): Rule => ({
  rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
  message: `${field} cannot be changed: ${wayOut}`,
  fieldPath: `.${field}`,
})

export const suspend = flag('Stop reconciling this resource; what it made stays as it is.')
export const topicPrefix = text(
  'Replaces <namespace>.<name> at the start of the names of the topics of this resource.',
  150,
  '^[a-zA-Z0-9-][a-zA-Z0-9._-]*$',
)
export const deletionPolicy = choice(
  'What happens to the topics of this resource when it is deleted; Retain by default.',
  'Retain',
  'Delete',
)
/** Effective values of what the spec left to the operator. */
export const effective = anyObject('Values in force where the spec leaves the choice to the operator.')
