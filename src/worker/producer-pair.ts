import type { Commit, GroupConsumer, KafkaLog, OutgoingRecord, Refusal, TransactionalProducer } from '../kafka/log.ts'

/** The transactional ids of one worker, given the one that its commits name: to fence a worker is to fence them all. */
export const idsOf = (transactionalId: string): readonly [string, string] => [`${transactionalId}.a`, `${transactionalId}.b`]

/**
 * Two producers in turn, one open transaction at a time. Brokers answer a commit before they have written its markers, and refuse the next
 * transaction of the same id until they have; librdkafka then waits 20 ms. The other producer begins at once.
 *
 * The order of things stays: records of the second transaction are appended after those of the first, and the group keeps, of two commits of one
 * partition, the one that was appended last, whichever marker comes first.
 */
export class ProducerPair implements TransactionalProducer {
  readonly #producers: readonly [TransactionalProducer, TransactionalProducer]
  #current: TransactionalProducer
  #aborted = false

  private constructor(producers: readonly [TransactionalProducer, TransactionalProducer]) {
    this.#producers = producers
    this.#current = producers[0]
  }

  static async of(log: KafkaLog, transactionalId: string, transactionTimeoutMs: number): Promise<ProducerPair> {
    const [a, b] = idsOf(transactionalId)
    const first = await log.producer({ transactionalId: a, transactionTimeoutMs })
    try {
      return new ProducerPair([first, await log.producer({ transactionalId: b, transactionTimeoutMs })])
    } catch (error) {
      await first.close()
      throw error
    }
  }

  async initTransactions(timeoutMs: number): Promise<void> {
    await Promise.all(this.#producers.map(producer => producer.initTransactions(timeoutMs)))
  }

  begin(): Promise<void> {
    const [a, b] = this.#producers
    // After an abort the same one goes on, behind its own markers: where an aborted and another transaction overlap in a partition, kafkajs shows
    // the aborted records to its read_committed consumers.
    if (!this.#aborted) this.#current = this.#current === a ? b : a
    this.#aborted = false
    return this.#current.begin()
  }

  send(record: OutgoingRecord, stamped?: (appendedMs: number) => void): void {
    this.#current.send(record, stamped)
  }

  sendOffsets(offsets: readonly Commit[], consumer: GroupConsumer, timeoutMs: number): Promise<void> {
    return this.#current.sendOffsets(offsets, consumer, timeoutMs)
  }

  commit(timeoutMs: number): Promise<void> {
    return this.#current.commit(timeoutMs)
  }

  abort(timeoutMs: number): Promise<void> {
    this.#aborted = true
    return this.#current.abort(timeoutMs)
  }

  refusals(): readonly Refusal[] {
    return this.#current.refusals()
  }

  partitionsOf(topic: string): Promise<number | undefined> {
    return this.#producers[0].partitionsOf(topic)
  }

  async close(): Promise<void> {
    await Promise.all(this.#producers.map(producer => producer.close()))
  }
}
