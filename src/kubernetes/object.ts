/** Any object of the API as it comes over the wire: the envelope typed, the rest open. */
export interface KubernetesObject {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: Metadata
  readonly [field: string]: unknown
}

export interface Metadata {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generation?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  readonly ownerReferences?: readonly OwnerReference[]
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
}

export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

/** A kind of object and where the API server keeps it. */
export interface Collection {
  readonly apiVersion: string
  readonly kind: string
  readonly plural: string
}

export const CONFIG_MAPS: Collection = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' }
export const NAMESPACES: Collection = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces' }
export const SECRETS: Collection = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' }
export const DEPLOYMENTS: Collection = { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' }
export const DISRUPTION_BUDGETS: Collection = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', plural: 'poddisruptionbudgets' }
export const LEASES: Collection = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases' }
export const EVENTS: Collection = { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events' }
export const PROMETHEUS_RULES: Collection = { apiVersion: 'monitoring.coreos.com/v1', kind: 'PrometheusRule', plural: 'prometheusrules' }

/** Path of a collection, of one object, or of a subresource; without a namespace: all namespaces. */
export function pathOf(collection: Collection, namespace?: string, name?: string, subresource?: string): string {
  const root = collection.apiVersion === 'v1' ? '/api/v1' : `/apis/${collection.apiVersion}`
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`
  return `${root}${scope}/${collection.plural}${object}${subresource === undefined ? '' : `/${subresource}`}`
}

/** `namespace/name`: the key of an object within its collection. */
export const keyOf = (object: KubernetesObject): string => `${object.metadata.namespace ?? ''}/${object.metadata.name}`

/** Negative when `a` is older. Versions are decimal numbers of any length (KEP-5504 makes comparing them legal). */
export function compareVersions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length
  return a < b ? -1 : a > b ? 1 : 0
}

/** A generated class of client-node as what comes and goes over the wire: a plain value. */
export type Plain<T> = T extends object ? { [K in keyof T]: Plain<T[K]> } : T
