import type { Condition, Resource, ResourceRef } from '../api/resource.ts'
import type { Contract } from './contract.ts'
import type { WorkersView } from './observed.ts'
import type { AlertGroup, PodResources, PodTemplate } from './plan.ts'

/**
 * What the engine needs from the place where resources live. Implemented by `kubernetes/` (API server) and `standalone/` (files, child
 * processes); the engine does not know which.
 */
export interface ResourceStore {
  /** Resolves when the first listing of every kind is in the cache; then keeps it fresh until the signal aborts. */
  start(kinds: readonly string[], signal: AbortSignal): Promise<void>
  /** From the cache. Order: namespace, name. */
  list(kind: string): readonly Resource[]
  get(ref: ResourceRef): Resource | undefined
  /** Called with the key after the cache has changed; never with an event type: reconciling is level based. */
  onChange(listener: (ref: ResourceRef) => void): void
  /** Replaces the status if it differs semantically from the stored one; answers whether it wrote. 409 and not-found are answers, not errors. */
  writeStatus(ref: ResourceRef, status: StatusPatch): Promise<'written' | 'unchanged' | 'conflict' | 'gone'>
  addFinalizer(ref: ResourceRef, finalizer: string): Promise<void>
  removeFinalizer(ref: ResourceRef, finalizer: string): Promise<void>
  /** Everything in the namespace is being deleted, workers included: nothing can be finished there. */
  namespaceGoes(namespace: string): Promise<boolean>
  /** False: the cache may be stale (watch silent for too long). For `/livez`. */
  healthy(): boolean
}

export interface StatusPatch {
  readonly observedGeneration: number
  readonly conditions: readonly Condition[]
  readonly fields: Readonly<Record<string, unknown>>
}

/** Secrets by name only: there is no list. */
export interface SecretReader {
  /** undefined: no such Secret. Values are decoded. */
  read(namespace: string, name: string): Promise<ReadonlyMap<string, Buffer> | undefined>
}

/** Whose workers: a resource, or a pool, whose members share them (`kind` is `Pool` then). */
export type WorkersOf = ResourceRef
export const POOL = 'Pool'

/** Runs worker processes: a Deployment, or child processes. */
export interface WorkerPlatform {
  /** Contract that the workers were last told; undefined: none deployed. */
  currentContract(ref: WorkersOf): Promise<Contract | undefined>
  /** Brings the workers in line; writes only what differs. Answers the names of the objects written. */
  apply(deployment: WorkerDeployment): Promise<readonly string[]>
  view(ref: WorkersOf): Promise<WorkersView | undefined>
  /** Stops the workers gracefully and removes what `apply` made. Idempotent. */
  remove(ref: WorkersOf): Promise<void>
  onChange(listener: (of: WorkersOf) => void): void
}

export interface WorkerDeployment {
  readonly of: WorkersOf
  /** The resource, or the members of the pool, oldest first: what `apply` makes goes with the last of them. */
  readonly owners: readonly Resource[]
  /** Name of the objects, e.g. `dq-pay-timeout`. */
  readonly name: string
  readonly replicas: number
  readonly contract: Contract
  readonly resources?: PodResources
  readonly podTemplate?: PodTemplate
  /** Secrets of the namespace to mount, by mount name; the contract refers to files below them. A changed `secretsHash` rolls the workers. */
  readonly secrets: readonly SecretMount[]
  readonly secretsHash: string
}
export interface SecretMount {
  /** Folder below the secrets root in which the Secret's keys appear as files. */
  readonly folder: string
  readonly secretName: string
}

export interface AlertSink {
  /** 'skipped': this place has no PrometheusRule. */
  apply(owner: Resource, name: string, group: AlertGroup): Promise<'written' | 'unchanged' | 'skipped'>
  remove(owner: ResourceRef, name: string): Promise<void>
}

export interface EventSink {
  /** Fire and forget; failures are logged by the adapter. */
  emit(about: Resource, type: 'Normal' | 'Warning', reason: string, message: string): void
}

/** Leadership. Standalone always leads. */
export interface Election {
  /** Calls `lead` when leadership is won, with a signal that aborts when it is lost. Resolves when `signal` aborts and the lease is released. */
  run(signal: AbortSignal, lead: (leading: AbortSignal) => Promise<void>): Promise<void>
  isLeader(): boolean
}
