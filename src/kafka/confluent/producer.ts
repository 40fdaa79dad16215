import { setImmediate as nextTurn } from 'node:timers/promises'
import confluent from '@confluentinc/kafka-javascript'
import type { KafkaConsumer, LibrdKafkaError, Producer } from '@confluentinc/kafka-javascript'
import type { ConnectionSettings } from '../connection.ts'
import { KafkaError } from '../errors.ts'
import type { Commit, GroupConsumer, OutgoingRecord, Refusal, TransactionalProducer } from '../log.ts'
import { connect, disconnect } from './client.ts'
import { call, codeOf, kafkaError } from './errors.ts'
import { memberOf } from './group-consumer.ts'
import { vendorBytes, vendorHeaders } from './records.ts'
import { producerConfig } from './settings.ts'

const PARTITIONS_CACHED_MS = 5000
/** Messages may name topics: without bound. */
const MOST_TOPICS_CACHED = 10_000
const METADATA_TIMEOUT_MS = 5000
/** Delivery reports are fetched by polling; commit polls by itself, so this only matters for reports that come before. */
const POLL_INTERVAL_MS = 10
/** Turns of the event loop that reports fetched before the answer of a commit may need to arrive; one was seen to be enough. */
const REPORT_TURNS = 10

export async function connectProducer(
  settings: ConnectionSettings,
  clientId: string,
  options: { readonly transactionalId: string; readonly transactionTimeoutMs: number },
): Promise<TransactionalProducer> {
  const producer = new confluent.Producer(producerConfig(settings, clientId, options), {})
  await connect(producer, settings, () => {
    producer.poll()
  })
  producer.setPollInterval(POLL_INTERVAL_MS)
  return new ConfluentProducer(producer, options.transactionalId)
}

/**
 * The report of a record has the broker's append time, or our own time again where the topic keeps that and where the answer to a first attempt was lost. A time
 * that no broker's clock says tells them apart.
 */
const TELLTALE_MS = 60_000

/**
 * A partition that may not be part of a transaction (the right to write was withdrawn while the topic is still described to us) fails the transaction before its
 * records are sent: no report names it, and neither does the error. Only librdkafka's log does.
 */
const NOT_ADDED = /Failed to add partition "(.+)" \[(\d+)\] to transaction: (.+)$/
const REFUSED_TO_ADD: ReadonlyMap<string, Refusal['code']> = new Map([
  ['Broker: Topic authorization failed', 'AuthorizationFailed'],
  ['Broker: Unknown topic or partition', 'UnknownTopic'],
])

const answering =
  (stamped: (appendedMs: number) => void, givenMs: number | undefined) =>
  (reportedMs: number | undefined): void => {
    if (reportedMs !== undefined && reportedMs !== givenMs) stamped(reportedMs)
  }

interface Report {
  readonly topic: string
  readonly partition: number
  readonly timestamp?: number
  /** What was handed over with the record. */
  readonly opaque?: (timestamp: number | undefined) => void
}

class ConfluentProducer implements TransactionalProducer {
  readonly #producer: Producer
  readonly #transactionalId: string
  readonly #partitions = new Map<string, { readonly count: number | undefined; readonly at: number }>()
  #refusals: Refusal[] = []

  constructor(producer: Producer, transactionalId: string) {
    this.#producer = producer
    this.#transactionalId = transactionalId
    producer.on('delivery-report', (error: LibrdKafkaError | null, report: Report) => {
      if (error !== null) this.#refused(error, report.topic, report.partition)
      else report.opaque?.(report.timestamp)
    })
    producer.on('event.log', ({ message }: { readonly message: string }) => {
      const [, topic, partition, why = ''] = NOT_ADDED.exec(message) ?? []
      const code = REFUSED_TO_ADD.get(why)
      if (topic !== undefined && code !== undefined) this.#refusedAs(code, topic, Number(partition), why)
    })
  }

  async initTransactions(timeoutMs: number): Promise<void> {
    await call(`initialise transactions of "${this.#transactionalId}"`, done => {
      this.#producer.initTransactions(timeoutMs, done)
    })
  }

