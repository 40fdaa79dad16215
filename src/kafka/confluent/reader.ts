import type { EofEvent, LibrdKafkaError, Message, TopicPartitionOffset } from '@confluentinc/kafka-javascript'
import type { ConnectionSettings } from '../connection.ts'
import { KafkaError } from '../errors.ts'
import type { LogReader, LogRecord, ReadBatch, TopicPartition, Watermarks } from '../log.ts'
import { adminOf, newConsumer } from './binding.ts'
import type { Consumer, TopicAdmin } from './binding.ts'
import { connectConsumer, disconnect } from './client.ts'
import { call } from './errors.ts'
import { logRecord } from './records.ts'
import { consumerConfig } from './settings.ts'
import { describeIds } from './topic-ids.ts'
import { WatermarkQueries } from './watermarks.ts'

/** A partition that delivers nothing for so long is compared with the broker: the client may have dropped its error. */
const SUSPECT_AFTER_MS = 2000
/** And after so long, with records waiting, it is started again. */
const DEAF_AFTER_MS = 10_000
const AUTO_OFFSET_RESET = -140

type Start = TopicPartition & { readonly offset: number }
type Change =
  | { readonly kind: 'assign'; readonly starts: readonly Start[] }
  | { readonly kind: 'unassign'; readonly partitions: readonly TopicPartition[] }

interface Reading {
  readonly topic: string
  readonly partition: number
  /** Not yet applied, or taken back: what a call in flight still delivers belongs to an earlier position and is dropped. */
  active: boolean
  next: number
  heardAt: number
  checkedAt: number
}

const key = (topic: string, partition: number): string => `${topic}/${partition}`

export async function connectReader(settings: ConnectionSettings, clientId: string): Promise<LogReader> {
  // The group is never joined and nothing is committed: the name only has to be valid.
  const config = consumerConfig(settings, clientId, clientId)
  const consumer = newConsumer(config, { 'auto.offset.reset': 'error' })
  const uncommitted = newConsumer({ ...config, 'isolation.level': 'read_uncommitted' }, {})
  await Promise.all([connectConsumer(consumer, settings), connectConsumer(uncommitted, settings)])
  // Wait for the first record only: take what has arrived, and leave.
  consumer.setDefaultIsTimeoutOnlyForFirstMessage(true)
  return new ConfluentReader(consumer, uncommitted)
}

/**
 * Assignments change only between two calls of consume, and each has an offset: so a record is delivered only if it follows the position that we
 * set. Pausing is unassigning (3 ms to come back; librdkafka's own resume of a sole partition takes 1 s), which also frees what was prefetched.
 */
class ConfluentReader implements LogReader {
  readonly #consumer: Consumer
  readonly #uncommitted: Consumer
  readonly #readings = new Map<string, Reading>()
  #changes: Change[] = []
  #ends: EofEvent[] = []
  readonly #queries: WatermarkQueries
  readonly #admin: TopicAdmin
  #suspicious = false
  #checking = false
  #stopped: ReadBatch['stopped'][number][] = []
  #asking: Promise<unknown> = Promise.resolve()

  constructor(consumer: Consumer, uncommitted: Consumer) {
    this.#consumer = consumer
    this.#uncommitted = uncommitted
    this.#queries = new WatermarkQueries(consumer, uncommitted)
    this.#admin = adminOf(uncommitted)
    consumer.on('partition.eof', end => {
      this.#ends.push(end)
    })
  }

  assign(partitions: readonly Start[]): Promise<void> {
    const now = performance.now()
    void this.unassign(partitions)
    for (const { topic, partition, offset } of partitions) {
      this.#readings.set(key(topic, partition), { topic, partition, active: false, next: offset, heardAt: now, checkedAt: now })
    }
    this.#changes.push({ kind: 'assign', starts: partitions })
    return Promise.resolve()
  }

