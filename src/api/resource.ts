/** The envelope of every Sluice resource, as Kubernetes has it. Vocabulary only: no behaviour, no vendor type. */

export const GROUP = 'sluice.dev'
export const VERSION = 'v1alpha1'
export const API_VERSION = `${GROUP}/${VERSION}`

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = number

export interface ObjectMeta {
  readonly name: string
  readonly namespace: string
  readonly uid?: string
  readonly generation?: number
  readonly resourceVersion?: string
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly finalizers?: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

/** A condition of the Kubernetes API conventions; `reason` is PascalCase and comes from `reasons.ts`. */
export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
  readonly observedGeneration: number
  readonly lastTransitionTime: string
}

/** What every status carries; each kind adds fields of its own. */
export interface CommonStatus {
  readonly observedGeneration?: number
  readonly conditions?: readonly Condition[]
}

export interface Resource<Spec = unknown, Status extends CommonStatus = CommonStatus> {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly spec: Spec
  readonly status?: Status
}

/** The key of a resource in queues, logs and messages. */
export interface ResourceRef {
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

export const refOf = (resource: Resource): ResourceRef => ({
  kind: resource.kind,
  namespace: resource.metadata.namespace,
  name: resource.metadata.name,
})

/** `Kind/namespace/name`: stable, printable, usable as a map key. */
export const refKey = (ref: ResourceRef): string => `${ref.kind}/${ref.namespace}/${ref.name}`

/** A reference to another resource of the same namespace. */
export interface LocalRef {
  readonly name: string
}

/** A reference to one key of a Secret of the same namespace. */
export interface SecretKeyRef {
  readonly name: string
  readonly key: string
}
