import type { Clock } from '../api/clock.ts'
import type { KafkaAdmin, KeySample, TopicConfig, TopicDescription } from '../kafka/admin.ts'
import { KafkaError } from '../kafka/errors.ts'
import { KeySamples } from './key-samples.ts'
import type { RetentionAnswer, TopicView } from './observed.ts'
import type { Interest, RetentionQuestion } from './plan.ts'
import { askRetention } from './retention-estimate.ts'
import { keySetsOf, TopicCache, type KeySet } from './topic-cache.ts'

/** What one resource sees of the cluster. The same object again as long as nothing in it has changed. */
export interface Sight {
  readonly topics: ReadonlyMap<string, TopicView>
  readonly vanishing: ReadonlySet<string>
}

export interface ObserverOptions {
  readonly clock: Clock
  /** Sizes on disk are asked again after this time. */
  readonly sizesIntervalMs: number
}

/**
 * The one pair of eyes on a cluster. It merges the interests of all resources of a connection, so that a cycle costs one
 * description of all topics and one config request per distinct set of keys, however many resources and topics there are. What was seen is kept until the
 * next cycle or until it was written to. Calls are served one after another: the second of two gets what the first has just fetched.
 */
export class Observer {
  readonly #admin: KafkaAdmin
  readonly #options: ObserverOptions
  readonly #interests = new Map<string, Interest>()
  readonly #sights = new Map<string, Sight>()
  readonly #cache = new TopicCache()
  readonly #keys: KeySamples
  #listedAtMs: number | undefined
  #sizesRefused = false
  #sizedAtMs = Number.NEGATIVE_INFINITY
  #turn: Promise<unknown> = Promise.resolve()

  constructor(admin: KafkaAdmin, options: ObserverOptions) {
    this.#admin = admin
    this.#options = options
    this.#keys = new KeySamples(admin, options.clock)
  }

