import type { EpochMs, Resource, ResourceRef } from '../api/resource.ts'
import type { ClusterDescription, ConfigEntry, KeySample, TopicDescription } from '../kafka/admin.ts'
import type { KafkaErrorCode } from '../kafka/errors.ts'

export type { KeySample }

/** A topic as last observed: description, the configs asked for, bytes on disk where asked for. */
export interface TopicView extends TopicDescription {
  readonly configs: ReadonlyMap<string, ConfigEntry>
  /** Sum over partitions of the largest replica; undefined when sizes were not asked for or are not known. */
  readonly sizeBytes?: number
}

/** Outcome of the last probe of a cluster. */
export type Probe =
  | { readonly ok: true; readonly at: EpochMs; readonly cluster: ClusterDescription }
  | { readonly ok: false; readonly at: EpochMs; readonly code: KafkaErrorCode | 'SecretMissing'; readonly message: string }

/** The connection that a resource names, as the engine resolved it. */
export interface ConnectionView {
  readonly ref: ResourceRef
  readonly defaults: { readonly replicationFactor: number; readonly minInsyncReplicas?: number }
  /** undefined: every non-internal topic; an empty list allows nothing. */
  readonly allowedTopics?: readonly string[]
  readonly probe: Probe | undefined
}

/** What the operator sees of a resource's workers. */
export interface WorkersView {
  readonly desired: number
  readonly ready: number
  /** Contract generation that every ready worker runs. */
  readonly generation: number
}

/** Bytes that a topic would lose at once if its retention were lowered as asked in `RetentionQuestion`. */
export interface RetentionAnswer {
  readonly bytes: number
}

/** Answer to a `ReadingQuestion`. */
export interface Readings {
  /** Positions of the group, with the note that the task wrote beside each. */
  readonly positions: readonly { readonly topic: string; readonly partition: number; readonly offset: number; readonly note: string }[]
  /** First offset and end, by partition; undefined: a partition has no leader and nobody knows. */
  readonly bounds?: readonly (readonly [from: number, to: number])[]
}

/** Everything that `plan()` may look at. Values only: the same input gives the same plan. */
export interface Observed {
  readonly now: EpochMs
  readonly connection: ConnectionView
  /** Topics of the cluster that the kind's `interest` names, by topic name. */
  readonly topics: ReadonlyMap<string, TopicView>
  /** Topics that the last listing no longer had but an earlier one did: neither present nor proven absent. */
  readonly vanishing: ReadonlySet<string>
  /** Resources of the same kind on the same connection, this one excluded, in name order; of all namespaces that the operator watches. */
  readonly siblings: readonly Resource[]
  /** The resource that `subjectOf` names. */
  readonly subject?: Resource
  readonly readings?: Readings
  readonly workers?: WorkersView
  /** Answers to `questions()`, by topic. */
  readonly answers: ReadonlyMap<string, RetentionAnswer>
  /** What the newest records of the topics that `samples()` names say of their keys; those of which nothing is known are absent. */
  readonly keys?: ReadonlyMap<string, KeySample>
  /** Of a kind that yields: who else sets up a topic that is seen, for people, by topic. */
  readonly owners?: ReadonlyMap<string, string>
}
