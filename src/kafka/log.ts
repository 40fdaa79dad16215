import type { ConnectionSettings } from './connection.ts'
import type { KafkaError } from './errors.ts'

/**
 * Port: the log as the worker kernel sees it. Two implementations: librdkafka (`confluent-log.ts`) and, for simulation, a deterministic model.
 * Offsets are plain numbers: Kafka's 2^63 is out of reach, 2^53 is not a limit anyone meets. All failures are `KafkaError`.
 */
export interface KafkaLog {
  /** Joins `groupId`. Only the rebalance listener decides what is consumed. */
  groupConsumer(options: GroupConsumerOptions): Promise<GroupConsumer>
  /** A consumer without group membership, assigned by hand; read_committed. */
  reader(): Promise<LogReader>
  /** Connects a producer; `initTransactions` is separate since it fences. */
  producer(options: { readonly transactionalId: string; readonly transactionTimeoutMs: number }): Promise<TransactionalProducer>
}

export interface LogOptions {
  readonly clientId: string
  /**
   * What the client ids of earlier lives of this process begin with, one of which was cut off: the group does not wait until that one has timed out.
   * Were it alive, it would lose its partitions as if it had been silent for too long.
   */
  readonly lineage?: string
}

export type KafkaLogFactory = (settings: ConnectionSettings, options: LogOptions) => KafkaLog

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/**
 * Header values are bytes; order and duplicates are kept. The librdkafka binding cannot tell a null value from an empty one when it reads: both
 * arrive as an empty buffer, and are written as one.
 */
export type LogHeader = readonly [name: string, value: Buffer | null]

export interface LogRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Epoch ms; the broker's append time on the topics that Sluice creates (LogAppendTime). */
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly LogHeader[]
}

export interface OutgoingRecord {
  readonly topic: string
  /** undefined: murmur2 of the key as Java does, null key: spread. The kernel resolves it before it reaches the port. */
  readonly partition: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly LogHeader[]
  readonly timestampMs?: number
}

export interface Commit extends TopicPartition {
  readonly offset: number
  /** At most 4,096 bytes (broker default `offset.metadata.max.bytes`). */
  readonly metadata: string
}

export interface GroupConsumerOptions {
  readonly groupId: string
  readonly topics: readonly string[]
  readonly sessionTimeoutMs: number
  /**
   * Awaited: the group waits for it. After `assigned` resolves the member owns the partitions but nothing is fetched (the kernel reads through
   * a `LogReader`); after `revoked` resolves they may belong to another member. `lost`: the session had already expired, offsets of these
   * partitions must not be committed any more.
   */
  readonly assigned: (partitions: readonly TopicPartition[]) => Promise<void>
  readonly revoked: (partitions: readonly TopicPartition[], lost: boolean) => Promise<void>
  /** The client gave up (fatal): the worker must stop. */
  readonly failed: (error: Error) => void
}

/**
 * Membership and offsets. It never delivers records: reading is the `LogReader`'s job, so that positions are only ever what we set. Offsets are
 * written in transactions only: fenced twice, by generation and by producer epoch.
 */
export interface GroupConsumer {
  /** Stable committed offsets: waits for open transactions on the partition until the timeout, then rejects with `UnstableOffsets`. Asked per partition. */
  committed(partition: TopicPartition, options: { readonly timeoutMs: number }): Promise<Commit | undefined>
  /** Last stable offset and metadata, at once; tells who wrote them. */
  committedNow(partition: TopicPartition): Promise<Commit | undefined>
  /** Other topics than before. Partitions of topics that stay are not disturbed; the others come and go through the listener. */
  subscribe(topics: readonly string[]): void
  /** Leaves the group; `revoked` is awaited first. */
  close(): Promise<void>
}

export interface LogReader {
  /** Adds partitions at explicit offsets; others keep flowing. */
  assign(partitions: readonly (TopicPartition & { readonly offset: number })[]): Promise<void>
  unassign(partitions: readonly TopicPartition[]): Promise<void>
  pause(partitions: readonly TopicPartition[]): void
  /** Resumes at `offset`, the next one wanted: librdkafka's plain resume of a sole partition takes a second (client facts, section 5). */
  resume(partitions: readonly (TopicPartition & { readonly offset: number })[]): Promise<void>
  /** Up to `max` records, waiting at most `waitMs` for the first; `ends` names the partitions whose end was reached and at which offset. */
  poll(max: number, waitMs: number): Promise<ReadBatch>
  /**
   * Next offset per partition as the client has it, past commit markers and aborted records; undefined before the first fetch. A state partition
   * is read to its end when this reaches the end that was captured (a marker at the end is never delivered as a record).
   */
  positions(partitions: readonly TopicPartition[]): readonly (number | undefined)[]
  /** Asks the brokers, batched, about 1 ms; one answer per partition, in order. A partition that has none answers why. */
  watermarks(partitions: readonly TopicPartition[]): Promise<readonly (Watermarks | KafkaError)[]>
  /** Ids of topics, one request for all, a few ms; absent where the brokers do not tell: no such topic, no permission, older than Kafka 2.8. */
  topicIds(topics: readonly string[]): Promise<ReadonlyMap<string, string>>
  close(): Promise<void>
}

export interface ReadBatch {
  readonly records: readonly LogRecord[]
  readonly ends: readonly (TopicPartition & { readonly offset: number })[]
  /**
   * Partitions that deliver nothing any more: the position is below the log start or above the end (`OffsetOutOfRange`), the topic is gone
   * (`UnknownTopic`) or hidden (`AuthorizationFailed`). Reported once, never skipped in silence.
   */
  readonly stopped: readonly (TopicPartition & { readonly error: KafkaError })[]
}

export interface Watermarks {
  /** Log start. */
  readonly low: number
  /** High watermark: the end including records of open transactions. */
  readonly high: number
  /** Last stable offset: where a read_committed reader ends now. */
  readonly lastStable: number
}

/** A record that the brokers refused for good; it aborts its transaction. `partition` -1: none named. */
export interface Refusal extends TopicPartition {
  readonly code: 'MessageTooLarge' | 'AuthorizationFailed' | 'UnknownTopic'
  readonly message: string
}

export interface TransactionalProducer {
  /** Fences every other producer with this id and settles its open transaction. */
  initTransactions(timeoutMs: number): Promise<void>
  begin(): Promise<void>
  /**
   * Queues a record of the open transaction; delivery errors surface at commit. Throws `MessageTooLarge` at once where the client can tell. `stamped` is
   * told the broker's append time, where the topic has that (LogAppendTime), when the answer comes: before or soon after the commit's.
   */
  send(record: OutgoingRecord, stamped?: (appendedMs: number) => void): void
  /** Adds offsets to the open transaction, gated by the consumer's current generation (KIP-447). */
  sendOffsets(offsets: readonly Commit[], consumer: GroupConsumer, timeoutMs: number): Promise<void>
  /**
   * Rejects with `retriable` true when the transaction certainly did not happen: abort it and run the same again. False: its outcome is unknown or
   * this producer is of no more use (`Fenced`, fatal): discard it, initialise a new one and read what was committed.
   */
  commit(timeoutMs: number): Promise<void>
  abort(timeoutMs: number): Promise<void>
  /** What the brokers refused in the last transaction; a batch of records is refused as one, so with several candidates the culprit is among them. */
  refusals(): readonly Refusal[]
  /** Partitions of a topic, cached for some seconds; undefined: no such topic. */
  partitionsOf(topic: string): Promise<number | undefined>
  close(): Promise<void>
}
