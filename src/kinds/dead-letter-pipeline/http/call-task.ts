import type { EpochMs } from '../../../api/resource.ts'
import type { Call, CallOutcome, Commit, LogRecord, Observation, OutgoingRecord, Proposal, Routing, Task } from '../../../worker/task.ts'
import type { DeadReason } from '../../delay-queue/source.ts'
import type { HttpConfig, PipelineConfig } from '../config.ts'
import type { Context } from '../context.ts'
import { deadLetterOf } from '../dead-letter.ts'
import type { Failure } from '../failure.ts'
import { fingerprintOf } from '../fingerprint.ts'
import { HEADER } from '../header-names.ts'
import type { Judge } from '../judge.ts'
import type { Application, Condition } from './application.ts'
import { firstDelivery, redelivery } from './delivery.ts'
import type { Delivery } from './delivery.ts'
import { Entry, compacted } from './entry.ts'
import type { Ending } from './entry.ts'
import { handedOver } from './handover.ts'
import type { CallFailed } from './handover.ts'
import { decodeNote, encodeNote } from './note.ts'
import type { CallObservations } from './observed.ts'
import { Order } from './order.ts'
import { Progress } from './progress.ts'
import { replyOf } from './reply.ts'
import { requestOf } from './request.ts'
import { readWaited, waitedRecord } from './waited.ts'
import type { Waited } from './waited.ts'

/** Read ahead of the calls. Once full, not before most of it is gone: each time that reading goes on, what was fetched meanwhile is fetched again. */
const MOST_READY = 2_000
const MOST_BYTES = 64 * 1_048_576
/** Below this much in memory, a task reads on whatever the rest of the worker holds. */
const ALWAYS_READ_BYTES = 65_536
/** Of records in one transaction. */
const MOST_OUTPUT_BYTES = 8 * 1_048_576
const REFUSED_RETRY_MS = 5_000
/** The kernel learns about a topic meanwhile. */
const ROUTING_RETRY_MS = 25
/** A position that moved without work (markers) is committed after this: tools that show lag would else show some for ever. */
const TIDY_AFTER_MS = 2_000
/** How often a change of condition is looked for while nothing else is to be committed. */
const CONDITION_AFTER_MS = 1_000

export interface CallTaskParts {
  readonly pipeline: { readonly namespace: string; readonly name: string }
  readonly config: PipelineConfig & { readonly http: HttpConfig }
  /** What it reads: the source, or what comes back on the redelivery topic. */
  readonly topic: string
  readonly application: Application
  readonly judge: Judge
  readonly observations: CallObservations
}

interface EntryCall extends Call {
  readonly entry: Entry
}

/** A failure that is to be written down. */
interface Noted {
  readonly entry: Entry
  readonly waited: Waited
}

interface Draft {
  readonly ended: Entry[]
  readonly noted: Noted[]
  readonly outputs: OutgoingRecord[]
  /** The entry that each output is for. */
  readonly makers: Entry[]
  readonly position: number
  readonly status: string
}

/** One partition of what the application would read: every record is called, and leaves by its answer. README.md has the laws. */
export class CallTask implements Task {
  readonly #parts: CallTaskParts
  readonly #partition: number
  readonly #host: string
  readonly #isSource: boolean
  /** Answered and not committed: a worker that died now would have them called again. As many as may be in flight, so no more than twice those. */
  readonly #mostUncommitted: number
  /** Failures of a key wait here and not in the retry topic. */
  readonly #waitingTopic: string | undefined
  readonly #order: Order
  readonly #restored = new Map<number, Waited>()
  #progress = new Progress(0, '')
  /** Where reading begins is not known before the first record. */
  #anew = false
  #bytes = 0
  #inFlight = 0
  #ended: Entry[] = []
  /** Failed, and waiting: not written down yet. */
  #noted: Noted[] = []
  #draft: Draft | undefined
  #now: EpochMs = 0
  #blockedUntil: EpochMs = 0
  #retryAt: EpochMs = 0
  #tidyAt: EpochMs = Infinity
  #conditionAt: EpochMs = 0
  /** As committed. */
  #status = statusOf('well', '', false)
  #full = false
  #pressed = false
  readonly held = new Set<string>()

