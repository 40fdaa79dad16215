import { API_VERSION, type CommonStatus, type Resource, type ResourceRef } from '../api/resource.ts'
import type { ResourceStore, StatusPatch } from '../operator/ports.ts'
import type { KubernetesClient } from './client.ts'
import { semanticallyEqual } from './equality.ts'
import { hasCode, KubernetesError } from './errors.ts'
import { WatchedCollection } from './informers.ts'
import type { InformerOptions } from './informer.ts'
import type { WriteMetrics } from './metrics.ts'
import { NAMESPACES, pathOf, type Collection, type KubernetesObject } from './object.ts'
import { FIELD_MANAGER } from './ownership.ts'

export interface StoreOptions {
  readonly client: KubernetesClient
  /** Kind to plural, for the kinds that `start` may name. */
  readonly plurals: ReadonlyMap<string, string>
  /** Empty: all namespaces. */
  readonly namespaces: readonly string[]
  readonly informer: Omit<InformerOptions, 'scope' | 'client'>
  readonly writes: WriteMetrics
  /** Started together with the resources: a reconcile must not run before what it compares with is in the cache. */
  readonly companions: readonly WatchedCollection[]
}

const FINALIZER_ATTEMPTS = 5

/** Resources of the API server, read from informers; status is written through its subresource and only when it means something else. */
export function createResourceStore(options: StoreOptions): ResourceStore {
  const { client, writes } = options
  const watched = new Map<string, WatchedCollection>()
  const listeners: ((ref: ResourceRef) => void)[] = []
  const collectionOf = (kind: string): Collection => {
    const plural = options.plurals.get(kind)
    if (plural === undefined) throw new KubernetesError('Unexpected', `kind ${kind} is not registered`)
    return { apiVersion: API_VERSION, kind, plural }
  }
  const pathOfRef = (ref: ResourceRef, subresource?: string): string => pathOf(collectionOf(ref.kind), ref.namespace, ref.name, subresource)
  const cached = (ref: ResourceRef): KubernetesObject | undefined => watched.get(ref.kind)?.get(ref.namespace, ref.name)
  /** What a status was asked to be when the API server last stored it: fields that its CRD does not know come back without. */
  const settled = new WeakMap<KubernetesObject, unknown>()

  async function write(ref: ResourceRef, method: 'PUT' | 'PATCH', path: string, body: unknown): Promise<KubernetesObject> {
    const resource = collectionOf(ref.kind).plural
    try {
      const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
      const stored = (await client.send({ method, path, body, contentType, query: { fieldManager: FIELD_MANAGER } })) as KubernetesObject
      watched.get(ref.kind)?.refresh(stored)
      writes.wrote(resource, 'written')
      return stored
    } catch (error) {
      writes.wrote(resource, hasCode(error, 'Conflict') ? 'conflict' : 'error')
      throw error
    }
  }

  /** The list of finalizers has no merge of its own: read, change, and write against the version that was read. */
  async function changeFinalizers(ref: ResourceRef, change: (finalizers: readonly string[]) => readonly string[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const live = (await client.send({ method: 'GET', path: pathOfRef(ref) })) as KubernetesObject
        const before = live.metadata.finalizers ?? []
        const finalizers = change(before)
        if (semanticallyEqual(before, finalizers)) return
        const { resourceVersion, uid } = live.metadata
        await write(ref, 'PATCH', pathOfRef(ref), { metadata: { resourceVersion, uid, finalizers } })
        return
      } catch (error) {
        if (hasCode(error, 'NotFound')) return
        if (!hasCode(error, 'Conflict') || attempt >= FINALIZER_ATTEMPTS) throw error
      }
    }
  }

  return {
    async start(kinds, signal) {
      for (const kind of kinds) {
        const collection = new WatchedCollection(collectionOf(kind), options.namespaces, { ...options.informer, client })
        collection.onChange(object => {
          const ref = { kind, namespace: object.metadata.namespace ?? '', name: object.metadata.name }
          for (const listener of listeners) listener(ref)
        })
        watched.set(kind, collection)
      }
      await Promise.all([...watched.values(), ...options.companions].map(collection => collection.start(signal)))
    },
    list: kind => (watched.get(kind)?.list() ?? []).map(asResource),
    get: ref => {
      const object = cached(ref)
      return object === undefined ? undefined : asResource(object)
    },
    onChange: listener => {
      listeners.push(listener)
    },
    async writeStatus(ref, patch) {
      const object = cached(ref)
      if (object === undefined) return 'gone'
      const status = statusOf(patch)
      if (semanticallyEqual(object.status, status) || semanticallyEqual(settled.get(object), status)) return 'unchanged'
      try {
        await write(ref, 'PUT', pathOfRef(ref, 'status'), { ...object, status })
        const now = cached(ref)
        if (now !== undefined) settled.set(now, status)
        return 'written'
      } catch (error) {
        if (hasCode(error, 'Conflict')) return 'conflict'
        if (hasCode(error, 'NotFound')) return 'gone'
        throw error
      }
    },
    addFinalizer: (ref, finalizer) => changeFinalizers(ref, all => (all.includes(finalizer) ? all : [...all, finalizer])),
    removeFinalizer: (ref, finalizer) => changeFinalizers(ref, all => all.filter(one => one !== finalizer)),
    async namespaceGoes(namespace) {
      try {
        const live = (await client.send({ method: 'GET', path: pathOf(NAMESPACES, undefined, namespace) })) as KubernetesObject
        return live.metadata.deletionTimestamp !== undefined
      } catch (error) {
        if (hasCode(error, 'NotFound')) return true
        // Permissions of somebody's own making may lack it: the resource is then let go when its time is over.
        if (hasCode(error, 'Forbidden')) return false
        throw error
      }
    },
    healthy: () => [...watched.values(), ...options.companions].every(collection => collection.healthy),
  }
}

const statusOf = (patch: StatusPatch): CommonStatus => ({
  ...patch.fields,
  observedGeneration: patch.observedGeneration,
  conditions: patch.conditions,
})

/** The API server's object is the envelope of `api/resource.ts`; a spec that an older CRD let through may lack anything inside. */
const asResource = (object: KubernetesObject): Resource => object as unknown as Resource
