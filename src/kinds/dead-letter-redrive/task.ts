import type { EpochMs } from '../../api/resource.ts'
import type { Commit, LogRecord, Observation, OutgoingRecord, Proposal, Routing, Task } from '../../worker/task.ts'
import { auditRecord } from './audit.ts'
import type { RedriveConfig } from './config.ts'
import { Draft } from './draft.ts'
import { Handled, markerRecord, readMarker } from './handled.ts'
import { METRIC } from './metrics.ts'
import { Redriven, originPartitionOf, redriveCountOf } from './outgoing.ts'
import { encodeProgress, nothingYet, readProgress } from './progress.ts'
import type { Progress } from './progress.ts'
import { fingerprintIn, selectionOf } from './selection.ts'
import type { Selection } from './selection.ts'
import type { Share } from './share.ts'

/** Read ahead. */
const MOST_WAITING = 4_000
const MOST_WAITING_BYTES = 8 * 1_048_576
/** Of one transaction: it must be sent before it times out. */
const MOST_BYTES = 4 * 1_048_576
const REFUSED_RETRY_MS = 5_000
/** The kernel learns about a topic meanwhile. */
const ROUTING_RETRY_MS = 25
const RECORD_BYTES = 400
/** A header is an array, a string and a buffer. */
const HEADER_BYTES = 200

/** One partition of the dead letters of a pipeline, gone through once from the captured start to the captured end. README.md has the laws. */
export class RedriveTask implements Task {
  readonly #config: RedriveConfig
  readonly #partition: number
  readonly #share: Share
  readonly #selected: Selection
  readonly #redriven: Redriven
  readonly #handled = new Handled()
  /** Offsets that the target refused for good. */
  readonly #refused = new Set<number>()
  readonly #from: number
  readonly #to: number
  #waiting: LogRecord[] = []
  #bytes = 0
  /** Next offset to be read. */
  #read = 0
  /** As committed. */
  #position = 0
  #progress: Progress
  #begun = false
  #draft: Draft | undefined
  #now: EpochMs = 0
  #blockedUntil: EpochMs = 0
  #limited = false
  #pressed = false
  #full = false
  readonly held = new Set<string>()

  constructor(config: RedriveConfig, partition: number, share: Share) {
    this.#config = config
    this.#partition = partition
    this.#share = share
    this.#selected = selectionOf(config.select)
    this.#redriven = new Redriven(config)
    const [from, to] = config.bounds[partition] ?? [0, 0]
    this.#from = from
    this.#to = to
    this.#progress = nothingYet(config.run)
  }

  get bytes(): number {
    return this.#bytes + this.#handled.size * RECORD_BYTES
  }

