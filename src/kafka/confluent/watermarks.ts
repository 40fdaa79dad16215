import type { TopicPartitionOffset } from '@confluentinc/kafka-javascript'
import { KafkaError } from '../errors.ts'
import type { TopicPartition, Watermarks } from '../log.ts'
import type { Consumer } from './binding.ts'
import { call } from './errors.ts'

const TIMEOUT_MS = 5000
const EARLIEST = -2
const LATEST = -1
/** A topic that had no answer is asked about by itself, so often, until it has. */
const SUSPECT_RETRY_MS = 2000

interface Suspect {
  askAtMs: number
  asking: boolean
}

type Answers = ReadonlyMap<string, Watermarks>

const key = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

/**
 * Starts and ends of logs, asked of the brokers in one request each for all partitions. librdkafka answers such a question as a whole: one topic that is
 * missing would hold up the answers about all others, so topics without an answer are asked about apart, in the background.
 */
export class WatermarkQueries {
  readonly #committed: Consumer
  readonly #uncommitted: Consumer
  readonly #suspects = new Map<string, Suspect>()

  constructor(committed: Consumer, uncommitted: Consumer) {
    this.#committed = committed
    this.#uncommitted = uncommitted
  }

  /** One answer per partition, in order. Rejects when no broker answers at all. */
  async of(partitions: readonly TopicPartition[]): Promise<readonly (Watermarks | KafkaError)[]> {
    const byTopic = groupedByTopic(partitions)
    const asked = new Map([...byTopic].filter(([topic, own]) => !this.#isSuspect(topic, own)))
    const answers = await this.#ask(asked)
    this.#suspect(asked, answers)
    return partitions.map(partition => answers.get(key(partition)) ?? unanswered(partition))
  }

  async #ask(asked: ReadonlyMap<string, readonly TopicPartition[]>): Promise<Answers> {
    try {
      return await this.#together([...asked.values()].flat())
    } catch (error) {
      if (asked.size < 2) throw error
      const each = await Promise.allSettled([...asked.values()].map(own => this.#together(own)))
      const found = each.flatMap(outcome => (outcome.status === 'fulfilled' ? [...outcome.value] : []))
      if (found.length === 0) throw error
      return new Map(found)
    }
  }

  /** Where others have an answer, it is not the brokers that are away. */
  #suspect(asked: ReadonlyMap<string, readonly TopicPartition[]>, answers: Answers): void {
    if (answers.size === 0) return
    for (const [topic, own] of asked) {
      if (own.some(partition => answers.has(key(partition)))) continue
      this.#suspects.set(topic, { askAtMs: performance.now() + SUSPECT_RETRY_MS, asking: false })
    }
  }

  #isSuspect(topic: string, partitions: readonly TopicPartition[]): boolean {
    const suspect = this.#suspects.get(topic)
    if (suspect === undefined) return false
    if (suspect.asking || performance.now() < suspect.askAtMs) return true
    suspect.asking = true
    this.#together(partitions)
      .then(answers => {
        if (answers.size > 0) this.#suspects.delete(topic)
      })
      .catch(() => undefined)
      .finally(() => {
        suspect.asking = false
        suspect.askAtMs = performance.now() + SUSPECT_RETRY_MS
      })
    return true
  }

  async #together(partitions: readonly TopicPartition[]): Promise<Answers> {
    const found = new Map<string, Watermarks>()
    if (partitions.length === 0) return found
    const [lows, highs, stables] = await Promise.all([
      offsets(this.#uncommitted, partitions, EARLIEST),
      offsets(this.#uncommitted, partitions, LATEST),
      offsets(this.#committed, partitions, LATEST),
    ])
    for (const partition of partitions) {
      const name = key(partition)
      const [low, high, lastStable] = [lows.get(name), highs.get(name), stables.get(name)]
      if (low !== undefined && high !== undefined && lastStable !== undefined) found.set(name, { low, high, lastStable })
    }
    return found
  }
}

/** The lookup by time passes the request's special times through: one request per broker for all partitions, 1 ms (listOffsets takes 500). */
async function offsets(consumer: Consumer, partitions: readonly TopicPartition[], position: number): Promise<ReadonlyMap<string, number>> {
  const query = partitions.map(({ topic, partition }) => ({ topic, partition, offset: position }))
  const answers = await call<readonly (Partial<TopicPartitionOffset> | Error)[]>('list offsets', done => {
    consumer.offsetsForTimes(query, TIMEOUT_MS, done)
  }).catch((error: unknown) => {
    // Asked about missing partitions only, librdkafka fails as a whole; beside one that is there, they merely have no answer.
    if (error instanceof KafkaError && error.code === 'UnknownTopic') return []
    throw error
  })
  const found = new Map<string, number>()
  for (const answer of answers) {
    if (answer instanceof Error) continue
    const { topic, partition, offset } = answer
    if (topic !== undefined && partition !== undefined && offset !== undefined && offset >= 0) found.set(key({ topic, partition }), offset)
  }
  return found
}

function groupedByTopic(partitions: readonly TopicPartition[]): ReadonlyMap<string, readonly TopicPartition[]> {
  const groups = new Map<string, TopicPartition[]>()
  for (const partition of partitions) {
    const own = groups.get(partition.topic)
    if (own === undefined) groups.set(partition.topic, [partition])
    else own.push(partition)
  }
  return groups
}

const unanswered = ({ topic, partition }: TopicPartition): KafkaError =>
  new KafkaError('UnknownTopic', `no broker answers for ${topic}[${partition}]: is the topic there, and may we read it?`, {
    retriable: true,
  })
