import type { EpochMs } from '../api/resource.ts'
import type { ConnectionSettings } from './connection.ts'
import type { KafkaError } from './errors.ts'

/**
 * Port: what the operator and the command line ask of a cluster. Every call batches; a call over many topics answers per topic, so that one
 * bad topic never hides the others. Calls reject with `KafkaError` only when the whole call failed.
 */
export interface KafkaAdmin {
  describeCluster(): Promise<ClusterDescription>
  /** Names of all topics, sorted. Internal ones (`__*`) only on request. */
  listTopics(options?: { readonly includeInternal?: boolean }): Promise<readonly string[]>
  /**
   * Partitions, replication and id per topic; without `names` of all topics but internal ones, sorted, in one request. Unknown topics are
   * absent. The same object as before where the brokers say the same.
   */
  describeTopics(names?: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>>
  /**
   * Effective configs; `keys` narrows the answer (88 ms instead of 511 ms for 1,000 topics). Unknown topics are absent. A topic's config is
   * the same object as before where the brokers say the same; topics that are alike share it.
   */
  describeConfigs(topics: readonly string[], keys?: readonly string[]): Promise<ReadonlyMap<string, TopicConfig>>
  /** Incremental: keys that are not named are never touched. */
  alterConfigs(changes: readonly ConfigChange[], options?: { readonly validateOnly?: boolean }): Promise<Outcomes>
  createTopics(topics: readonly NewTopic[], options?: { readonly validateOnly?: boolean }): Promise<Outcomes>
  /** Grows topics to `count` partitions. */
  createPartitions(topics: readonly { readonly name: string; readonly count: number }[]): Promise<Outcomes>
  deleteTopics(names: readonly string[]): Promise<Outcomes>
  /** Bytes on disk per partition, the largest replica of each. */
  logDirSizes(topics: readonly TopicPartitions[]): Promise<ReadonlyMap<string, ReadonlyMap<number, number>>>
  /** Offsets by position or time. A time past the last record answers the end offset with `timestamp` -1. */
  listOffsets(queries: readonly OffsetQuery[]): Promise<readonly OffsetAnswer[]>
  /**
   * How many of the newest records have no key: a read of about 64 KiB of each of the three fullest partitions of a topic. Topics of which nothing can be told are
   * absent: empty ones, those that we may not read, those whose records cannot be unpacked.
   */
  sampleKeys(topics: readonly TopicPartitions[]): Promise<ReadonlyMap<string, KeySample>>
  /** Deletes records below `offset` (-1: all). Answers the new log start per partition. */
  deleteRecords(
    targets: readonly { readonly topic: string; readonly partition: number; readonly offset: bigint }[],
  ): Promise<readonly OffsetAnswer[]>
  listGroups(): Promise<readonly GroupListing[]>
  describeGroup(groupId: string): Promise<GroupDescription>
  /** Committed offsets per topic-partition; never blocks on open transactions. */
  groupOffsets(groupId: string): Promise<readonly CommittedOffset[]>
  /** Only for a group without members: rejects with `GroupActive` otherwise. */
  alterGroupOffsets(
    groupId: string,
    offsets: readonly { readonly topic: string; readonly partition: number; readonly offset: bigint }[],
  ): Promise<void>
  deleteGroup(groupId: string): Promise<void>
  close(): Promise<void>
}

export type KafkaAdminFactory = (settings: ConnectionSettings, options: { readonly clientId: string }) => KafkaAdmin

/** `undefined` is success. */
export type Outcomes = ReadonlyMap<string, KafkaError | undefined>

export interface ClusterDescription {
  readonly clusterId: string
  readonly controllerId: number
  readonly brokers: readonly { readonly id: number; readonly host: string; readonly port: number; readonly rack?: string }[]
  /** Named abilities of the brokers that a kind may need. */
  readonly features: { readonly transactions: boolean; readonly shareGroups: boolean; readonly consumerProtocol: boolean }
}

export interface TopicDescription {
  readonly name: string
  /** Topic UUID: tells a topic from one deleted and created again under the same name. */
  readonly id: string
  readonly partitions: number
  readonly replicationFactor: number
  /** Partitions without a leader or with fewer in-sync replicas than replicas. */
  readonly underReplicated: number
}

export type ConfigSource = 'Topic' | 'Broker' | 'Cluster' | 'Static' | 'Default' | 'Unknown'
export interface ConfigEntry {
  /** null: sensitive, the broker does not tell. */
  readonly value: string | null
  readonly source: ConfigSource
  readonly readOnly: boolean
}
export type TopicConfig = ReadonlyMap<string, ConfigEntry>

export interface ConfigChange {
  readonly topic: string
  readonly set: Readonly<Record<string, string>>
  readonly remove: readonly string[]
}

export interface NewTopic {
  readonly name: string
  readonly partitions: number
  /** -1: the broker's default. */
  readonly replicationFactor: number
  readonly configs: Readonly<Record<string, string>>
}

export interface TopicPartitions {
  readonly topic: string
  readonly partitions: readonly number[]
}

export interface OffsetQuery {
  readonly topic: string
  readonly partition: number
  readonly at: 'earliest' | 'latest' | { readonly timestamp: EpochMs }
}
export interface OffsetAnswer {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly timestamp: number
  readonly error?: KafkaError
}

export interface KeySample {
  /** Records looked at, at least one. */
  readonly records: number
  readonly withoutKey: number
}

export interface GroupListing {
  readonly id: string
  readonly state: string
  readonly protocol: 'classic' | 'consumer' | 'other'
}
export interface GroupDescription extends GroupListing {
  readonly members: readonly {
    readonly memberId: string
    readonly clientId: string
    readonly host: string
    readonly assignments: readonly TopicPartitions[]
  }[]
}
export interface CommittedOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly metadata: string
}
