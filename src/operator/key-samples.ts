import type { Clock } from '../api/clock.ts'
import type { KafkaAdmin, KeySample } from '../kafka/admin.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { TopicView } from './observed.ts'

/** Topics that one look reads records of: thousands of compacted topics are got to know over some looks, not in one. */
const TOPICS_PER_LOOK = 200
/** How long a sample stands, also when the topic has grown since: shorter where somebody is told of it and may be mending it. */
const SOUND_MS = 3_600_000
const SUSPECT_MS = 300_000

interface Entry {
  readonly topicId: string
  readonly sizeBytes: number | undefined
  readonly atMs: number
  /** undefined: nothing could be told. */
  readonly sample: KeySample | undefined
}

/**
 * What the newest records of topics say of their keys. Reading records is the dearest question that we ask of a cluster, and the answer hardly ever changes: a topic
 * is looked at when it is asked for first, and again only when it has another size and some time has passed.
 */
export class KeySamples {
  readonly #admin: KafkaAdmin
  readonly #clock: Clock
  readonly #entries = new Map<string, Entry>()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(admin: KafkaAdmin, clock: Clock) {
    this.#admin = admin
    this.#clock = clock
  }

  /** Of these topics, as far as is known. What cannot be found out is absent; failing brokers are no reason to fail here. */
  of(topics: readonly TopicView[]): Promise<ReadonlyMap<string, KeySample>> {
    const result = this.#turn.then(() => this.#answer(topics))
    this.#turn = result.catch(() => undefined)
    return result
  }

  keepOnly(wanted: (name: string) => boolean): void {
    for (const name of this.#entries.keys()) if (!wanted(name)) this.#entries.delete(name)
  }

  async #answer(topics: readonly TopicView[]): Promise<ReadonlyMap<string, KeySample>> {
    const nowMs = this.#clock.monotonicMs()
    const due = topics.filter(topic => this.#isDue(topic, nowMs)).slice(0, TOPICS_PER_LOOK)
    if (due.length > 0) await this.#look(due, nowMs)
    return new Map(
      topics.flatMap(({ name, id }) => {
        const entry = this.#entries.get(name)
        return entry?.sample === undefined || entry.topicId !== id ? [] : [[name, entry.sample] as const]
      }),
    )
  }

  #isDue({ name, id, sizeBytes }: TopicView, nowMs: number): boolean {
    const entry = this.#entries.get(name)
    if (entry?.topicId !== id) return true
    if (nowMs - entry.atMs < (entry.sample !== undefined && entry.sample.withoutKey > 0 ? SUSPECT_MS : SOUND_MS)) return false
    return entry.sample === undefined || sizeBytes === undefined || sizeBytes !== entry.sizeBytes
  }

  async #look(due: readonly TopicView[], nowMs: number): Promise<void> {
    const samples = await this.#sample(due)
    // Brokers that are away are asked again at the next look.
    if (samples === undefined) return
    for (const { name, id, sizeBytes } of due) this.#entries.set(name, { topicId: id, sizeBytes, atMs: nowMs, sample: samples.get(name) })
  }

  async #sample(due: readonly TopicView[]): Promise<ReadonlyMap<string, KeySample> | undefined> {
    try {
      return await this.#admin.sampleKeys(
        due.map(({ name, partitions }) => ({ topic: name, partitions: Array.from({ length: partitions }, (_, partition) => partition) })),
      )
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      return error.retriable ? undefined : new Map()
    }
  }
}
