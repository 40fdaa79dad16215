import type { Commit, TopicPartition } from '../kafka/log.ts'
import { BrokerTime } from './broker-time.ts'
import type { Task, TaskFamily } from './task.ts'
import type { TaskStatus } from './runtime.ts'
import type { TopicIds } from './topic-ids.ts'

/** Outputs of one transaction. Only a backlog fills it, which goes a third faster than with 1,000; 4,000 were no better. */
const BATCH_LIMIT = 2000

/** Why a task was stopped: it stays owned and untouched until someone looks, since going on would lose or double records. */
export type StopReason =
  'OffsetOutOfRange' | 'TopicRecreated' | 'OffsetsExpired' | 'UnknownTopic' | 'AuthorizationFailed' | 'RestoreStalled' | 'TaskFailed'

/** Going on would lose or double records: the task is stopped. */
export class Impossible extends Error {
  readonly reason: StopReason
  /** Written where there is no offset that the reason could be noted beside; never read as a position. */
  readonly standIn: Commit | undefined
  constructor(reason: StopReason, message: string, standIn?: Commit) {
    super(message)
    this.reason = reason
    this.standIn = standIn
  }
}

/** A task and what the kernel knows of it. The one mutable record per owned partition. */
export class Hosted {
  readonly family: TaskFamily
  readonly partition: number
  /** Of the resource, in the contract that it was begun with. */
  readonly generation: number
  #task: Task
  state: 'restoring' | 'running' | 'stopped' = 'restoring'
  reason: StopReason | undefined
  /** What it waits for while restoring, or why it was stopped. */
  message = 'waiting to be restored'
  /** Kafka refused a step of its restore, which is tried again: it may last. */
  hindered = false
  /** Being given up: no new work. */
  leaving = false
  /** Being given up in order: what its calls have brought so far may still be committed. */
  finishing = false
  /** Lets go of each call in flight. */
  readonly calling = new Set<() => void>()
  /** Given up already, as far as the group is concerned: offsets must not be written any more. */
  lost = false
  /** Written under our transactional id. Per source, as the task wrote it. */
  claimed = false
  committed: ReadonlyMap<string, Commit> = new Map()
  /** Of its topics, as they were when it took over, or, of those that it did not find again, as they were noted before. */
  ids: TopicIds = new Map()
  /** Monotonic time at which all of them were last written, moved or not. */
  keptAtMs = 0
  /** Next offset wanted per source. */
  readonly next = new Map<string, number>()
  /** Read on since the ends of its sources were last asked for. */
  readOn = false
  /** Sources that have nothing to read: nobody but this task writes to them, and all that was written has been read. */
  readonly dormant = new Set<string>()
  /** Sources that a transaction writes to which has not committed yet. */
  readonly writing = new Set<string>()
  /** Sources that were not written to since their ends were asked for. */
  readonly asked = new Set<string>()
  /** Sources taken from the reader, with the monotonic time. */
  readonly paused = new Map<string, number>()
  /** Of the broker that leads the partition of the first state topic. */
  readonly brokerTime = new BrokerTime()
  /** Outputs at once; halved to find a record that brokers refuse. */
  limit: number
  /** What that begins at. */
  readonly mostOutputs: number
  /** In a transaction of its own, for the same purpose. */
  alone = false

  constructor(family: TaskFamily, partition: number, generation = 0) {
    this.family = family
    this.partition = partition
    this.generation = generation
    this.mostOutputs = family.mostOutputs ?? BATCH_LIMIT
    this.limit = this.mostOutputs
    this.#task = family.create(partition)
  }

  get task(): Task {
    return this.#task
  }

  /** A restore that begins again must not find half of the last one. */
  renew(): void {
    this.#task = this.family.create(this.partition)
    this.next.clear()
    this.paused.clear()
    this.dormant.clear()
  }

  get active(): boolean {
    return this.state === 'running' && !this.leaving
  }

  /** May have its work committed. */
  get working(): boolean {
    return this.state === 'running' && (!this.leaving || this.finishing)
  }

  /** Not running, and not on its way there by itself. */
  get stuck(): boolean {
    return this.state === 'stopped' || (this.state === 'restoring' && this.hindered)
  }

  get name(): string {
    const { kind, namespace, name } = this.family.resource
    return `${kind}/${namespace}/${name}[${this.partition}]`
  }

  sources(): readonly TopicPartition[] {
    return this.family.sources.map(topic => ({ topic, partition: this.partition }))
  }

  states(): readonly TopicPartition[] {
    return this.family.states.map(topic => ({ topic, partition: this.partition }))
  }

  stop(reason: StopReason, message: string): void {
    this.state = 'stopped'
    this.reason = reason
    this.message = message
    // Overdue: written anew at the next occasion, with the note that nobody works on it.
    this.keptAtMs = -Infinity
  }

  status(): TaskStatus {
    const { kind, namespace, name } = this.family.resource
    const { partition, state, reason, message } = this
    return {
      kind,
      namespace,
      name,
      partition,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(state === 'running' ? {} : { message }),
    }
  }
}