  restoreFrom(): ReadonlyMap<string, 'earliest'> {
    return new Map([[this.#config.topics.handled, 'earliest']])
  }

  loadState(record: LogRecord): void {
    const marker = readMarker(record)
    if (marker?.topicId === this.#config.topicId && marker.to > this.#from) this.#handled.add(marker)
  }

  /**
   * Goes on where this run committed last. Where another run committed since, it begins at the start again: what it had moved is marked with its name,
   * and is counted, not moved.
   */
  started(committed: ReadonlyMap<string, Commit>): ReadonlyMap<string, number> {
    const { deadLetter } = this.#config.topics
    const commit = committed.get(deadLetter)
    const progress = readProgress(commit?.metadata, this.#config.run)
    this.#begun = progress !== undefined
    this.#progress = progress ?? nothingYet(this.#config.run)
    this.#position = progress === undefined || commit === undefined ? this.#from : commit.offset
    this.#read = this.#position
    this.#share.restored(this.#partition, this.#movedBefore())
    this.#hold()
    return new Map([[deadLetter, this.#position]])
  }

  accept(records: readonly LogRecord[]): void {
    for (const record of records) {
      if (record.offset < this.#read) continue
      this.#read = record.offset + 1
      if (record.offset >= this.#to) continue
      this.#waiting.push(record)
      this.#bytes += bytesOf(record)
    }
    this.#hold()
  }

  caughtUp(_topic: string, offset: number): void {
    if (offset > this.#read) this.#read = offset
    this.#hold()
  }

  pressure(ratio: number): void {
    this.#pressed = ratio >= 1
    this.#hold()
  }

  propose(now: EpochMs, limit: number, routing: Routing): Proposal | undefined {
    this.#now = now
    this.#draft = undefined
    // Further ahead than was ever asked for: the clock was set back.
    if (this.#blockedUntil - now > REFUSED_RETRY_MS) this.#blockedUntil = 0
    if (this.#done || now < this.#blockedUntil || !this.#targetKnown(now, routing)) return undefined
    const allowed = this.#share.available(this.#partition, now)
    const draft = new Draft(this.#progress)
    this.#limited = this.#fill(draft, this.#share.resting(now) ? 0 : allowed, limit, routing) === 'limited'
    draft.next = this.#waiting[draft.taken]?.offset ?? Math.min(this.#read, this.#to)
    draft.done = draft.next >= this.#to || (this.#limited && this.#share.exhausted)
    if (draft.next === this.#position && !draft.done) return undefined
    return this.#seal(draft, now)
  }

  committed({ token }: Proposal, now: EpochMs): readonly Observation[] {
    const draft = token as Draft
    for (const record of this.#waiting.splice(0, draft.taken)) this.#bytes -= bytesOf(record)
    this.#position = draft.next
    this.#progress = draft.progress
    this.#begun = true
    this.#share.spend(this.#partition, draft.moved, now)
    this.#draft = undefined
    this.#hold()
    const labels = { redrive: this.#config.run, pipeline: this.#config.pipeline }
    return draft.outcomes.map(([outcome, value]) => ({ metric: METRIC.records, value, labels: { ...labels, outcome } }))
  }

  /** Too large for the target: it stays a dead letter. Anything else can be repaired: wait for someone who does. */
  rejected(record: OutgoingRecord, code: 'MessageTooLarge' | 'AuthorizationFailed' | 'UnknownTopic'): void {
    const at = this.#draft?.outputs.indexOf(record) ?? -1
    const offset = this.#draft?.movedOffsets[at]
    if (code === 'MessageTooLarge' && offset !== undefined) this.#refused.add(offset)
    else this.#blockedUntil = this.#now + REFUSED_RETRY_MS
  }

  wakeAt(): EpochMs | undefined {
    if (this.#done) return undefined
    if (this.#blockedUntil > this.#now) return this.#blockedUntil
    return this.#limited ? this.#share.nextAt(this.#now) : undefined
  }

  gauges(): readonly Observation[] {
    const labels = { redrive: this.#config.run, pipeline: this.#config.pipeline, partition: String(this.#partition) }
    return [{ metric: METRIC.remaining, value: this.#done ? 0 : this.#to - this.#position, labels }]
  }

  get #done(): boolean {
    return this.#progress.done || this.#from >= this.#to
  }

  /** Of a limit: a dry run leaves no markers, and counts what it would have moved. */
  #movedBefore(): number {
    if (!this.#config.dryRun) return this.#handled.countOf(this.#config.run)
    return [...this.#progress.fingerprints.values()].reduce((sum, count) => sum + count, 0)
  }

  #targetKnown(now: EpochMs, routing: Routing): boolean {
    const { target } = this.#config.topics
    const partitions = target === undefined || this.#config.dryRun ? 1 : routing.partitions(target)
    if (partitions === undefined) this.#blockedUntil = now + ROUTING_RETRY_MS
    if (partitions === 'missing') this.#blockedUntil = now + REFUSED_RETRY_MS
    return typeof partitions === 'number'
  }

  /** `limited`: rate or limit of the run allow no more for now. */
  #fill(draft: Draft, allowed: number, limit: number, routing: Routing): 'limited' | 'taken' {
    const { run, dryRun, maxRedrives, action } = this.#config
    for (const record of this.#waiting) {
      if (draft.size > 0 && (draft.size + 2 > limit || draft.bytes > MOST_BYTES)) return 'taken'
      const marker = this.#handled.at(record.offset)
      if (!this.#selected(record)) draft.pass()
      else if (marker?.run === run) draft.sentBefore(fingerprintIn(record))
      else if (marker !== undefined) draft.leave('handled')
      else if (action === 'Redrive' && redriveCountOf(record) >= maxRedrives) draft.leave('parked')
      else if (this.#refused.has(record.offset)) draft.leave('failed')
      else if (draft.moved >= allowed) return 'limited'
      else draft.move(record.offset, fingerprintIn(record), dryRun ? undefined : this.#output(record, routing), bytesOf(record), dryRun)
      draft.taken++
    }
    return 'taken'
  }

  #output(record: LogRecord, routing: Routing): OutgoingRecord | undefined {
    const { target } = this.#config.topics
    if (target === undefined) return undefined
    const partitions = routing.partitions(target)
    if (typeof partitions !== 'number') throw new Error(`the partitions of ${target} were known a moment ago`)
    const partition = record.key === null ? originPartitionOf(record) % partitions : routing.choose(record.key, partitions)
    return this.#redriven.of(record, partition, this.#now)
  }

  /** Outputs, markers and the position are one transaction. */
  #seal(draft: Draft, now: EpochMs): Proposal {
    const { topics, topicId, run, action, dryRun } = this.#config
    const partition = this.#partition
    const progress = draft.progress
    const outputs = [...draft.outputs]
    for (const range of draft.ranges)
      outputs.push(markerRecord(topics.handled, partition, { ...range, topicId, topic: topics.deadLetter, run, how: action }))
    if (!dryRun && !this.#begun) outputs.push(auditRecord(this.#config, partition, 'Started', progress, now))
    if (!dryRun && draft.done) outputs.push(auditRecord(this.#config, partition, 'Finished', progress, now))
    this.#share.reserve(partition, draft.moved, now)
    this.#draft = draft
    const offset = { topic: topics.deadLetter, partition, offset: draft.next, metadata: encodeProgress(progress) }
    return { outputs, offsets: [offset], token: draft }
  }

  /** Once full, not before most of it is gone: each time that reading goes on, what was fetched meanwhile is fetched again. */
  #hold(): void {
    const share = this.#full ? 1 / 4 : 1
    this.#full = this.#waiting.length >= MOST_WAITING * share || this.#bytes >= MOST_WAITING_BYTES * share
    const rest = this.#full || (this.#pressed && this.#waiting.length > 0) || this.#done || this.#read >= this.#to
    if (rest) this.held.add(this.#config.topics.deadLetter)
    else this.held.delete(this.#config.topics.deadLetter)
  }
}

function bytesOf({ key, value, headers }: LogRecord): number {
  let bytes = RECORD_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
  for (const [name, content] of headers) bytes += HEADER_BYTES + name.length + (content?.length ?? 0)
  return bytes
}
