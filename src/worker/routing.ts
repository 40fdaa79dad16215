import type { Clock } from '../api/clock.ts'
import type { TransactionalProducer } from '../kafka/log.ts'
import { Partitioner } from '../kafka/partitioner.ts'
import type { Routing } from './task.ts'

const FRESH_MS = 5000
const RETRY_MS = 500

interface Answer {
  partitions: number | 'missing' | undefined
  askedAt: number
  asking: boolean
}

/** Partition counts of target topics, asked in the background: a proposal never waits for a broker. */
export class TopicRouting implements Routing {
  readonly #producer: TransactionalProducer
  readonly #clock: Clock
  readonly #learned: () => void
  readonly #partitioner = new Partitioner()
  readonly #answers = new Map<string, Answer>()

  /** @param learned called when an answer arrives that somebody waits for. */
  constructor(producer: TransactionalProducer, clock: Clock, learned: () => void) {
    this.#producer = producer
    this.#clock = clock
    this.#learned = learned
  }

  partitions(topic: string): number | 'missing' | undefined {
    const now = this.#clock.monotonicMs()
    const answer = this.#answers.get(topic) ?? { partitions: undefined, askedAt: -Infinity, asking: false }
    this.#answers.set(topic, answer)
    const staleAfterMs = answer.partitions === undefined ? RETRY_MS : FRESH_MS
    if (!answer.asking && now - answer.askedAt > staleAfterMs) void this.#ask(topic, answer, now)
    return answer.partitions
  }

  choose(key: Buffer | null, partitions: number): number {
    return this.#partitioner.choose(key, partitions)
  }

  async #ask(topic: string, answer: Answer, now: number): Promise<void> {
    answer.asking = true
    answer.askedAt = now
    try {
      const before = answer.partitions
      answer.partitions = (await this.#producer.partitionsOf(topic)) ?? 'missing'
      if (answer.partitions !== before) this.#learned()
    } catch {
      // No broker answered: what is known stays, and the next proposal asks again.
    } finally {
      answer.asking = false
    }
  }
}
