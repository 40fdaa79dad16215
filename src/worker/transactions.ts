import type { Clock } from '../api/clock.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { Commit, GroupConsumer, OutgoingRecord, TransactionalProducer } from '../kafka/log.ts'
import type { Logger } from '../observability/logger.ts'
import type { Doorbell } from './doorbell.ts'
import type { Hosted } from './hosted.ts'
import { LONGEST_LEAD_MS, Lead } from './lead.ts'
import { encodeOwnership } from './metadata.ts'
import { encodeIds } from './topic-ids.ts'
import type { WorkerMetrics } from './metrics.ts'
import { blame, isRefusal } from './refusals.ts'
import type { Entry } from './refusals.ts'
import type { Proposal, Routing, TaskFamily } from './task.ts'
import { Turns } from './turns.ts'

const OFFSETS_TIMEOUT_MS = 10_000
const COMMIT_TIMEOUT_MS = 15_000
const ABORT_TIMEOUT_MS = 10_000
const LONGEST_SLEEP_MS = 60_000
/** A task that says it may have something, and has not (a target's partitions are being asked): not so soon again. */
const NOTHING_DUE_MS = 5
const LONGEST_BACKOFF_MS = 1000
/**
 * Brokers forget offsets of topics that no member subscribes to, as all but the inputs are, a week after they were written (`offsets.retention.minutes`),
 * though the group is alive (seen on Kafka 4.1). So those that do not move are written again.
 */
const KEEP_OFFSETS_MS = 600_000
/** Of records in one transaction, over all tasks: it must be sent before it times out. */
const MOST_BYTES = 16 * 1_048_576
/** Of transactions in which what is ready before a partition is given up is committed: a group waits for them. */
const MOST_FLUSHES = 5
/** The answer to a record may come after that to the commit. Without any, the topic does not have the brokers' time. */
const LONGEST_STAMP_WAIT_MS = 100
const NOTHING: Proposal = { outputs: [], offsets: [], token: undefined }
/** Transactions that fail for so long on end are not a hiccup: start the session anew. */
const FAILING_FOR_MS = 60_000

export interface TransactionsOptions {
  readonly producer: TransactionalProducer
  readonly transactionalId: string
  readonly member: () => GroupConsumer
  readonly tasks: () => readonly Hosted[]
  readonly routing: Routing
  readonly bell: Doorbell
  readonly clock: Clock
  readonly metrics: WorkerMetrics
  readonly logger: Logger
  /** The task is about to write these: called before the first of them may be in a log. */
  readonly writing?: (hosted: Hosted, outputs: readonly OutgoingRecord[]) => void
  /** The task advanced: what it holds or wants to read may have changed. */
  readonly advanced: (hosted: Hosted) => void
  readonly stop: (hosted: Hosted, error: unknown) => void
  /** The producer is of no more use, or the outcome of a transaction is unknown: nothing of this session may go on. */
  readonly failed: (error: Error) => void
}

/** Positions of one task. */
export interface OffsetsOf {
  readonly hosted: Hosted
  readonly offsets: readonly Commit[]
}

/** undefined: committed. Otherwise nothing happened, and the same may be tried again. */
type Outcome = KafkaError | undefined

/**
 * The one writer of a worker. Work of all tasks that is ready goes into one transaction; while it commits, tasks accept records, so the next one is
 * larger under load and a lone record commits at once.
 */
export class Transactions {
  readonly #with: TransactionsOptions
  #tail: Promise<unknown> = Promise.resolve()
  readonly #turns = new Turns()
  #stopping = false
  #broken = false
  readonly #lead = new Lead()
  #failures = 0
  #failingSince = 0

  constructor(options: TransactionsOptions) {
    this.#with = options
  }

