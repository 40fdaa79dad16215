import type { EpochMs } from '../../api/resource.ts'
import type { LogRecord, Observation, OutgoingRecord } from '../../worker/task.ts'
import type { Batch } from './batch.ts'
import type { TaskView } from './observed.ts'
import type { DeadReason, Item, Source } from './source.ts'
import type { WaitingTopic } from './topics.ts'

/** What the delay engine must know, whatever kind it works for. */
export interface EngineConfig {
  readonly partitions: number
  readonly maxDelayMs: number
  readonly topics: {
    readonly input: string
    readonly fixed: readonly WaitingTopic[]
    readonly tiers: readonly WaitingTopic[]
    readonly journal: string
    /** Absent: the kind gives its messages no ids. */
    readonly ids?: string
  }
  readonly late?: { readonly policy: 'DeadLetter' | 'Drop'; readonly afterMs: number }
  readonly deduplicationMs?: number
  /** Messages a second over all partitions. */
  readonly maxFireRate?: number
}

/** Where a due message goes. Partition -1: by its key. */
export interface Route {
  readonly topic: string
  readonly partition: number
}

/**
 * How a kind speaks to the delay engine: what a record asks for, and how its end is written. Pure, and decided by the record alone: after a crash
 * the same records are read and written again.
 */
export interface Protocol {
  read(source: Source, record: LogRecord): Item
  route(item: Item): Route
  delivered(item: Item, topic: string, partition: number, now: EpochMs): OutgoingRecord
  /** The dead letter topic for this reason. */
  deadLetterTopic(reason: DeadReason): string
  /** @param partitions of that topic. */
  deadLetter(item: Item, reason: DeadReason, partitions: number, now: EpochMs): OutgoingRecord
  /** What a committed batch did, for the metrics of the kind. */
  observations(batch: Batch, now: EpochMs): readonly Observation[]
  gauges(view: TaskView): readonly Observation[]
}