  async begin(): Promise<void> {
    this.#refusals = []
    await call('begin a transaction', done => {
      this.#producer.beginTransaction(done)
    })
  }

  send(record: OutgoingRecord, stamped?: (appendedMs: number) => void): void {
    try {
      const { topic, partition, key, value, headers } = record
      const timestampMs = stamped === undefined ? record.timestampMs : Date.now() - TELLTALE_MS
      const answered = stamped && answering(stamped, timestampMs)
      this.#producer.produce(topic, partition, vendorBytes(value), vendorBytes(key), timestampMs, answered, vendorHeaders(headers))
    } catch (error) {
      this.#refused(error as LibrdKafkaError, record.topic, record.partition)
      throw kafkaError(error, `send a record to ${record.topic}[${record.partition}]`)
    }
  }

  async sendOffsets(offsets: readonly Commit[], consumer: GroupConsumer, timeoutMs: number): Promise<void> {
    try {
      await call('add offsets to the transaction', done => {
        this.#producer.sendOffsetsToTransaction([...offsets], memberOf(consumer) as unknown as KafkaConsumer, timeoutMs, done)
      })
    } catch (error) {
      // It may have failed for a record before.
      await this.#reportsOnTheirWay()
      throw error
    }
  }

  async commit(timeoutMs: number): Promise<void> {
    try {
      await call('commit the transaction', done => {
        this.#producer.commitTransaction(timeoutMs, done)
      })
    } catch (error) {
      await this.#reportsOnTheirWay()
      throw this.#commitError(error as KafkaError)
    }
  }

  async abort(timeoutMs: number): Promise<void> {
    await call('abort the transaction', done => {
      this.#producer.abortTransaction(timeoutMs, done)
    })
  }

  refusals(): readonly Refusal[] {
    return this.#refusals
  }

  async partitionsOf(topic: string): Promise<number | undefined> {
    const now = performance.now()
    const cached = this.#partitions.get(topic)
    if (cached !== undefined && now - cached.at < PARTITIONS_CACHED_MS) return cached.count
    const metadata = await call<{ topics: readonly { name: string; partitions: readonly unknown[] }[] }>(
      `describe topic "${topic}"`,
      done => {
        this.#producer.getMetadata({ topic, allTopics: false, timeout: METADATA_TIMEOUT_MS }, done)
      },
    )
    const found = metadata.topics.find(({ name }) => name === topic)?.partitions.length ?? 0
    const count = found === 0 ? undefined : found
    if (this.#partitions.size >= MOST_TOPICS_CACHED) this.#partitions.clear()
    this.#partitions.set(topic, { count, at: now })
    return count
  }

  async close(): Promise<void> {
    await disconnect(this.#producer)
  }

  /** The event loop hands over reports and answers in no order: the report that says why a commit failed may come after it. */
  async #reportsOnTheirWay(): Promise<void> {
    for (let turn = 0; turn < REPORT_TURNS && this.#refusals.length === 0; turn++) {
      this.#producer.poll()
      await nextTurn()
    }
  }

  /** Only the flag says that nothing happened: a commit that timed out may still be carried out by the coordinator. */
  #commitError(error: KafkaError): KafkaError {
    const cause = error.cause as LibrdKafkaError | undefined
    const refusal = this.#refusals[0]
    const code = error.code === 'Unexpected' && refusal !== undefined ? refusal.code : error.code
    return new KafkaError(code, error.message, { retriable: cause?.isTxnRequiresAbort === true, cause })
  }

  #refused(error: LibrdKafkaError, topic: string, partition: number): void {
    const code = codeOf(error.code)
    if (code === 'MessageTooLarge' || code === 'AuthorizationFailed' || code === 'UnknownTopic')
      this.#refusedAs(code, topic, partition, error.message)
  }

  #refusedAs(code: Refusal['code'], topic: string, partition: number, message: string): void {
    if (this.#refusals.some(known => known.topic === topic && known.partition === partition && known.code === code)) return
    this.#refusals.push({ topic, partition, code, message })
  }
}
