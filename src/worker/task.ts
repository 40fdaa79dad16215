import type { EpochMs } from '../api/resource.ts'
import type { Commit, LogRecord, OutgoingRecord } from '../kafka/log.ts'
import type { CallOutcome, CallRequest, CallTarget } from './caller.ts'
import type { ContractResource } from './contract.ts'

export type { CallFailureReason, CallOutcome, CallRequest, CallTarget } from './caller.ts'
export type { Commit, LogHeader, LogRecord, OutgoingRecord } from '../kafka/log.ts'

/** What the kernel needs to know of a kind. */
export interface WorkedKind {
  readonly kind: string
  /** Validates the kind's part of the contract and says what its tasks are. Throws with a message for the operator of the worker. */
  tasks(resource: ContractResource, namespace: string): TaskFamily
  /** Further families of the resource, each with an input of its own. */
  moreTasks?(resource: ContractResource, namespace: string): readonly TaskFamily[]
}

/** Tasks of one resource: one per partition of the input topic. */
export interface TaskFamily {
  readonly resource: { readonly kind: string; readonly namespace: string; readonly name: string }
  /** The topic whose partitions the group assigns: owning partition p of it is owning task p. */
  readonly input: string
  /** Topics whose partition p is consumed with committed offsets by task p; the input is the first. Co-partitioned. */
  readonly sources: readonly string[]
  /** Those of the sources whose partition p is written by task p alone: they are not read while they are known to be empty. */
  readonly fed?: readonly string[]
  /** Topics whose partition p is read at restore, from a position to the end captured after fencing. */
  readonly states: readonly string[]
  create(partition: number): Task
  /** Outputs of one transaction; 1,000 when absent. More spares the brokers work for each record, and makes all of them later. */
  readonly mostOutputs?: number
  /** Where the calls of its tasks go, if they make any. */
  readonly calls?: CallTarget
  /** Folds what the tasks counted into the kind's metrics; called by the kernel after each commit. */
  readonly metrics?: readonly TaskMetric[]
  /** What the kind answers over HTTP, by path (`pending`): from memory, without I/O and payloads, and bounded, since the worker does nothing else meanwhile. */
  readonly queries?: Readonly<Record<string, TaskQuery>>
}

/**
 * Where to begin with a source: an offset that must be there, its log start, or an offset if it is still there and else the log start. `unknown`: there is no commit of it, and
 * the states, which were written, do not tell.
 */
export type Start = number | 'earliest' | 'unknown' | { readonly orEarliest: number }

/** A task that runs here. */
export interface OwnedTask {
  readonly partition: number
  /** As `create` made it. */
  readonly task: Task
}

/** Answers with JSON. What it does not understand of the parameters it says in the answer. */
export type TaskQuery = (tasks: readonly OwnedTask[], parameters: URLSearchParams, now: EpochMs) => object

export interface TaskMetric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels?: readonly string[]
  readonly buckets?: readonly number[]
}

/** One observation for a metric that the family declares. */
export interface Observation {
  readonly metric: string
  readonly value: number
  readonly labels?: Readonly<Record<string, string>>
}

/** A second reading of sources, beside the one that `accept` is given: for records further on than a task can keep in memory. */
export interface Search {
  /** Where to begin, by topic of a source; it ends where that topic ends when the kernel begins. */
  readonly from: ReadonlyMap<string, number>
  /** Records of one source in offset order. May come twice after a failure. */
  found(records: readonly LogRecord[]): void
  /** Everything was found. */
  ended(): void
}

/** A call that a task wants to have made. The kernel hands it back with the outcome. */
export interface Call {
  readonly request: CallRequest
}

/**
 * One partition's worth of a kind: single threaded, deterministic, no I/O, no clock. The kernel calls it in this order:
 *
 *     restoreFrom -> loadState* -> started -> ( accept | caughtUp | propose -> commit or abort )* -> dropped
 *
 * `propose` changes nothing that `accept` or a second `propose` can see; `committed` does. So an aborted transaction needs no undo: the same
 * work is proposed again.
 */
