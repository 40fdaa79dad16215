import type { ResourceDefinition } from './definition.ts'
import { API_VERSION } from './resource.ts'
import type { Explained, Rule } from './schema.ts'

/** The part of JSON schema that the schemas of kinds are made of. */
export interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly format?: string
  readonly pattern?: string
  readonly enum?: readonly string[]
  readonly nullable?: boolean
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
  readonly additionalProperties?: boolean | JsonSchema
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly minProperties?: number
  readonly maxProperties?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly 'x-kubernetes-validations'?: readonly Rule[]
  readonly 'x-kubernetes-int-or-string'?: boolean
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean
  readonly 'x-kubernetes-list-type'?: 'map' | 'set' | 'atomic'
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  readonly 'x-sluice-explained'?: Explained
}

/** Topics, Deployments and label values are named after the resource: a DNS label fits into all of them. */
export const RESOURCE_NAME: JsonSchema = { type: 'string', minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' }

const conditions: JsonSchema = {
  type: 'array',
  description: 'Ready, Reconciling, Stalled and what the kind adds.',
  maxItems: 16,
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['type'],
  items: {
    type: 'object',
    required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
    properties: {
      type: { type: 'string', maxLength: 316 },
      status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
      reason: { type: 'string', minLength: 1, maxLength: 1024, pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$' },
      message: { type: 'string', maxLength: 32_768 },
      observedGeneration: { type: 'integer', format: 'int64', minimum: 0 },
      lastTransitionTime: { type: 'string', format: 'date-time' },
    },
  },
}

/** TypeBox keeps notes of its own on its nodes; JSON has none of them. */
const plain = (schema: object): JsonSchema => JSON.parse(JSON.stringify(schema)) as JsonSchema

/** The whole object: envelope, the kind's spec and status, and what every status carries. */
export function resourceSchema(definition: ResourceDefinition): JsonSchema {
  const status = plain(definition.status)
  return {
    type: 'object',
    description: definition.description,
    required: ['spec'],
    additionalProperties: false,
    properties: {
      apiVersion: { type: 'string', description: API_VERSION },
      kind: { type: 'string', description: definition.kind },
      metadata: { type: 'object', properties: { name: RESOURCE_NAME } },
      spec: plain(definition.spec),
      status: {
        ...status,
        properties: {
          observedGeneration: { type: 'integer', format: 'int64', minimum: 0, description: 'Generation that the operator last looked at.' },
          conditions,
          ...status.properties,
        },
      },
    },
  }
}

/** Schema of one field or map value. */
export const childSchema = (schema: JsonSchema, key: string): JsonSchema =>
  (schema.properties && Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined) ??
  (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : {})
