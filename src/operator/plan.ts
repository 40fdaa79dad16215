import type { Reason } from '../api/reasons.ts'
import type { ResourceRef } from '../api/resource.ts'

/** What a kind wants the world to be. Pure data; the engine turns it into changes, and the same changes are printed, reported or applied. */
export interface Plan {
  readonly topics: readonly TopicIntent[]
  readonly workers?: WorkerIntent
  readonly alerts?: AlertGroup
  readonly problems: readonly Problem[]
  /** What stands in nobody's way and deserves a thought, for `sluice plan`; in the status it is the kind's to say. */
  readonly warnings?: readonly Warning[]
  /** Kind-specific status fields; conditions are the engine's. */
  readonly status: Readonly<Record<string, unknown>>
  /** Report the changes to topics, apply none (mode Observe). */
  readonly observeOnly?: boolean
  /** Look again at the latest after this time, e.g. for the next step of a stepwise change. */
  readonly requeueAfterMs?: number
  /** What must have run empty before the resource may go; of kinds that drain. */
  readonly waiting?: Waiting
}

/** Records that wait in topics of the resource, and who works on them. */
export interface Waiting {
  /** Consumer group of the workers. Below its committed positions everything is done, whatever else is in memory or in a journal. */
  readonly group: string
  readonly sources: readonly WaitingSource[]
  /** What is written now has left every source after this time, if nothing is in the way. */
  readonly longestMs: number
}

export interface WaitingSource {
  readonly topic: string
  readonly partitions: number
  /** Others than the workers write to it, also after the resource was deleted. */
  readonly open?: true
  /** Not the workers read it but this group: what it has not read counts as well. */
  readonly readBy?: string
  /** How many records wait here, by the note beside the group's position in the same partition of `topic`; otherwise offsets are counted. */
  readonly counted?: { readonly topic: string; readonly count: (note: string) => number | undefined }
}

export interface TopicIntent {
  readonly name: string
  /** undefined: never create it, only bring its configs in line. */
  readonly create?: { readonly partitions: number; readonly replicationFactor: number }
  /** Wanted at least; growing is a change, shrinking is the kind's to refuse. */
  readonly partitions?: number
  /** Desired configs: a value to set, null to remove the topic's own value. Keys absent here are never touched. */
  readonly configs: Readonly<Record<string, string | null>>
  /** Whether this resource may delete the topic when it is deleted itself with `deletionPolicy: Delete`. */
  readonly owned: boolean
}

export interface WorkerIntent {
  readonly replicas: number
  /** Consumer group of the workers; of a pool, the same for all of its members. */
  readonly group: string
  /** Set when the workers are shared. `input`: the topic whose partitions tell, by the notes beside the group's offsets, whether all tasks run. */
  readonly pool?: { readonly name: string; readonly input: { readonly topic: string; readonly partitions: number } }
  /** Secrets of the namespace that the workers read, beside those of the connection. */
  readonly secrets?: readonly SecretWish[]
  /** The kind's own part of the worker contract, JSON; read back by the kind's `tasks()`. */
  readonly config: unknown
  readonly resources?: PodResources
  readonly podTemplate?: PodTemplate
}

/** A Secret by name, and keys that it must have. Its keys appear as files in a folder of that name below the secrets root of the workers. */
export interface SecretWish {
  readonly name: string
  readonly keys: readonly string[]
}

/** What a resource asks of the pool whose workers it shares. */
export interface PoolWish {
  readonly pool: string
  readonly replicas: number
  readonly resources?: PodResources
  readonly podTemplate?: PodTemplate
}

export interface PodResources {
  readonly requests?: Readonly<Record<string, string>>
  readonly limits?: Readonly<Record<string, string>>
}

export interface PodTemplate {
  readonly nodeSelector?: Readonly<Record<string, string>>
  readonly tolerations?: readonly unknown[]
  readonly affinity?: unknown
  readonly priorityClassName?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  readonly serviceAccountName?: string
}

/** What a resource costs, worked out and not measured: lines for people and the figures behind them. */
export interface Estimate {
  readonly lines: readonly string[]
  readonly data: object
}

/** Content of a PrometheusRule. */
export interface AlertGroup {
  readonly rules: readonly AlertRule[]
}
export interface AlertRule {
  readonly alert: string
  readonly expr: string
  /** Prometheus duration, e.g. `5m`. */
  readonly for: string
  readonly severity: 'critical' | 'warning' | 'info'
  readonly summary: string
  readonly description: string
  readonly runbook: string
}

/**
 * Something that keeps the resource from being what its spec says. `Stalled` will not heal without a change by a human; `NotReady` may;
 * `Warning` is shown but does not change readiness.
 */
export interface Problem {
  readonly severity: 'Stalled' | 'NotReady' | 'Warning'
  readonly reason: Reason
  readonly message: string
}

export interface Warning {
  /** Stable: documentation refers to it. */
  readonly code: string
  readonly topic?: string
  readonly message: string
}

/** One difference between what is and what is wanted: printed by `sluice plan`, reported in Observe, applied otherwise. */
export type Change =
  | {
      readonly type: 'createTopic'
      readonly topic: string
      readonly partitions: number
      readonly replicationFactor: number
      readonly configs: Readonly<Record<string, string>>
    }
  | { readonly type: 'addPartitions'; readonly topic: string; readonly from: number; readonly to: number }
  | { readonly type: 'setConfig'; readonly topic: string; readonly key: string; readonly from: string | null; readonly to: string }
  | { readonly type: 'deleteConfig'; readonly topic: string; readonly key: string; readonly from: string | null }
  | { readonly type: 'deleteTopic'; readonly topic: string }
  | { readonly type: 'applyObject'; readonly object: string; readonly difference: string }
  | { readonly type: 'deleteObject'; readonly object: string }

/** The topics of a cluster that a resource wants to see, and how closely. The engine merges the interests of all resources into few requests. */
export interface Interest {
  readonly topics: TopicMatcher
  readonly configKeys: readonly string[] | 'all'
  readonly sizes: boolean
}
/** Decides by name; must be cheap: it is asked for every topic of the cluster. */
export type TopicMatcher = (topic: string) => boolean

/** Asks how many bytes a lower retention would delete at once. Answered from log dirs and offsets-for-times, for one topic. */
export interface RetentionQuestion {
  readonly topic: string
  readonly retentionMs?: number
  readonly retentionBytesPerPartition?: number
}

/** Asks where a consumer group stands, and where partitions begin and end. */
export interface ReadingQuestion {
  readonly group?: string
  readonly ends?: { readonly topic: string; readonly partitions: number }
}

export type { ResourceRef }
