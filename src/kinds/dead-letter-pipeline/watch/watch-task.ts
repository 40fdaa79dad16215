import type { EpochMs } from '../../../api/resource.ts'
import type { Commit, LogRecord, Observation, Proposal, Start, Task } from '../../../worker/task.ts'
import { readMarker } from '../../dead-letter-redrive/handled.ts'
import { fingerprintIn } from '../../dead-letter-redrive/selection.ts'
import { METRIC } from '../metrics.ts'
import { decodeNote, encodeNote, MOST_KNOWN, shortened } from './note.ts'
import { Unhandled } from './unhandled.ts'

export interface WatchConfig {
  /** `<namespace>/<name>`. */
  readonly pipeline: string
  readonly deadLetter: string
  readonly handled: string
  readonly retentionMs: number
}

/** A note that is older than what it tells of costs little; a transaction for each dead letter would. */
const NOTE_EVERY_MS = 10_000
/** Beyond it a partition is not read further: the counts are then the least that there are. */
const MOST_UNHANDLED = 500_000
/** Reading a long topic must not be all that the worker does. */
const MOST_AT_ONCE = 5_000
const REST_MS = 500

/**
 * Watches one partition of the dead letters and what was handled of it, writes nothing but a note beside its offset. After a restart it reads from
 * the first dead letter that nobody has handled, and all that was ever written down as handled.
 */
export class WatchTask implements Task {
  readonly #config: WatchConfig
  readonly #partition: number
  #unhandled = new Unhandled()
  #read = 0
  /** Noted for whoever looks at the lag of the group: a restart reads all of it. */
  #readHandled = 0
  readonly #atEnd = new Set<string>()
  #known = new Set<string>()
  #newestMs: EpochMs | undefined
  /** As committed. */
  #noted = ''
  #notedAt = -Infinity
  #takenInARow = 0
  #restUntil: EpochMs | undefined
  #now: EpochMs = 0
  readonly held = new Set<string>()

  constructor(config: WatchConfig, partition: number) {
    this.#config = config
    this.#partition = partition
  }

  /** No records are kept. Above zero until the ends are reached, so that the kernel says soon when they are. */
  get bytes(): number {
    return this.#complete ? 0 : 1
  }

  restoreFrom(): ReadonlyMap<string, 'earliest'> {
    return new Map()
  }

  loadState(): void {
    // There is none.
  }

  started(committed: ReadonlyMap<string, Commit>): ReadonlyMap<string, Start> {
    const { deadLetter, handled } = this.#config
    this.#noted = committed.get(deadLetter)?.metadata ?? ''
    const note = decodeNote(this.#noted)
    this.#read = note?.from ?? 0
    this.#known = new Set(note?.known)
    this.#newestMs = note?.newestMs
    return new Map<string, Start>([
      [deadLetter, { orEarliest: this.#read }],
      [handled, 'earliest'],
    ])
  }

  accept(records: readonly LogRecord[], now: EpochMs): void {
    for (const record of records) {
      if (record.topic === this.#config.deadLetter) this.#died(record)
      else {
        this.#wasHandled(record)
        this.#readHandled = record.offset + 1
      }
    }
    this.#rest(records.length, now)
  }

  caughtUp(topic: string, offset: number): void {
    if (topic === this.#config.deadLetter) this.#read = offset
    else this.#readHandled = offset
    this.#atEnd.add(topic)
    this.#takenInARow = 0
  }

  pressure(): void {
    // Nothing is kept that could be given back.
  }

  propose(now: EpochMs): Proposal | undefined {
    this.#now = now
    if (this.#restUntil !== undefined && now >= this.#restUntil && this.#unhandled.count < MOST_UNHANDLED) {
      this.#restUntil = undefined
      this.held.clear()
    }
    // The clock was set back: then at once.
    if (!this.#complete || (now - this.#notedAt < NOTE_EVERY_MS && now >= this.#notedAt)) return undefined
    this.#unhandled.expire(now - this.#config.retentionMs)
    const note = this.#note()
    if (note === this.#noted) return undefined
    const { deadLetter, handled } = this.#config
    const partition = this.#partition
    const offsets = [
      { topic: deadLetter, partition, offset: this.#read, metadata: note },
      { topic: handled, partition, offset: this.#readHandled, metadata: '' },
    ]
    return { outputs: [], offsets, token: note }
  }

  committed({ token }: Proposal, now: EpochMs): readonly Observation[] {
    this.#noted = token as string
    this.#notedAt = now
    return []
  }

  rejected(): void {
    // It writes no records.
  }

  wakeAt(): EpochMs | undefined {
    if (this.#restUntil !== undefined) return this.#restUntil
    return this.#complete && this.#note() !== this.#noted ? Math.max(this.#now, this.#notedAt + NOTE_EVERY_MS) : undefined
  }

  gauges(now: EpochMs): readonly Observation[] {
    if (!this.#complete) return []
    this.#unhandled.expire(now - this.#config.retentionMs)
    const labels = { pipeline: this.#config.pipeline, partition: String(this.#partition) }
    const { count, oldestMs } = this.#unhandled
    return [
      { metric: METRIC.unhandled, value: count, labels },
      ...(oldestMs === undefined ? [] : [{ metric: METRIC.oldestUnhandled, value: oldestMs / 1000, labels }]),
      ...(this.#newestMs === undefined ? [] : [{ metric: METRIC.newFingerprint, value: this.#newestMs / 1000, labels }]),
    ]
  }

  /** Both sources were read to their ends: before, what was handled would count as unhandled. */
  get #complete(): boolean {
    return this.#atEnd.size === 2
  }

  #died(record: LogRecord): void {
    this.#read = record.offset + 1
    const fingerprint = fingerprintIn(record)
    this.#unhandled.add(record.offset, fingerprint, record.timestampMs)
    const short = shortened(fingerprint)
    if (this.#known.has(short)) return
    this.#known.add(short)
    const [oldest] = this.#known
    if (this.#known.size > MOST_KNOWN && oldest !== undefined) this.#known.delete(oldest)
    this.#newestMs = Math.max(this.#newestMs ?? 0, record.timestampMs)
  }

  /** A marker without a topic is of the pipeline's own: others could not be redriven when it was written. */
  #wasHandled(record: LogRecord): void {
    const marker = readMarker(record)
    if (marker === undefined || (marker.topic ?? this.#config.deadLetter) !== this.#config.deadLetter) return
    this.#unhandled.cover({ from: marker.from, to: marker.to, atMs: record.timestampMs }, this.#read)
  }

  #rest(taken: number, now: EpochMs): void {
    this.#takenInARow += taken
    const full = this.#unhandled.count >= MOST_UNHANDLED
    if (this.#complete && !full) return
    if (!full && this.#takenInARow < MOST_AT_ONCE) return
    this.#takenInARow = 0
    this.#restUntil = now + REST_MS
    this.held.add(this.#config.deadLetter)
    if (full) this.#atEnd.add(this.#config.deadLetter)
  }

  #note(): string {
    const { count, oldestMs, firstOffset } = this.#unhandled
    return encodeNote({
      from: firstOffset ?? this.#read,
      unhandled: count,
      oldestMs,
      byFingerprint: this.#unhandled.byFingerprint(),
      known: [...this.#known],
      newestMs: this.#newestMs,
    })
  }
}
