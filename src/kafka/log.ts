import type { ConnectionSettings } from './connection.ts'

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

export type KafkaLogFactory = (settings: ConnectionSettings, options: { readonly clientId: string }) => KafkaLog

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** Header values are bytes; order and duplicates are kept. */
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

/** Membership and offsets. It never delivers records: reading is the `LogReader`'s job, so that positions are only ever what we set. */
export interface GroupConsumer {
  /** Stable committed offsets: waits for open transactions on the partition until the timeout, then rejects with `UnstableOffsets`. Asked per partition. */
  committed(partition: TopicPartition, options: { readonly timeoutMs: number }): Promise<Commit | undefined>
  /** Last stable offset and metadata, at once; tells who wrote them. */
  committedNow(partition: TopicPartition): Promise<Commit | undefined>
  /** Plain commit, outside a transaction; carries the generation. */
  commit(offsets: readonly Commit[]): Promise<void>
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
  /** Log start and high watermark (read_uncommitted end), from the broker. */
  watermarks(partition: TopicPartition): Promise<{ readonly low: number; readonly high: number; readonly lastStable: number }>
  close(): Promise<void>
}

export interface ReadBatch {
  readonly records: readonly LogRecord[]
  readonly ends: readonly (TopicPartition & { readonly offset: number })[]
  /** Offset reset wanted by the broker: the position is below the log start or above the end. Never skipped in silence. */
  readonly outOfRange: readonly TopicPartition[]
}

export interface TransactionalProducer {
  /** Fences every other producer with this id and settles its open transaction. */
  initTransactions(timeoutMs: number): Promise<void>
  begin(): Promise<void>
  /** Queues a record of the open transaction; delivery errors surface at commit. Throws `MessageTooLarge` at once where the client can tell. */
  send(record: OutgoingRecord): void
  /** Adds offsets to the open transaction, gated by the consumer's current generation (KIP-447). */
  sendOffsets(offsets: readonly Commit[], consumer: GroupConsumer, timeoutMs: number): Promise<void>
  commit(timeoutMs: number): Promise<void>
  abort(timeoutMs: number): Promise<void>
  /** Partitions of a topic, cached for some seconds; undefined: no such topic. */
  partitionsOf(topic: string): Promise<number | undefined>
  close(): Promise<void>
}
