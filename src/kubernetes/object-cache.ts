import { compareVersions, keyOf, type KubernetesObject } from './object.ts'

/** Uids of deleted objects that are remembered, so that the late answer to a write cannot bring one back. */
const REMEMBERED_DELETIONS = 1_000

/** The objects of one collection, each in its newest known version. Older news than what is held is ignored, whoever brings it. */
export class ObjectCache {
  readonly #objects = new Map<string, KubernetesObject>()
  readonly #deletedUids = new Set<string>()
  #sorted: readonly KubernetesObject[] | undefined

  get(key: string): KubernetesObject | undefined {
    return this.#objects.get(key)
  }

  /** In order of namespace and name. */
  list(): readonly KubernetesObject[] {
    this.#sorted ??= [...this.#objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object)
    return this.#sorted
  }

  /** Takes an object if it is newer than what is held; answers whether it was. */
  put(object: KubernetesObject): boolean {
    const held = this.#objects.get(keyOf(object))
    if (this.#deletedUids.has(object.metadata.uid ?? '')) return false
    if (held !== undefined && compareVersions(object.metadata.resourceVersion ?? '', held.metadata.resourceVersion ?? '') <= 0) return false
    this.#objects.set(keyOf(object), withoutNoise(object))
    this.#sorted = undefined
    return true
  }

  /** Removes an object unless the one held under that name is a newer one; answers whether it did. */
  remove(object: KubernetesObject): boolean {
    const held = this.#objects.get(keyOf(object))
    this.#remember(object.metadata.uid)
    if (held === undefined || held.metadata.uid !== object.metadata.uid) return false
    this.#objects.delete(keyOf(object))
    this.#sorted = undefined
    return true
  }

  #remember(uid: string | undefined): void {
    if (uid === undefined) return
    this.#deletedUids.add(uid)
    if (this.#deletedUids.size <= REMEMBERED_DELETIONS) return
    const [oldest] = this.#deletedUids
    if (oldest !== undefined) this.#deletedUids.delete(oldest)
  }
}

/** managedFields is often half of an object and nothing here reads it. */
function withoutNoise(object: KubernetesObject): KubernetesObject {
  const { managedFields: _dropped, ...metadata } = object.metadata as KubernetesObject['metadata'] & { readonly managedFields?: unknown }
  return { ...object, metadata }
}