  /** Resolves after `stop`, or when the session failed. */
  async run(): Promise<void> {
    try {
      while (!this.#stopping && !this.#broken) {
        const outcome = await this.#exclusive(() => this.#next())
        // Idle ends a row of failures too: what failed is gone with its partition, or is put off by its task.
        if (outcome === 'idle' || outcome === undefined) this.#failures = 0
        if (outcome === 'idle') await this.#with.bell.wait(this.#idleMs())
        else if (outcome !== undefined) await this.#backOff(outcome)
      }
    } catch (error) {
      this.#with.failed(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** No further work is taken; resolves when the transaction in flight is settled. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#with.bell.ring()
    await this.#tail
  }

  /** Commits what is ready now, and no more than that: before partitions are given up. */
  async flush(): Promise<void> {
    for (let rounds = 0; rounds < MOST_FLUSHES; rounds += 1) {
      if ((await this.#exclusive(() => this.#next())) !== undefined) return
    }
  }

  /** Nothing is written any more: offsets of a partition that is no longer ours would pass under a later generation. */
  abandon(): void {
    this.#broken = true
    this.#with.bell.ring()
  }

  /** Resolves when everything that was begun before is settled. */
  async settled(): Promise<void> {
    await this.#tail
  }

  /** Writes offsets alone. Rejects when it did not happen. */
  async writeOffsets(parts: readonly OffsetsOf[], released: boolean): Promise<void> {
    const offsets = parts.flatMap(part => this.#owned(part, released))
    const error = await this.#exclusive(() => this.#transact([], offsets))
    if (error !== undefined) throw error
  }

  /**
   * Writes where the task begins, under our name, and has the brokers stamp that, so that their clock is known before the first output. Rejects when it did not
   * happen.
   */
  async claim(hosted: Hosted, offsets: readonly Commit[]): Promise<void> {
    const { clock } = this.#with
    const stamp = hosted.task.stamp?.()
    const entry: Entry = { hosted, proposal: NOTHING, stamp, offsets: this.#owned({ hosted, offsets }, false), refused: undefined }
    const error = await this.#exclusive(() => this.#transact([entry], entry.offsets))
    if (error !== undefined) throw error
    const waitUntilMs = clock.monotonicMs() + LONGEST_STAMP_WAIT_MS
    while (stamp !== undefined && !hosted.brokerTime.known && clock.monotonicMs() < waitUntilMs) await clock.sleep(1)
  }

  #exclusive<Answer>(action: () => Promise<Answer>): Promise<Answer> {
    const answer = this.#tail.then(action)
    this.#tail = answer.catch(() => undefined)
    return answer
  }

  async #next(): Promise<Outcome | 'idle'> {
    if (this.#stopping || this.#broken) return 'idle'
    const entries = this.#gather()
    if (entries.length === 0) return 'idle'
    for (const { hosted, proposal } of entries) this.#with.writing?.(hosted, proposal.outputs)
    const error = await this.#transact(
      entries,
      entries.flatMap(entry => entry.offsets),
    )
    if (error === undefined) for (const entry of entries) this.#advance(entry)
    else blame(entries, this.#with.producer.refusals(), this.#with.logger)
    return error
  }

  #gather(): readonly Entry[] {
    const hosted = this.#with.tasks().filter(({ claimed, leaving, finishing }) => claimed && (!leaving || finishing))
    const entries: Entry[] = []
    const taken = new Map<TaskFamily, number>()
    let room = hosted.reduce((most, { mostOutputs }) => Math.max(most, mostOutputs), 0)
    let bytes = 0
    for (const { tasks, rivals } of this.#turns.next(hosted)) {
      const leave = room - Math.ceil(room / (1 + rivals))
      const mostBytes = bytes + (MOST_BYTES - bytes) / (1 + rivals)
      for (const each of tasks) {
        if (room <= leave || bytes >= mostBytes) break
        if (each.alone && entries.length > 0) continue
        const entry = this.#propose(each, Math.min(each.limit, room - leave))
        if (entry === undefined) continue
        entries.push(entry)
        const { outputs } = entry.proposal
        room -= outputs.length
        taken.set(each.family, (taken.get(each.family) ?? 0) + outputs.length)
        for (const { value } of outputs) bytes += value?.length ?? 0
      }
      if (entries[0]?.hosted.alone === true) break
    }
    this.#turns.took(taken)
    return entries
  }

  #propose(hosted: Hosted, limit: number): Entry | undefined {
    const { clock, routing } = this.#with
    const { active, working, task, brokerTime } = hosted
    try {
      const now = brokerTime.now(clock)
      const proposal = working ? task.propose(now, limit, routing, now + this.#lead.ms) : undefined
      const stamp = active && proposal === undefined && brokerTime.isStale(clock) ? task.stamp?.() : undefined
      const writes = proposal !== undefined || stamp !== undefined
      const offsets = this.#kept(hosted, writes ? this.#gated(hosted, proposal?.offsets ?? []) : [])
      if (!writes && offsets.length === 0) return undefined
      return {
        hosted,
        proposal: proposal ?? NOTHING,
        stamp,
        offsets: this.#owned({ hosted, offsets }, hosted.state === 'stopped'),
        refused: undefined,
      }
    } catch (error) {
      this.#with.stop(hosted, error)
      return undefined
    }
  }

  /** Offsets carry the generation: work without any would pass the fence, so it commits its input's position again. */
  #gated(hosted: Hosted, offsets: readonly Commit[]): readonly Commit[] {
    const input = hosted.committed.get(hosted.family.input)
    return offsets.length > 0 || input === undefined ? offsets : [input]
  }

  /** From time to time all offsets of the task, those that stand still too. */
  #kept(hosted: Hosted, moved: readonly Commit[]): readonly Commit[] {
    if (this.#with.clock.monotonicMs() - hosted.keptAtMs < KEEP_OFFSETS_MS) return moved
    const topics = new Set(moved.map(({ topic }) => topic))
    return [...moved, ...[...hosted.committed.values()].filter(({ topic }) => !topics.has(topic))]
  }

  #owned({ hosted, offsets }: OffsetsOf, released: boolean): readonly Commit[] {
    const { transactionalId } = this.#with
    const { generation, reason, message, family, ids } = hosted
    const { input, sources, states } = family
    const stopped = reason && { reason, message }
    // Of an input that was deleted Kafka forgets the offset: then another one tells the operator.
    const telling = offsets.find(({ topic }) => topic === family.input) ?? offsets[0]
    return offsets.map(commit => ({
      ...commit,
      metadata: encodeOwnership({
        transactionalId,
        released,
        task: commit.metadata,
        generation,
        ids: encodeIds(commit.topic === input ? [...sources, ...states] : [commit.topic, input], ids),
        stopped: commit === telling ? stopped : undefined,
      }),
    }))
  }

  async #transact(entries: readonly Entry[], offsets: readonly Commit[]): Promise<Outcome> {
    const { producer, clock, metrics } = this.#with
    if (this.#broken) return new KafkaError('Fenced', 'this session is over', { retriable: false })
    const beganMs = clock.monotonicMs()
    let committing = false
    let heldMs: number
    try {
      await producer.begin()
      for (const entry of entries) this.#send(entry)
      // Checked in the same turn in which the offsets are handed over: a partition that was lost meanwhile must not be written.
      this.#checkOwned(entries)
      await producer.sendOffsets(offsets, this.#with.member(), OFFSETS_TIMEOUT_MS)
      this.#lead.staged(clock.monotonicMs() - beganMs)
      heldMs = await this.#due(entries)
      committing = true
      await producer.commit(COMMIT_TIMEOUT_MS)
    } catch (error) {
      return this.#settle(error, committing)
    }
    metrics.transactionSeconds.observe((clock.monotonicMs() - beganMs - heldMs) / 1000)
    if (heldMs > 0) metrics.holdSeconds.observe(heldMs / 1000)
    metrics.transactions.inc({ outcome: 'committed' })
    return undefined
  }

  #checkOwned(entries: readonly Entry[]): void {
    if (!this.#broken && !entries.some(({ hosted }) => hosted.lost)) return
    throw new KafkaError('RebalanceInProgress', 'a partition was lost', { retriable: true })
  }

  /** Until the clock says that everything in it is due; a revocation or a stop waits no longer for it than for any transaction. Returns how long that was. */
  async #due(entries: readonly Entry[]): Promise<number> {
    const { clock } = this.#with
    const beganMs = clock.monotonicMs()
    const giveUpAtMs = beganMs + 2 * LONGEST_LEAD_MS
    for (let leftMs = this.#untilDueMs(entries); leftMs > 0; leftMs = this.#untilDueMs(entries)) {
      if (clock.monotonicMs() >= giveUpAtMs)
        throw new KafkaError('Timeout', 'the clock was set back during a transaction', { retriable: true })
      await clock.sleep(Math.min(leftMs, LONGEST_LEAD_MS))
      this.#checkOwned(entries)
    }
    return clock.monotonicMs() - beganMs
  }

  #untilDueMs(entries: readonly Entry[]): number {
    let leftMs = -Infinity
    for (const { proposal, hosted } of entries) {
      if (proposal.notBefore !== undefined) leftMs = Math.max(leftMs, proposal.notBefore - hosted.brokerTime.now(this.#with.clock))
    }
    return leftMs
  }

  #send(entry: Entry): void {
    const { producer } = this.#with
    const { stamp, proposal } = entry
    let current: OutgoingRecord | undefined
    try {
      const timed = this.#timed(entry)
      for (const output of stamp === undefined ? proposal.outputs : [stamp, ...proposal.outputs]) {
        current = output
        producer.send(output, output === timed ? this.#stamping(entry.hosted) : undefined)
      }
    } catch (error) {
      // Others are innocent: the transaction had failed already, for a record that went out before.
      if (error instanceof KafkaError && isRefusal(error.code)) entry.refused = current
      throw error
    }
  }

  /** The record whose append time tells of the brokers' clock. */
  #timed({ hosted, stamp, proposal }: Entry): OutgoingRecord | undefined {
    const [state] = hosted.family.states
    if (stamp !== undefined || !hosted.brokerTime.wantsStamp(this.#with.clock)) return stamp
    return proposal.outputs.findLast(({ topic }) => topic === state)
  }

  #stamping({ brokerTime }: Hosted): (appendedMs: number) => void {
    const { clock } = this.#with
    brokerTime.asked(clock)
    const sentAtMs = clock.monotonicMs()
    return appendedMs => {
      brokerTime.stamped({ sentAtMs, answeredAtMs: clock.monotonicMs(), appendedMs })
    }
  }

  /** Aborts; when that is not possible or would guess, the session ends: the next one reads what was committed. */
  async #settle(cause: unknown, committing: boolean): Promise<KafkaError> {
    const error = cause instanceof KafkaError ? cause : new KafkaError('Unexpected', String(cause), { retriable: false, cause })
    const { producer, metrics, failed } = this.#with
    try {
      if (error.code === 'Fenced' || (committing && !error.retriable)) throw error
      await producer.abort(ABORT_TIMEOUT_MS)
      metrics.transactions.inc({ outcome: 'aborted' })
    } catch (failure) {
      this.#broken = true
      metrics.transactions.inc({ outcome: 'failed' })
      failed(failure instanceof Error ? failure : error)
    }
    return error
  }

  #advance({ hosted, proposal, offsets }: Entry): void {
    const { clock, metrics, advanced, stop } = this.#with
    if (offsets.length >= hosted.committed.size) hosted.keptAtMs = clock.monotonicMs()
    if (proposal === NOTHING) return
    metrics.recordsWritten.inc({}, proposal.outputs.length)
    hosted.committed = new Map([...hosted.committed, ...proposal.offsets.map(commit => [commit.topic, commit] as const)])
    if (hosted.limit < hosted.mostOutputs) hosted.limit = Math.min(hosted.mostOutputs, hosted.limit * 2)
    else hosted.alone = false
    try {
      metrics.record(hosted.task.committed(proposal, hosted.brokerTime.now(clock)))
      advanced(hosted)
    } catch (error) {
      stop(hosted, error)
    }
  }