  constructor(parts: CallTaskParts, partition: number) {
    this.#parts = parts
    this.#partition = partition
    const { http } = parts.config
    this.#host = new URL(http.target.url).host
    this.#mostUncommitted = http.target.maxInFlight
    this.#isSource = parts.topic === http.source
    this.#waitingTopic = this.#isSource ? http.waitingTopic : undefined
    this.#order = new Order(this.#waitingTopic !== undefined)
  }

  get bytes(): number {
    return this.#bytes
  }

  restoreFrom(): ReadonlyMap<string, 'earliest'> {
    return new Map(this.#waitingTopic === undefined ? [] : [[this.#waitingTopic, 'earliest']])
  }

  loadState(record: LogRecord): void {
    const [offset, waited] = readWaited(record)
    if (waited === undefined) this.#restored.delete(offset)
    else this.#restored.set(offset, waited)
  }

  started(committed: ReadonlyMap<string, Commit>): ReadonlyMap<string, number | 'earliest'> {
    const { topic } = this.#parts
    const commit = committed.get(topic)
    this.#anew = commit === undefined
    if (commit === undefined) return new Map([[topic, 'earliest']])
    const note = decodeNote(commit.metadata)
    this.#progress = new Progress(commit.offset, note?.finished ?? '')
    if (note !== undefined) this.#status = statusOf(note.condition, note.lastError, note.full)
    for (const offset of this.#restored.keys()) if (offset < commit.offset) this.#restored.delete(offset)
    return new Map([[topic, commit.offset]])
  }

  accept(records: readonly LogRecord[]): void {
    for (const record of records) {
      this.#beginsAt(record.offset)
      if (!this.#progress.accept(record.offset)) continue
      // Those in order may wait here for long.
      const entry = new Entry(this.#waitingTopic === undefined ? record : compacted(record), this.#restored.get(record.offset))
      this.#restored.delete(record.offset)
      this.#bytes += entry.bytes
      this.#order.add(entry)
    }
    this.#hold()
  }

  caughtUp(_topic: string, offset: number, asOf: EpochMs): void {
    this.#beginsAt(offset)
    this.#progress.skipTo(offset)
    if (this.#tidyAt === Infinity && this.#progress.lowest !== this.#progress.position) this.#tidyAt = asOf + TIDY_AFTER_MS
  }

  pressure(ratio: number): void {
    this.#pressed = ratio >= (this.#pressed ? 0.9 : 1)
    this.#hold()
  }

  calls(now: EpochMs, room: number): readonly Call[] {
    const { application, config, pipeline } = this.#parts
    if (this.#stuck(now)) return []
    this.#order.wake(now)
    const most = Math.min(room, application.room(now), this.#mostUncommitted - this.#ended.length)
    const calls: EntryCall[] = []
    while (calls.length < most) {
      const next = this.#order.peek()
      if (next === undefined || !this.#progress.canNote(next.record.offset, this.#order.blocked + this.#inFlight)) break
      this.#order.take()
      this.#inFlight += 1
      calls.push({ request: requestOf(this.#deliveryOf(next), { ...pipeline, maxAttempts: config.maxAttempts }), entry: next })
    }
    if (calls.length > 0) application.began(now)
    this.#hold()
    return calls
  }

  answered(call: Call, outcome: CallOutcome, now: EpochMs): readonly Observation[] {
    const { entry } = call as EntryCall
    const { application, observations } = this.#parts
    this.#inFlight -= 1
    const reply = replyOf(outcome, this.#host, now)
    if (reply.type === 'done') {
      application.succeeded(now)
      this.#end(entry, { type: 'done' })
    } else if (reply.type === 'forbidden') {
      application.forbidden(reply.errorClass, now)
      this.#order.hold(entry)
    } else this.#failed(entry, reply, now)
    return observations.called(outcome)
  }

  callAt(now: EpochMs): EpochMs | undefined {
    const { ready, waitingKeys } = this.#order
    if (this.#ended.length >= this.#mostUncommitted || ready + waitingKeys === 0) return undefined
    const readyAt = ready > 0 ? 0 : this.#order.firstDue()
    return Math.max(readyAt, this.#parts.application.roomAt(now) ?? 0, this.#blockedUntil)
  }

  propose(now: EpochMs, limit: number, routing: Routing): Proposal | undefined {
    this.#retract()
    this.#now = now
    this.#retryAt = 0
    // Further ahead than was ever asked for: the clock was set back.
    if (this.#blockedUntil - now > REFUSED_RETRY_MS) this.#blockedUntil = 0
    if (this.#stuck(now)) return undefined
    const drafted = this.#take(limit, routing)
    const status = this.#statusAt(now)
    const tidy = now >= this.#tidyAt && this.#progress.lowest !== this.#progress.position
    if (drafted.ended.length === 0 && drafted.noted.length === 0 && status === this.#status && !tidy) {
      if (now >= this.#tidyAt) this.#tidyAt = Infinity
      return undefined
    }
    const { offset, finished } = this.#progress.place(drafted.highest)
    const draft: Draft = { ...drafted, position: offset, status }
    this.#draft = draft
    const commit = { topic: this.#parts.topic, partition: this.#partition, offset, metadata: this.#note(now, finished) }
    return { outputs: draft.outputs, offsets: [commit], token: draft }
  }

  committed({ token }: Proposal): readonly Observation[] {
    const draft = token as Draft
    this.#draft = undefined
    for (const entry of draft.ended) {
      this.#progress.finish(entry.record.offset)
      this.#bytes -= entry.bytes
    }
    const gone = new Set(draft.ended)
    this.#ended = this.#ended.filter(entry => !gone.has(entry))
    const written = new Set(draft.noted)
    this.#noted = this.#noted.filter(noted => !written.has(noted))
    this.#progress.committed(draft.position)
    this.#status = draft.status
    this.#tidyAt = Infinity
    this.#hold()
    return this.#parts.observations.ended(draft.ended)
  }

  /** What the retry topic cannot take becomes a dead letter; what that cannot take sheds what is long; beyond that nothing may be dropped, so wait. */
  rejected(record: OutgoingRecord, code: 'MessageTooLarge' | 'AuthorizationFailed' | 'UnknownTopic', message: string): void {
    const entry = this.#draft?.makers[this.#draft.outputs.indexOf(record)]
    const type = entry?.ending?.type
    if (code !== 'MessageTooLarge' || entry === undefined || (type !== 'handedOver' && (type !== 'dead' || entry.brief))) {
      this.#blockedUntil = this.#now + REFUSED_RETRY_MS
      return
    }
    if (type === 'dead') entry.brief = true
    else entry.ending = { type: 'dead', reason: tooLarge(record.topic, message) }
  }

  wakeAt(): EpochMs | undefined {
    const ready = this.#ended.length + this.#noted.length > 0 ? this.#retryAt : Infinity
    const at = Math.max(Math.min(ready, this.#tidyAt, this.#conditionAt), this.#blockedUntil)
    return at === Infinity ? undefined : at
  }

  gauges(): readonly Observation[] {
    const { topic, application, observations } = this.#parts
    return observations.gauges({
      topic,
      partition: this.#partition,
      inFlight: this.#inFlight,
      open: application.open,
      waitingKeys: this.#order.waitingKeys,
      blocked: this.#order.blocked,
      full: this.#full,
      ordered: this.#waitingTopic !== undefined,
    })
  }

  /** A topic that must be written cannot be: whatever is called now would be called again. */
  #stuck(now: EpochMs): boolean {
    return now < this.#blockedUntil
  }

  /** Without a committed position, the log may begin anywhere. */
  #beginsAt(offset: number): void {
    if (!this.#anew) return
    this.#anew = false
    this.#progress = new Progress(offset, '')
  }

  #deliveryOf({ record, waited }: Entry): Delivery {
    const { group } = this.#parts.config
    if (!this.#isSource) return redelivery(record, group)
    const first = firstDelivery(record, group)
    if (waited === undefined) return first
    const told = new Map([
      [HEADER.firstFailureAt, Buffer.from(String(waited.firstFailureMs))],
      [HEADER.errorClass, Buffer.from(waited.errorClass)],
      [HEADER.errorCode, Buffer.from(waited.code)],
    ])
    return { ...first, attempt: waited.made + 1, told }
  }

  #end(entry: Entry, ending: Ending): void {
    entry.ending = ending
    this.#ended.push(entry)
    this.#order.over(entry)
  }

  #failed(entry: Entry, failed: CallFailed, now: EpochMs): void {
    const { application, judge, config } = this.#parts
    const { record } = entry
    const failure = this.#failureOf(entry, failed)
    if (judge.isFinal(failure, record.headers)) application.succeeded(now)
    else if (application.failed(failed.errorClass, now)) {
      this.#order.hold(entry)
      return
    }
    if (this.#waitingTopic === undefined || record.key === null || record.key.length === 0) {
      const partition = this.#partition % config.partitions
      this.#end(entry, { type: 'handedOver', output: handedOver(this.#deliveryOf(entry), failed, config.topics.retry, partition) })
      return
    }
    const place = `${record.topic}/${record.partition}/${record.offset}/${failure.made ?? 0}`
    const decision = judge.decide(failure, record.headers, { atMs: now, place })
    const { errorClass, code, message } = failed
    const waited = { made: failure.made ?? 1, firstFailureMs: failure.firstFailureMs ?? now, lastFailureMs: now, errorClass, code, message }
    if (typeof decision === 'number') {
      entry.waited = { ...waited, dueMs: decision }
      this.#noted.push({ entry, waited: entry.waited })
      this.#order.wait(entry, decision)
    } else {
      entry.waited = { ...waited, dueMs: now }
      this.#end(entry, decision === 'drop' ? { type: 'dropped' } : { type: 'dead', reason: decision })
    }
  }

  #failureOf(entry: Entry, { errorClass, code, message, retryAfterMs }: CallFailed): Failure {
    const { attempt, origin } = this.#deliveryOf(entry)
    return {
      made: attempt,
      firstFailureMs: entry.waited?.firstFailureMs,
      deadlineMs: undefined,
      retryAfterMs,
      rejected: false,
      errorClass,
      message,
      code,
      stack: '',
      fingerprint: '',
      origin,
    }
  }

  #take(limit: number, routing: Routing): Pick<Draft, 'ended' | 'noted' | 'outputs' | 'makers'> & { readonly highest: number } {
    const drafted = { ended: [] as Entry[], noted: [] as Noted[], outputs: [] as OutgoingRecord[], makers: [] as Entry[], highest: -1 }
    let bytes = 0
    const write = (entry: Entry, output: OutgoingRecord): void => {
      drafted.outputs.push(output)
      drafted.makers.push(entry)
      bytes += entry.bytes
    }
    for (const entry of this.#ended) {
      if (drafted.outputs.length + 1 >= Math.max(2, limit) || bytes > MOST_OUTPUT_BYTES) break
      const output = this.#outputOf(entry, routing)
      if (output === 'later') {
        this.#retryAt = this.#now + ROUTING_RETRY_MS
        // Later ones of the same partition of the dead letters stay behind it.
        if (this.#waitingTopic === undefined) continue
        break
      }
      if (output !== undefined) write(entry, output)
      if (this.#waitingTopic !== undefined && entry.waited !== undefined) write(entry, this.#stateOf(entry, undefined))
      this.#progress.propose(entry.record.offset)
      drafted.ended.push(entry)
      drafted.highest = Math.max(drafted.highest, entry.record.offset)
    }
    for (const noted of this.#noted) {
      const { entry, waited } = noted
      if (drafted.outputs.length + 1 >= Math.max(2, limit)) break
      if (entry.ending === undefined) write(entry, this.#stateOf(entry, waited))
      drafted.noted.push(noted)
    }
    return drafted
  }

  #outputOf(entry: Entry, routing: Routing): OutgoingRecord | undefined | 'later' {
    const { ending } = entry
    if (ending?.type === 'handedOver') return ending.output
    return ending?.type === 'dead' ? this.#deadLetter(entry, ending.reason, routing) : undefined
  }

  #deadLetter(entry: Entry, reason: DeadReason, routing: Routing): OutgoingRecord | 'later' {
    const { config, judge } = this.#parts
    const topic = reason.topic ?? config.topics.deadLetter
    const partitions = routing.partitions(topic)
    if (partitions === undefined || partitions === 'missing') return 'later'
    const { record, waited, brief } = entry
    const { attempt, origin } = this.#deliveryOf(entry)
    const { errorClass = '', code = '', message = '', lastFailureMs = this.#now, firstFailureMs = this.#now, made = attempt } = waited ?? {}
    const failed = { type: 'failed' as const, errorClass, code, message, retryAfterMs: undefined }
    const failure: Failure = { ...this.#failureOf(entry, failed), fingerprint: fingerprintOf(errorClass, message, '') }
    const context: Context = {
      failure,
      attempt: made,
      maxAttempts: config.maxAttempts,
      firstFailureMs,
      lastFailureMs,
      deadlineMs: judge.deadlineMs(failure, firstFailureMs),
      origin,
      brief,
    }
    return deadLetterOf({ record, headerCount: record.headers.length, context, reason, topic, partitions, now: this.#now }, config)
  }

  #stateOf({ record }: Entry, waited: Waited | undefined): OutgoingRecord {
    return waitedRecord(this.#waitingTopic ?? '', this.#partition, record.offset, waited)
  }

  /** What the operator shows; a change of it alone is worth a commit. */
  #statusAt(now: EpochMs): string {
    const { application } = this.#parts
    const condition = application.condition(now)
    this.#conditionAt = condition === 'well' && this.#order.ready + this.#inFlight === 0 ? Infinity : now + CONDITION_AFTER_MS
    return statusOf(condition, application.lastError, this.#full)
  }

  #note(now: EpochMs, finished: string): string {
    const { application } = this.#parts
    const condition = application.condition(now)
    const lastError = condition === 'well' ? '' : application.lastError
    return encodeNote({ condition, lastError, blocked: this.#order.blocked, full: this.#full, finished })
  }

  /** The last proposal did not commit: everything in it is to be proposed again. */
  #retract(): void {
    for (const entry of this.#draft?.ended ?? []) this.#progress.retract(entry.record.offset)
    this.#draft = undefined
  }

  #hold(): void {
    const { topic } = this.#parts
    const share = this.held.has(topic) ? 1 / 4 : 1
    const next = this.#order.peek()
    const farAhead = next !== undefined && !this.#progress.canNote(next.record.offset, this.#order.blocked + this.#inFlight)
    const crowded = this.#bytes >= MOST_BYTES * share || (this.#pressed && this.#bytes > ALWAYS_READ_BYTES)
    this.#full = (farAhead || (crowded && this.#order.ready === 0)) && this.#order.blocked > 0
    if (crowded || farAhead || this.#order.ready >= MOST_READY * share) this.held.add(topic)
    else this.held.delete(topic)
  }
}

const statusOf = (condition: Condition, lastError: string, full: boolean): string =>
  `${condition} ${condition === 'well' ? '' : lastError} ${String(full)}`

const tooLarge = (topic: string, message: string): DeadReason => ({
  disposition: 'too-large',
  code: 'MessageTooLarge',
  message: `${topic} refused the record: ${message}`,
})
