import { Informer, type InformerOptions } from './informer.ts'
import type { Collection, KubernetesObject } from './object.ts'

/** One collection in the namespaces that the operator watches: an informer for each, or a single one for the whole cluster. */
export class WatchedCollection {
  readonly collection: Collection
  readonly #byNamespace: ReadonlyMap<string, Informer>
  readonly #everywhere: Informer | undefined

  /** @param namespaces empty: all of the cluster */
  constructor(
    collection: Collection,
    namespaces: readonly string[],
    options: Omit<InformerOptions, 'scope'> & { readonly labelSelector?: string },
  ) {
    this.collection = collection
    const { labelSelector, ...rest } = options
    const scope = { collection, ...(labelSelector !== undefined && { labelSelector }) }
    if (namespaces.length === 0) this.#everywhere = new Informer({ ...rest, scope })
    this.#byNamespace = new Map(namespaces.map(namespace => [namespace, new Informer({ ...rest, scope: { ...scope, namespace } })]))
  }

  get #informers(): readonly Informer[] {
    return this.#everywhere === undefined ? [...this.#byNamespace.values()] : [this.#everywhere]
  }
  #of(namespace: string): Informer | undefined {
    return this.#everywhere ?? this.#byNamespace.get(namespace)
  }

  get(namespace: string, name: string): KubernetesObject | undefined {
    return this.#of(namespace)?.get(namespace, name)
  }
  /** In order of namespace and name. */
  list(): readonly KubernetesObject[] {
    const lists = this.#informers.map(informer => informer.list())
    return lists.length === 1 ? (lists[0] ?? []) : lists.flat().sort(byNamespaceAndName)
  }
  onChange(listener: (object: KubernetesObject) => void): void {
    for (const informer of this.#informers) informer.onChange(listener)
  }
  refresh(object: KubernetesObject): void {
    this.#of(object.metadata.namespace ?? '')?.refresh(object)
  }
  forget(object: KubernetesObject): void {
    this.#of(object.metadata.namespace ?? '')?.forget(object)
  }
  get healthy(): boolean {
    return this.#informers.every(informer => informer.healthy)
  }
  /** Resolves after the first listing; the informers go on until the signal aborts. */
  async start(signal: AbortSignal): Promise<void> {
    for (const informer of this.#informers) void informer.run(signal)
    await Promise.race([Promise.all(this.#informers.map(informer => informer.synced)), aborted(signal)])
  }
}

const byNamespaceAndName = (a: KubernetesObject, b: KubernetesObject): number =>
  compare(a.metadata.namespace ?? '', b.metadata.namespace ?? '') || compare(a.metadata.name, b.metadata.name)
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) resolve()
    signal.addEventListener(
      'abort',
      () => {
        resolve()
      },
      { once: true },
    )
  })
