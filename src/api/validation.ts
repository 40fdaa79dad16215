import type { ResourceDefinition } from './definition.ts'
import { brokenRules } from './rules.ts'
import { shapeViolations } from './shape.ts'
import { resourceSchema } from './json-schema.ts'
import type { JsonSchema } from './json-schema.ts'

/** One thing wrong with a resource: where, and what to do about it. */
export interface Violation {
  /** Path from the top of the resource, e.g. `spec.steps[1].after`. */
  readonly field: string
  readonly message: string
}

const schemas = new WeakMap<ResourceDefinition, JsonSchema>()
const schemaOf = (definition: ResourceDefinition): JsonSchema => {
  const known = schemas.get(definition)
  if (known) return known
  const fresh = resourceSchema(definition)
  schemas.set(definition, fresh)
  return fresh
}

/**
 * What the API server would say about `object`, and about changing `old` to it; nothing when it is valid. As there, rules across fields are
 * looked at only when every field is well formed. Status is the operator's own and not looked at.
 */
export function validateResource(definition: ResourceDefinition, object: unknown, old?: unknown): readonly Violation[] {
  const schema = schemaOf(definition)
  const subject = withoutStatus(object)
  const malformed = shapeViolations(schema, subject)
  return malformed.length > 0 ? malformed : brokenRules(schema, subject, withoutStatus(old))
}

const withoutStatus = (object: unknown): unknown => {
  if (object === null || typeof object !== 'object' || Array.isArray(object)) return object
  const { status: _status, ...rest } = object as Readonly<Record<string, unknown>>
  return rest
}
