import type { Clock } from '../api/clock.ts'
import type { TransactionalProducer } from '../kafka/log.ts'
import { Partitioner } from '../kafka/partitioner.ts'
import type { Routing } from './task.ts'

const FRESH_MS = 5000
const RETRY_MS = 500
/** An answer that is so old may be wrong by now (sooner if the topic was missing: it may be there): wait for the next one. */
const STALE_MS = 2 * FRESH_MS
/** Messages may name topics: without bound. */
const MOST_ANSWERS = 10_000

interface Answer {
  partitions: number | 'missing' | undefined
  answeredAt: number
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
    const answer = this.#answerFor(topic)
    const staleMs = answer.partitions === 'missing' ? FRESH_MS : STALE_MS
    const known = now - answer.answeredAt > staleMs ? undefined : answer.partitions
    const askAgainMs = known === undefined ? RETRY_MS : FRESH_MS
    if (!answer.asking && now - answer.askedAt > askAgainMs) void this.#ask(topic, answer, now, known)
    return known
  }

  choose(key: Buffer | null, partitions: number): number {
    return this.#partitioner.choose(key, partitions)
  }

  #answerFor(topic: string): Answer {
    let answer = this.#answers.get(topic)
    if (answer !== undefined) return answer
    if (this.#answers.size >= MOST_ANSWERS) this.#answers.clear()
    answer = { partitions: undefined, answeredAt: -Infinity, askedAt: -Infinity, asking: false }
    this.#answers.set(topic, answer)
    return answer
  }

  async #ask(topic: string, answer: Answer, now: number, known: Answer['partitions']): Promise<void> {
    answer.asking = true
    answer.askedAt = now
    try {
      answer.partitions = (await this.#producer.partitionsOf(topic)) ?? 'missing'
      answer.answeredAt = this.#clock.monotonicMs()
      if (answer.partitions !== known) this.#learned()
    } catch {
      // No broker answered: what is known stays, and the next proposal asks again.
    } finally {
      answer.asking = false
    }
  }
}