  /**
   * The topics that `interest` names, no older than `maxAgeMs` but for topics that were written since: those are always fresh. The interest
   * is remembered under `key`, for the requests of the next cycle. Rejects with `KafkaError`.
   */
  observe(key: string, interest: Interest, maxAgeMs: number): Promise<Sight> {
    this.#interests.set(key, interest)
    return this.#inTurn(async () => {
      const nowMs = this.#options.clock.monotonicMs()
      if (this.#listedAtMs === undefined || nowMs - this.#listedAtMs > maxAgeMs) await this.#startCycle(nowMs)
      const wanted = this.#cache.names.filter(interest.topics)
      await this.#fill(wanted, interest, nowMs)
      if (interest.sizes) await this.#measure(wanted, nowMs)
      return this.#sight(key, wanted)
    })
  }

  /** The resource is gone: nobody asks for its topics any more. */
  forget(key: string): void {
    this.#interests.delete(key)
    this.#sights.delete(key)
  }

  /** These topics were or may have been changed: look at them again before the next answer. */
  written(topics: Iterable<string>): void {
    this.#cache.written(topics, this.#options.clock.monotonicMs())
  }

  /** How many bytes lower retentions would delete at once, per topic. Topics that are gone are absent. Rejects with `KafkaError`. */
  async estimate(questions: readonly RetentionQuestion[]): Promise<ReadonlyMap<string, RetentionAnswer>> {
    const sized = questions.flatMap(question => {
      const view = this.#cache.present(question.topic)
      return view === undefined ? [] : [{ ...question, partitions: view.partitions }]
    })
    return sized.length === 0 ? new Map() : this.#inTurn(() => askRetention(this.#admin, sized, this.#options.clock.now()))
  }

  /** What the newest records of these topics say of their keys; topics of which nothing is known are absent. */
  sampleKeys(topics: readonly string[]): Promise<ReadonlyMap<string, KeySample>> {
    return this.#keys.of(topics.flatMap(name => this.#cache.present(name) ?? []))
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  /** Everything that is of interest to anybody is looked at again, together. */
  async #startCycle(nowMs: number): Promise<void> {
    this.#listedAtMs = undefined
    const descriptions = await this.#admin.describeTopics()
    const listed = [...descriptions.keys()]
    this.#cache.listed(listed, nowMs)
    const interests = [...this.#interests.values()]
    const wanted = new Set(listed.filter(name => interests.some(({ topics }) => topics(name))))
    await this.#refresh([...wanted], descriptions, interests, nowMs)
    this.#cache.keepOnly(name => wanted.has(name))
    this.#keys.keepOnly(name => wanted.has(name))
    this.#listedAtMs = nowMs
  }

  /** Fetches what this interest needs and no cycle has brought: new interests, topics that were written. */
  async #fill(wanted: readonly string[], { configKeys }: Interest, nowMs: number): Promise<void> {
    const lacking = wanted.filter(name => this.#cache.lacks(name, configKeys))
    if (lacking.length === 0) return
    await this.#refresh(lacking, await this.#admin.describeTopics(lacking), [...this.#interests.values()], nowMs)
  }

  async #refresh(
    names: readonly string[],
    descriptions: ReadonlyMap<string, TopicDescription>,
    interests: readonly Interest[],
    nowMs: number,
  ): Promise<void> {
    const found = names.filter(name => descriptions.has(name))
    for (const [keySet, group] of Map.groupBy(found, keySetsOf(interests))) {
      const configs = await this.#configs(group, keySet)
      for (const name of group) {
        const description = descriptions.get(name)
        const config = configs.get(name)
        if (description !== undefined && config !== undefined) this.#cache.store(description, config, keySet)
        else this.#cache.notFound(name, nowMs)
      }
    }
    for (const name of names) if (!descriptions.has(name)) this.#cache.notFound(name, nowMs)
  }

  async #configs(names: readonly string[], { keys }: KeySet): Promise<ReadonlyMap<string, TopicConfig>> {
    if (keys === 'all') return this.#admin.describeConfigs(names)
    if (keys.size > 0) return this.#admin.describeConfigs(names, [...keys].sort())
    return new Map(names.map(name => [name, new Map()]))
  }

  /** All sizes when they are due; otherwise only those that were never asked for. */
  async #measure(wanted: readonly string[], nowMs: number): Promise<void> {
    const due = nowMs - this.#sizedAtMs >= this.#options.sizesIntervalMs
    if (due) this.#sizesRefused = false
    const wantsSize = [...this.#interests.values()].filter(({ sizes }) => sizes)
    const views = due
      ? this.#cache.views().filter(({ name }) => wantsSize.some(({ topics }) => topics(name)))
      : wanted.flatMap(name => this.#cache.present(name) ?? []).filter(({ sizeBytes }) => sizeBytes === undefined)
    if (views.length === 0) return
    const sizes = await this.#sizes(views)
    if (due) this.#sizedAtMs = nowMs
    for (const [name, bytes] of sizes)
      this.#cache.measured(
        name,
        [...bytes.values()].reduce((sum, size) => sum + size, 0),
      )
  }

  /** Sizes are good to know, not needed: a principal that may not see log dirs gets none. */
  async #sizes(views: readonly TopicView[]): Promise<Awaited<ReturnType<KafkaAdmin['logDirSizes']>>> {
    if (this.#sizesRefused) return new Map()
    try {
      return await this.#admin.logDirSizes(
        views.map(({ name, partitions }) => ({ topic: name, partitions: Array.from({ length: partitions }, (_, partition) => partition) })),
      )
    } catch (error) {
      if (!(error instanceof KafkaError) || (error.code !== 'AuthorizationFailed' && error.code !== 'Unsupported')) throw error
      this.#sizesRefused = true
      return new Map()
    }
  }

  #sight(key: string, wanted: readonly string[]): Sight {
    const topics = new Map<string, TopicView>()
    const vanishing = new Set<string>()
    for (const name of wanted) {
      const view = this.#cache.present(name)
      if (view === undefined) vanishing.add(name)
      else topics.set(name, view)
    }
    const before = this.#sights.get(key)
    if (before !== undefined && sameSight(before, { topics, vanishing })) return before
    const sight = { topics, vanishing }
    this.#sights.set(key, sight)
    return sight
  }
}

function sameSight(a: Sight, b: Sight): boolean {
  if (a.topics.size !== b.topics.size || a.vanishing.size !== b.vanishing.size) return false
  for (const [name, view] of b.topics) if (a.topics.get(name) !== view) return false
  for (const name of b.vanishing) if (!a.vanishing.has(name)) return false
  return true
}
