import type { Resource } from '../../api/resource.ts'

/** Something that only shows when resources are read together, or that the API server cannot express. */
export interface Finding {
  readonly resource: Resource
  /** A warning may be right where there is more than these files: in a cluster, for instance. */
  readonly severity: 'error' | 'warning'
  readonly field: string
  readonly message: string
}

/** Looks at one resource, given all of them. All have passed `validateResource`. */
export type OfflineCheck = (resource: Resource, all: readonly Resource[]) => readonly Finding[]

export const error = (resource: Resource, field: string, message: string): Finding => ({ resource, severity: 'error', field, message })
export const warning = (resource: Resource, field: string, message: string): Finding => ({ resource, severity: 'warning', field, message })

export const isKind = (resource: Resource, kind: string): boolean => resource.kind === kind
export const sameNamespace = (a: Resource, b: Resource): boolean => a.metadata.namespace === b.metadata.namespace