  unassign(partitions: readonly TopicPartition[]): Promise<void> {
    const assigned = partitions.filter(({ topic, partition }) => this.#readings.delete(key(topic, partition)))
    if (assigned.length > 0) this.#changes.push({ kind: 'unassign', partitions: assigned })
    return Promise.resolve()
  }

  pause(partitions: readonly TopicPartition[]): void {
    void this.unassign(partitions)
  }

  resume(partitions: readonly Start[]): Promise<void> {
    return this.assign(partitions)
  }

  async poll(max: number, waitMs: number): Promise<ReadBatch> {
    this.#applyChanges()
    this.#consumer.setDefaultConsumeTimeout(waitMs)
    const messages = await this.#consume(max)
    const records = this.#accept(messages)
    const ends = this.#takeEnds()
    if (!this.#checking) void this.#check()
    const stopped = this.#stopped
    this.#stopped = []
    return { records, ends, stopped }
  }

  positions(partitions: readonly TopicPartition[]): readonly (number | undefined)[] {
    if (partitions.length === 0) return []
    const answers = this.#consumer.position(partitions.map(({ topic, partition }) => ({ topic, partition })))
    const found = new Map(answers.map(answer => [key(answer.topic, answer.partition), (answer as Partial<TopicPartitionOffset>).offset]))
    return partitions.map(({ topic, partition }) => {
      const offset = found.get(key(topic, partition))
      return this.#readings.get(key(topic, partition))?.active !== true || offset === undefined || offset < 0 ? undefined : offset
    })
  }

  watermarks(partitions: readonly TopicPartition[]): Promise<readonly (Watermarks | KafkaError)[]> {
    return this.#queries.of(partitions)
  }

  topicIds(topics: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const answer = describeIds(this.#admin, topics)
    // A client must not be closed while it is asked.
    this.#asking = Promise.allSettled([this.#asking, answer])
    return answer
  }

  async close(): Promise<void> {
    await this.#asking
    await Promise.all([disconnect(this.#consumer), disconnect(this.#uncommitted)])
  }

  #applyChanges(): void {
    const changes = this.#changes
    this.#changes = []
    for (const change of changes) {
      if (change.kind === 'unassign') this.#consumer.incrementalUnassign([...change.partitions])
      else {
        this.#consumer.incrementalAssign([...change.starts])
        for (const { topic, partition } of change.starts) {
          const reading = this.#readings.get(key(topic, partition))
          if (reading !== undefined) reading.active = true
        }
      }
    }
  }

  async #consume(max: number): Promise<readonly Message[]> {
    try {
      return await call<readonly Message[]>('consume', done => {
        this.#consumer.consume(max, done)
      })
    } catch (error) {
      const cause = (error as KafkaError).cause as LibrdKafkaError | undefined
      if (cause?.isFatal === true) throw error
      // Names no partition, so all are compared with the broker. Others (a broker away, no leader) pass by themselves.
      if (cause?.code === AUTO_OFFSET_RESET) this.#suspicious = true
      return []
    }
  }

  #accept(messages: readonly Message[]): readonly LogRecord[] {
    const now = performance.now()
    const records: LogRecord[] = []
    let reading: Reading | undefined
    for (const message of messages) {
      if (reading?.partition !== message.partition || reading.topic !== message.topic)
        reading = this.#readings.get(key(message.topic, message.partition))
      if (reading?.active !== true || message.offset < reading.next) continue
      reading.next = message.offset + 1
      reading.heardAt = now
      records.push(logRecord(message))
    }
    return records
  }

  #takeEnds(): readonly Start[] {
    const ends = this.#ends
    this.#ends = []
    const now = performance.now()
    return ends.filter(({ topic, partition, offset }) => {
      const reading = this.#readings.get(key(topic, partition))
      if (reading?.active !== true || offset < reading.next) return false
      reading.next = offset
      reading.heardAt = now
      return true
    })
  }

  /**
   * The binding drops an error that comes behind records in the same call, and an error does not name its partition: so silence is checked.
   * A partition at its end is silent too, hence the interval. Reading goes on meanwhile: an answer may take seconds.
   */
  async #check(): Promise<void> {
    const now = performance.now()
    const suspects = [...this.#readings.values()].filter(
      reading => reading.active && (this.#suspicious || now - Math.max(reading.heardAt, reading.checkedAt) > SUSPECT_AFTER_MS),
    )
    if (suspects.length === 0) return
    this.#checking = true
    const asked = suspects.map(({ next }) => next)
    // No broker answers: that is no reason to stop reading what they may send next.
    const answers = await this.watermarks(suspects).catch(() => undefined)
    if (answers !== undefined) this.#suspicious = false
    suspects.forEach((reading, index) => {
      reading.checkedAt = performance.now()
      const answer = answers?.[index]
      // Paused or taken away while we asked, or not silent at all.
      const isSame = this.#readings.get(key(reading.topic, reading.partition)) === reading && reading.next === asked[index]
      if (answer === undefined || !isSame) return
      const error = answer instanceof KafkaError ? answer : this.#examine(reading, answer, now)
      if (error !== undefined) this.#stopped.push({ topic: reading.topic, partition: reading.partition, error })
    })
    this.#checking = false
  }

  #examine(reading: Reading, watermarks: Watermarks, now: number): KafkaError | undefined {
    const { topic, partition, next, heardAt } = reading
    const error = outOfRange(reading, watermarks)
    if (error !== undefined) void this.unassign([reading])
    // In range, records waiting, and yet silent: its fetcher stopped for an error that never reached us.
    else if (next < watermarks.lastStable && now - heardAt > DEAF_AFTER_MS) void this.assign([{ topic, partition, offset: next }])
    return error
  }
}

function outOfRange({ topic, partition, next }: Reading, { low, high }: Watermarks): KafkaError | undefined {
  if (next >= low && next <= high) return undefined
  const message =
    next < low
      ? `the next offset of ${topic}[${partition}] is ${next}, but its log starts at ${low}: ${low - next} offsets were deleted unread`
      : `the next offset of ${topic}[${partition}] is ${next}, but its log ends at ${high}: was the topic deleted and created again?`
  return new KafkaError('OffsetOutOfRange', message, { retriable: false })
}
