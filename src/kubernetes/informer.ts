import type { Clock } from '../api/clock.ts'
import type { Logger } from '../observability/logger.ts'
import { backoffMs, jitter } from './backoff.ts'
import type { KubernetesClient } from './client.ts'
import { hasCode } from './errors.ts'
import type { InformerMetrics } from './metrics.ts'
import { compareVersions, keyOf, type KubernetesObject } from './object.ts'
import { ObjectCache } from './object-cache.ts'
import { listAll, watch, type Listing, type Scope, type WatchEvent } from './reflector.ts'

export interface InformerOptions {
  readonly client: KubernetesClient
  readonly scope: Scope
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: InformerMetrics
  /** Uniform in [0, 1). */
  readonly random?: () => number
  /** The collection is listed anew this often, whatever the watch says. */
  readonly relistMs?: number
}

const RELIST_MS = 600_000
const WATCH_MIN_SECONDS = 300
const WATCH_SPREAD_SECONDS = 300
/** A watch that lived this long was a good one: its end starts the back-off anew. */
const GOOD_WATCH_MS = 10_000

/**
 * Keeps a cache of one collection and supervises the list and the watch that feed it: whatever ends a watch, it is started again. Listeners
 * get the object that changed and no kind of event: reconciling is level based.
 *
 * A relist audits the watch: what the list knows up to the version that the watch has reached, and the cache does not, was missed.
 */
export class Informer {
  readonly #options: InformerOptions
  readonly #cache = new ObjectCache()
  readonly #listeners: ((object: KubernetesObject) => void)[] = []
  readonly #relistMs: number
  readonly #random: () => number
  /** Up to where the watch has told us everything; undefined: only a listing can help. */
  #version: string | undefined
  #relistAtMs = 0
  #lastEventMs: number
  /** Lists and watches that ended early, one after the other; an event ends the row. */
  #failures = 0
  /** Objects that a relist removed although no event had said so, with the version of that listing: missed unless the event still comes. */
  #unexplained: { readonly keys: Set<string>; readonly version: string } | undefined
  readonly #synced = Promise.withResolvers<undefined>()

  constructor(options: InformerOptions) {
    this.#options = options
    this.#relistMs = options.relistMs ?? RELIST_MS
    this.#random = options.random ?? Math.random
    this.#lastEventMs = options.clock.monotonicMs()
  }