export interface Task {
  /** Where to read each state topic from, given the committed offset of each source (undefined: never committed). `earliest` reads all of it. */
  restoreFrom(committed: ReadonlyMap<string, Commit>): ReadonlyMap<string, number | 'earliest'>
  /** A record of a state topic, in offset order per topic. */
  loadState(record: LogRecord): void
  /** Where to start reading each source, now that state is loaded. `stateEnds`: end of each state topic as captured. */
  started(committed: ReadonlyMap<string, Commit>, stateEnds: ReadonlyMap<string, number>, now: EpochMs): ReadonlyMap<string, Start>
  /** Records of one source in offset order. Memory only. */
  accept(records: readonly LogRecord[], now: EpochMs): void
  /** The source's end was reached at `offset`; everything appended before `asOf` has been accepted. */
  caughtUp(topic: string, offset: number, asOf: EpochMs): void
  /** The end of the source was asked for, and lies so many offsets ahead of what was accepted. */
  unread?(topic: string, offsets: number): void
  /** Sources that should not be read further for now (their buffered records wait for a time, or memory is short). */
  readonly held: ReadonlySet<string>
  /** Bytes of records held in memory. */
  readonly bytes: number
  /** The kernel is above its memory budget by this ratio (1 = at the budget): hold sources, shorten horizons. */
  pressure(ratio: number): void
  /**
   * Work that is ready now, at most about `limit` outputs; undefined when there is none. What is due after now but by `dueBy` may be in it as well,
   * with `notBefore` set: the kernel stages it and commits in time. (Left out: `now`.)
   */
  propose(now: EpochMs, limit: number, routing: Routing, dueBy?: EpochMs): Proposal | undefined
  committed(proposal: Proposal, now: EpochMs): readonly Observation[]
  /** The broker refused this record of the last proposal for good (too large, unauthorised, no such topic): dead-letter it next time. */
  rejected(record: OutgoingRecord, code: 'MessageTooLarge' | 'AuthorizationFailed' | 'UnknownTopic', message: string): void
  /**
   * A record of a state topic that the brokers stamp (LogAppendTime) which says nothing. The kernel writes it with the claim, hence before anything else of the task,
   * and now and then while the task is idle: the append times of its own records are what it knows of the brokers' clock.
   */
  stamp?(): OutgoingRecord
  /** What the task wants to have searched now; another object is another wish. At most one at a time. */
  readonly search?: Search | undefined
  /**
   * Calls to begin now, at most `room`: all of them are. Of a task whose family says where calls go. A call that was begun is answered once, or the
   * partition is given up: then its record is not done, and whoever has the partition next calls again.
   */
  calls?(now: EpochMs, room: number): readonly Call[]
  answered?(call: Call, outcome: CallOutcome, now: EpochMs): readonly Observation[]
  /** When `calls` may have something next without new records, answers or commits; not after now: only by one of those. */
  callAt?(now: EpochMs): EpochMs | undefined
  /** When `propose` may have something next without new records; undefined: only after `accept`. */
  wakeAt(): EpochMs | undefined
  /** Gauges for /metrics, read on scrape. */
  gauges(now: EpochMs): readonly Observation[]
}

/** What a task must know of target topics to choose partitions; answered from a cache by the kernel. */
export interface Routing {
  /** Partitions of a topic; 'missing' when it does not exist; undefined while not known yet: leave that record for a later proposal. */
  partitions(topic: string): number | 'missing' | undefined
  /** Partition for a key as Java's default partitioner has it (murmur2); a null key is spread over the partitions. For a topic that `partitions` knows. */
  choose(key: Buffer | null, partitions: number): number
}

/** One task's part of a transaction. */
export interface Proposal {
  readonly outputs: readonly OutgoingRecord[]
  /** Positions of sources, with metadata; the kernel adds its transactional id to the metadata. */
  readonly offsets: readonly Commit[]
  /** The transaction commits then, or later: so no reader sees it earlier. At most the `dueBy` that was asked for. */
  readonly notBefore?: EpochMs
  /** Opaque to the kernel: what `committed` needs to advance. */
  readonly token: unknown
}
