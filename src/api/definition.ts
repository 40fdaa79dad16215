import type { TSchema } from 'typebox'

/** One schema per kind: static type, validator and CRD all come from this. */
export interface ResourceDefinition {
  readonly kind: string
  readonly plural: string
  readonly shortNames: readonly string[]
  /** One sentence for `kubectl explain`. */
  readonly description: string
  /** TypeBox schemas; any node may carry `x-kubernetes-validations` (CEL). */
  readonly spec: TSchema
  /** Kind-specific status fields; conditions and observedGeneration are added by the generator. */
  readonly status: TSchema
  readonly printerColumns: readonly PrinterColumn[]
  /** Path of replicas below the object for the scale subresource, e.g. `.spec.workers.replicas`. */
  readonly scale?: { readonly specReplicasPath: string; readonly statusReplicasPath: string }
}

export interface PrinterColumn {
  readonly name: string
  readonly type: 'string' | 'integer' | 'date' | 'boolean'
  readonly jsonPath: string
  readonly description?: string
  /** 1: only with `-o wide`. */
  readonly priority?: 0 | 1
}
