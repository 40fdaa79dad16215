import { refKey, refOf, type CommonStatus, type Resource, type ResourceRef } from '../api/resource.ts'
import { isForced } from './holds.ts'
import type { OperatorOptions } from './options.ts'
import type { PoolKey } from './pool-members.ts'
import type { StatusPatch } from './ports.ts'
import { Refusals } from './refusals.ts'
import { Sent } from './sent.ts'

/** What the engine remembers of one resource between two looks. Losing it costs a few requests, never correctness. */
export interface Remembered {
  readonly refusals: Refusals
  readonly sent: Sent
  /** The status that was written last: the store's cache may not have it yet. */
  written: StatusPatch | undefined
  deletionAttempts: number
  /** Of a resource that drains: since when what waits in it cannot be seen (monotonic), and what was seen last. */
  unseenSinceMs: number | undefined
  lastPending: string | undefined
  /** The workers were deployed by this process. */
  deployed: boolean
  /** The pool that it was brought into by this process. */
  pool: PoolKey | undefined
  alerted: boolean
  /** Signature of what dependants see of a connection. */
  shown: string | undefined
  /** What was asked for when it was looked at last. */
  asked: string | undefined
  /** When this process first looked at the current spec; undefined: it was known before. Monotonic. */
  changedAtMs: number | undefined
}

/** Remembers by uid: a resource that was deleted and made again under the same name starts anew. */
export class Memory {
  readonly #options: OperatorOptions
  readonly #byKey = new Map<string, { readonly uid: string | undefined; readonly remembered: Remembered }>()

  constructor(options: OperatorOptions) {
    this.#options = options
  }

  of(resource: Resource): Remembered {
    const key = refKey(refOf(resource))
    const known = this.#byKey.get(key)
    if (known !== undefined && known.uid === resource.metadata.uid) return known.remembered
    const { backoffInitialMs: initialMs, backoffMaxMs: maxMs } = this.#options
    const remembered: Remembered = {
      refusals: new Refusals({ initialMs, maxMs }),
      sent: new Sent(),
      written: undefined,
      deletionAttempts: 0,
      unseenSinceMs: undefined,
      lastPending: undefined,
      deployed: false,
      pool: undefined,
      alerted: false,
      shown: undefined,
      asked: undefined,
      changedAtMs: undefined,
    }
    this.#byKey.set(key, { uid: resource.metadata.uid, remembered })
    return remembered
  }

  /** The resource as it is known to be stored, whatever the cache says: nobody but this process writes its status. */
  latest(resource: Resource): Resource {
    const { written } = this.of(resource)
    return written === undefined ? resource : withStatus(resource, written)
  }

  take(ref: ResourceRef): Remembered | undefined {
    const remembered = this.#byKey.get(refKey(ref))?.remembered
    this.#byKey.delete(refKey(ref))
    return remembered
  }

  clear(): void {
    this.#byKey.clear()
  }
}

/** What users and the API server ask of a resource, without what the operator itself writes. */
export const askedBy = (resource: Resource): string => {
  const { uid, generation, deletionTimestamp, finalizers } = resource.metadata
  return JSON.stringify([uid, generation, deletionTimestamp, finalizers, isForced(resource)])
}

export function withStatus(
  resource: Resource,
  { fields, conditions, observedGeneration }: Pick<StatusPatch, 'fields'> & Partial<StatusPatch>,
): Resource {
  const before = resource.status ?? {}
  const status: CommonStatus = {
    ...fields,
    ...((conditions ?? before.conditions) && { conditions: conditions ?? before.conditions ?? [] }),
    ...((observedGeneration ?? before.observedGeneration) !== undefined && {
      observedGeneration: observedGeneration ?? before.observedGeneration ?? 0,
    }),
  }
  return { ...resource, status }
}
