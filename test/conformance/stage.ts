import type { KafkaErrorCode } from '../../src/kafka/errors.ts'
import { KafkaError } from '../../src/kafka/errors.ts'
import type {
  Commit,
  GroupConsumer,
  KafkaLog,
  LogReader,
  OutgoingRecord,
  TopicPartition,
  TransactionalProducer,
  Watermarks,
} from '../../src/kafka/log.ts'

export interface TopicOptions {
  readonly partitions?: number
  /** Largest record that the topic takes. */
  readonly maxMessageBytes?: number
  readonly compacted?: boolean
}

/** A Kafka on which scenarios are played: the real one through the real adapter, or the model. */
export interface Kafka {
  readonly log: KafkaLog
  createTopic(name: string, options: TopicOptions): Promise<void>
  deleteTopic(name: string): Promise<void>
  /** Retention removes the head. */
  deleteBefore(partition: TopicPartition, offset: number): Promise<void>
  /** Resolves when the cleaner has been over all but the last record. */
  compact(partition: TopicPartition): Promise<void>
}

const TIMEOUT_MS = 10_000

/** What a scenario works with. Everything opened here is closed at its end. */
export class Stage {
  readonly kafka: Kafka
  readonly #name: string
  readonly #closing: (() => Promise<void>)[] = []
  #serial = 0

  constructor(kafka: Kafka, name: string) {
    this.kafka = kafka
    this.#name = name.replaceAll(/[^a-z]+/g, '-').slice(0, 60)
  }

  unique(): string {
    return `${this.#name}-${(this.#serial += 1)}`
  }

  async topic(options: TopicOptions = {}): Promise<string> {
    const name = this.unique()
    await this.kafka.createTopic(name, options)
    return name
  }

  async producer(id = this.unique(), transactionTimeoutMs = TIMEOUT_MS): Promise<TransactionalProducer> {
    const producer = await this.kafka.log.producer({ transactionalId: id, transactionTimeoutMs })
    this.#closing.push(() => producer.close())
    await producer.initTransactions(TIMEOUT_MS)
    return producer
  }

  async reader(): Promise<LogReader> {
    const reader = await this.kafka.log.reader()
    this.#closing.push(() => reader.close())
    return reader
  }

  async member(groupId: string, topic: string): Promise<Member> {
    const owned = new Set<number>()
    const revoked: number[] = []
    const consumer = await this.kafka.log.groupConsumer({
      groupId,
      topics: [topic],
      sessionTimeoutMs: 6000,
      assigned: partitions => {
        for (const { partition } of partitions) owned.add(partition)
        return Promise.resolve()
      },
      revoked: partitions => {
        for (const { partition } of partitions) owned.delete(partition)
        revoked.push(...partitions.map(({ partition }) => partition))
        return Promise.resolve()
      },
      failed: () => undefined,
    })
    this.#closing.push(() => consumer.close())
    return { consumer, owned, revoked }
  }

  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const deadline = performance.now() + 20_000
    while (!(await condition())) {
      if (performance.now() > deadline) throw new Error(`timed out waiting until ${what}`)
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }

  /** Reads until the end of what is visible: the values, and where the reader then stands. */
  async read(topic: string, from = 0): Promise<{ readonly values: readonly string[]; readonly position: number }> {
    const reader = await this.reader()
    const place = { topic, partition: 0 }
    await reader.assign([{ ...place, offset: from }])
    const { lastStable } = await this.marks(place)
    const values: string[] = []
    let position = from
    await this.until(async () => {
      const { records, ends } = await reader.poll(500, 20)
      for (const { value, offset } of records) {
        values.push(value?.toString() ?? 'null')
        position = offset + 1
      }
      for (const { offset } of ends) position = Math.max(position, offset)
      return position >= lastStable
    }, `${topic} was read to ${lastStable}`)
    return { values, position }
  }

  async marks(place: TopicPartition): Promise<Watermarks> {
    const reader = await this.reader()
    let found: Watermarks | KafkaError | undefined
    await this.until(async () => {
      found = (await reader.watermarks([place]))[0]
      return found !== undefined && !(found instanceof KafkaError)
    }, `${place.topic} has watermarks`)
    return found as Watermarks
  }

  async close(): Promise<void> {
    for (const close of this.#closing.toReversed()) await close().catch(() => undefined)
  }
}

export interface Member {
  readonly consumer: GroupConsumer
  readonly owned: ReadonlySet<number>
  readonly revoked: readonly number[]
}

export const record = (topic: string, value: string | null, key: string | null = null): OutgoingRecord => ({
  topic,
  partition: 0,
  key: key === null ? null : Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
  headers: [],
})

export const commitOf = (topic: string, offset: number, metadata = ''): Commit => ({ topic, partition: 0, offset, metadata })

/** One transaction with these records. */
export async function write(producer: TransactionalProducer, records: readonly OutgoingRecord[]): Promise<void> {
  await producer.begin()
  for (const each of records) producer.send(each)
  await producer.commit(TIMEOUT_MS)
}

/** How a call failed; `fine` when it did not. */
export async function failure(call: Promise<unknown>): Promise<'fine' | { readonly code: KafkaErrorCode; readonly retriable: boolean }> {
  try {
    await call
    return 'fine'
  } catch (error) {
    if (error instanceof KafkaError) return { code: error.code, retriable: error.retriable }
    throw error
  }
}