  #idleMs(): number {
    let inMs = Infinity
    for (const { active, task, brokerTime } of this.#with.tasks())
      if (active) inMs = Math.min(inMs, (task.wakeAt() ?? Infinity) - brokerTime.now(this.#with.clock))
    if (inMs <= 0) return NOTHING_DUE_MS
    const leadMs = this.#lead.ms
    // Within the lead already and yet nothing was proposed: not everything that a task waits for can be staged.
    return inMs <= leadMs ? Math.min(NOTHING_DUE_MS, inMs) : Math.min(LONGEST_SLEEP_MS, Math.max(1, inMs - leadMs))
  }

  async #backOff(error: KafkaError): Promise<void> {
    const { clock, logger, failed } = this.#with
    this.#failures += 1
    if (this.#failures === 1) this.#failingSince = clock.monotonicMs()
    // librdkafka fails the transaction after a refused one once, to renew its epoch: so the first failure is tried again at once.
    if (this.#failures === 1 || this.#broken) return
    logger.warn({ code: error.code, failures: this.#failures, error }, 'a transaction was aborted and is tried again')
    if (clock.monotonicMs() - this.#failingSince > FAILING_FOR_MS) {
      this.#broken = true
      failed(error)
      return
    }
    await clock.sleep(Math.min(LONGEST_BACKOFF_MS, 2 ** Math.min(this.#failures, 10)))
  }
}
