import type { Clock } from '../api/clock.ts'
import type { KafkaLog } from '../kafka/log.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Caller } from './caller.ts'
import type { Contract } from './contract.ts'
import type { WorkedKind } from './task.ts'

export interface WorkerOptions {
  readonly contract: Contract
  /** The registry of kinds: the kernel knows none by name. */
  readonly kinds: readonly WorkedKind[]
  readonly log: KafkaLog
  /** Absent: tasks that make calls are stopped with the first one. */
  readonly caller?: Caller
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** Of the container; undefined: it has none. */
  readonly memoryLimitBytes?: number | undefined
  /** Tells this process from every other of the group, also from its own earlier lives: part of the transactional id. */
  readonly instanceId: string
}

/** Of the process, and what is amiss: the group has not been joined, tasks are restoring, or were stopped for good. */
export interface Readiness {
  /** True although a resource is stuck, as long as another of the same workers is not. */
  readonly ready: boolean
  readonly reasons: readonly string[]
}

/** One owned partition of one resource. */
export interface TaskStatus {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly partition: number
  readonly state: 'restoring' | 'running' | 'stopped'
  /** Why it was stopped: the named condition, for people. */
  readonly reason?: string
  readonly message?: string
}

export interface Worker {
  /** What runs: what /contract answers. */
  readonly contract: Contract
  /**
   * Other resources than before, in the same group on the same connection: only the tasks of those that came, went or changed are touched. Resolves when
   * what is gone was let go. Never rejects.
   */
  follow(contract: Contract): Promise<void>
  /** The process should live: false after the kernel gave up, when only a restart helps. */
  live(): boolean
  ready(): Readiness
  tasks(): readonly TaskStatus[]
  /** The questions that the kinds of the contract answer, and the answers: what stands at `/<question>`. */
  readonly questions: readonly string[]
  query(question: string, parameters: URLSearchParams): readonly object[]
  /** Stops intake, finishes or aborts the open transaction, releases the partitions, leaves the group. Resolves within `graceMs` (25,000 by default). */
  stop(graceMs?: number): Promise<void>
  /** Resolves when the worker has ended: with nothing after `stop`, with the reason when it gave up (exit non-zero: the platform restarts). */
  readonly ended: Promise<Error | undefined>
}

/** Starts the kernel: joins the group and returns at once; tasks are restored as they are assigned. Rejects when the contract is not valid. */
export type StartWorker = (options: WorkerOptions) => Promise<Worker>

/** Threads of the native client hang: only a signal ends the process, since an exit waits for them. */
export class HungSession extends Error {
  override readonly name: string = 'HungSession'
}