  get(namespace: string, name: string): KubernetesObject | undefined {
    return this.#cache.get(`${namespace}/${name}`)
  }
  /** In order of namespace and name. */
  list(): readonly KubernetesObject[] {
    return this.#cache.list()
  }
  onChange(listener: (object: KubernetesObject) => void): void {
    this.#listeners.push(listener)
  }
  /** Takes the answer to a write of ours, so that the next look does not see the world before it. */
  refresh(object: KubernetesObject): void {
    if (this.#cache.put(object)) this.#notify(object)
  }
  /** The same for a deletion of ours. */
  forget(object: KubernetesObject): void {
    this.#cache.remove(object)
  }
  /** Time since the API server last told us anything, be it a bookmark. */
  get lastEventAgeMs(): number {
    return this.#options.clock.monotonicMs() - this.#lastEventMs
  }
  /** False: not even relisting has worked for three periods; the cache may be stale. */
  get healthy(): boolean {
    return this.lastEventAgeMs <= 3 * this.#relistMs
  }
  /** Resolves after the first listing. */
  get synced(): Promise<undefined> {
    return this.#synced.promise
  }

  /** Runs until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, scope, logger, metrics } = this.#options
    metrics.track(scope, () => this.lastEventAgeMs)
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs()
      try {
        await this.#listIfDue(signal)
        const end = await this.#watchUntilRelist(signal)
        this.#failures = end === 'relist' || clock.monotonicMs() - startedMs >= GOOD_WATCH_MS ? 0 : this.#failures + 1
      } catch (error) {
        if (isAbort(signal)) return
        // Nothing else may be trusted after these: an event was lost or could not be read.
        if (hasCode(error, 'Gone', 'Unexpected')) this.#version = undefined
        this.#failures = clock.monotonicMs() - startedMs >= GOOD_WATCH_MS ? 1 : this.#failures + 1
        metrics.failed(scope)
        logger.warn(
          { resource: scope.collection.plural, namespace: scope.namespace, failures: this.#failures, err: error },
          'watch ended; it will be started again',
        )
      }
      if (this.#failures > 0) await clock.sleep(backoffMs(this.#failures, this.#random), signal)
    }
  }

  async #listIfDue(signal: AbortSignal): Promise<void> {
    const { client, scope, clock, metrics } = this.#options
    if (this.#version !== undefined && clock.monotonicMs() < this.#relistAtMs) return
    const listing = await listAll(client, scope, signal)
    metrics.listed(scope)
    this.#alive()
    this.#take(listing)
    this.#relistAtMs = clock.monotonicMs() + jitter(this.#relistMs, this.#random)
    this.#synced.resolve(undefined)
  }

  #take(listing: Listing): void {
    const reached = this.#version
    const listed = new Set(listing.items.map(keyOf))
    const gone = this.#cache.list().filter(object => !listed.has(keyOf(object)))
    let missed = 0
    for (const object of listing.items) {
      if (!this.#cache.put(object)) continue
      if (reached !== undefined && compareVersions(object.metadata.resourceVersion ?? '', reached) <= 0) missed++
      this.#notify(object)
    }
    for (const object of gone) if (this.#cache.remove(object)) this.#notify(object)
    this.#missed(missed)
    // The watch goes on from where it was, so that deletions between there and the listing explain themselves.
    if (reached === undefined) this.#version = listing.version
    else if (gone.length > 0) this.#unexplained = { keys: new Set(gone.map(keyOf)), version: listing.version }
  }

  async #watchUntilRelist(signal: AbortSignal): Promise<'closed' | 'relist'> {
    const { client, scope, clock } = this.#options
    const relist = new AbortController()
    const ended = new AbortController()
    void clock.sleep(this.#relistAtMs - clock.monotonicMs(), ended.signal).then(() => {
      relist.abort()
    })
    const seconds = Math.round(WATCH_MIN_SECONDS + this.#random() * WATCH_SPREAD_SECONDS)
    try {
      for await (const event of watch(client, scope, this.#version ?? '', seconds, AbortSignal.any([signal, relist.signal])))
        this.#apply(event)
      return 'closed'
    } catch (error) {
      if (relist.signal.aborted) return 'relist'
      throw error
    } finally {
      ended.abort()
    }
  }

  #apply(event: WatchEvent): void {
    this.#alive()
    this.#failures = 0
    this.#version = event.version
    this.#explain(event)
    switch (event.type) {
      case 'changed':
        if (this.#cache.put(event.object)) this.#notify(event.object)
        return
      case 'deleted':
        if (this.#cache.remove(event.object)) this.#notify(event.object)
        return
      case 'bookmark':
        return
      default:
        event satisfies never
    }
  }

  #explain(event: WatchEvent): void {
    if (this.#unexplained === undefined) return
    if (event.type === 'deleted') this.#unexplained.keys.delete(keyOf(event.object))
    if (compareVersions(event.version, this.#unexplained.version) < 0) return
    this.#missed(this.#unexplained.keys.size)
    this.#unexplained = undefined
  }

  #missed(count: number): void {
    if (count === 0) return
    const { scope, logger, metrics } = this.#options
    metrics.missed(scope, count)
    logger.warn(
      { resource: scope.collection.plural, namespace: scope.namespace, count },
      'the watch had missed changes; relisting found them',
    )
  }

  #alive(): void {
    this.#lastEventMs = this.#options.clock.monotonicMs()
  }
  #notify(object: KubernetesObject): void {
    for (const listener of this.#listeners) listener(object)
  }
}

const isAbort = (signal: AbortSignal): boolean => signal.aborted
