import type { LogRecord } from '../../worker/task.ts'
import type { Batch } from './batch.ts'
import type { Source } from './source.ts'

/** What one transaction did to one source. */
export interface SourceEntry {
  /** `in`, or the role of a fixed delay or a tier: stable when the spec changes, unlike a number in a list. */
  readonly role: string
  /** Its watermark after the transaction. */
  readonly watermark: number
  /** Offsets at or above the watermark that this transaction finished, ascending. */
  readonly done: readonly number[]
}

const FORMAT = 1

/**
 * The journal: one small record for each transaction of a task, which names the offsets that it finished out of order. With the committed
 * watermarks it says exactly which records are done, without a store and without the 4 KiB limit of commit metadata.
 */
export function encodeJournal(entries: readonly SourceEntry[]): Buffer {
  const size = entries.reduce((sum, { role, done }) => sum + role.length + 20 + done.length * 8, 16)
  const buffer = Buffer.allocUnsafe(size)
  let at = buffer.writeUInt8(FORMAT, 0)
  const whole = (value: number): void => {
    for (; value >= 128; value = Math.floor(value / 128)) at = buffer.writeUInt8((value % 128) + 128, at)
    at = buffer.writeUInt8(value, at)
  }
  whole(entries.length)
  for (const { role, watermark, done } of entries) {
    whole(role.length)
    at += buffer.write(role, at, 'latin1')
    whole(watermark)
    whole(done.length)
    let previous = watermark
    for (const offset of done) {
      whole(offset - previous)
      previous = offset
    }
  }
  return buffer.subarray(0, at)
}

/** @throws Error naming the record when it is not one of ours. */
export function decodeJournal(record: LogRecord): readonly SourceEntry[] {
  const { value } = record
  const unreadable = (): Error =>
    new Error(`${record.topic}/${record.partition} offset ${record.offset} is not a journal record of this version: who else writes there?`)
  if (value?.[0] !== FORMAT) throw unreadable()
  let at = 1
  const whole = (): number => {
    for (let sum = 0, factor = 1; ; factor *= 128) {
      const byte = value[at++]
      if (byte === undefined) throw unreadable()
      sum += (byte % 128) * factor
      if (byte < 128) return sum
    }
  }
  return Array.from({ length: whole() }, () => {
    const length = whole()
    const role = value.toString('latin1', at, at + length)
    at += length
    const watermark = whole()
    let previous = watermark
    return { role, watermark, done: Array.from({ length: whole() }, () => (previous += whole())) }
  })
}

/** All that a restore must know of each source: makes every earlier record of the journal superfluous. */
export const foldedEntries = ({ watermarks }: Pick<Batch, 'watermarks'>): readonly SourceEntry[] =>
  [...watermarks].map(([{ role, position }, watermark]) => ({ role, watermark, done: position.doneAbove(watermark) }))

/** What a batch does to each of its sources. */
export function journalEntries({ ended, watermarks }: Pick<Batch, 'ended' | 'watermarks'>): readonly SourceEntry[] {
  const done = new Map<Source, number[]>()
  for (const { source, record } of ended) {
    if (record.offset < (watermarks.get(source) ?? 0)) continue
    const offsets = done.get(source)
    if (offsets === undefined) done.set(source, [record.offset])
    else offsets.push(record.offset)
  }
  return [...watermarks]
    .filter(([source, watermark]) => done.has(source) || watermark !== source.committed)
    .map(([source, watermark]) => ({ role: source.role, watermark, done: (done.get(source) ?? []).sort((a, b) => a - b) }))
}

interface Bucket {
  readonly second: number
  /** No record of the bucket stands below this journal offset. */
  readonly from: number
  /** Highest offset named, by role. */
  readonly highest: Map<string, number>
}

/** A journal record and its commit marker: a transaction that commits takes two offsets, one that aborts only ever more. */
const OFFSETS_PER_TRANSACTION = 2
/** A commit is answered before its marker is written, and the next transaction is another producer's: its record may come before that marker. */
const MARKERS_TO_COME = 1
/**
 * A restore reads about this much of the journal at most. One message that a fire took out of a tier stands above its watermark for as long as the
 * tier is deep: without folding, its name would keep weeks of the journal alive.
 */
const FOLD_AFTER_OFFSETS = 20_000

/**
 * Knows from where the journal must be read at the next restore: the first record that still names an offset at or above a watermark. The
 * position is a lower bound, kept without asking the broker: the task is the only writer of its journal partition, so after n transactions the
 * next record stands at `end at restore + 2n - 1` or above. One bucket a second, so that it costs nothing.
 */
export class JournalPosition {
  #buckets: Bucket[] = []
  /** No later record stands below. */
  #next = 0

  /** At restore: a record read at its true offset. */
  loaded(offset: number, timestampMs: number, entries: readonly SourceEntry[]): void {
    this.#note(offset, timestampMs, entries)
  }

  /** At restore, after the last: the end that was captured once nobody else could write. The stamp of the claim is written there, before anything of ours. */
  restored(end: number): void {
    this.#next = Math.max(this.#next, end) + OFFSETS_PER_TRANSACTION - MARKERS_TO_COME
  }

  /** So much must be read at the next restore that the state should be written anew. */
  long(watermarkOf: (role: string) => number): boolean {
    return this.#next - this.from(watermarkOf) > FOLD_AFTER_OFFSETS
  }

  /** No record that is still to be written stands below this offset. */
  get next(): number {
    return this.#next
  }

  /** Our transaction with these entries and these watermarks was committed. */
  committed(nowMs: number, entries: readonly SourceEntry[], watermarkOf: (role: string) => number, folded: boolean): void {
    if (folded) this.#buckets = []
    this.#note(this.#next, nowMs, entries)
    this.#next += OFFSETS_PER_TRANSACTION
    while (this.#buckets[0] !== undefined && !needed(this.#buckets[0], watermarkOf)) this.#buckets.shift()
  }

  /** Where to read from once these watermarks are committed. The record that goes with them is there or above. */
  from(watermarkOf: (role: string) => number): number {
    return this.#buckets.find(bucket => needed(bucket, watermarkOf))?.from ?? this.#next
  }

  #note(offset: number, atMs: number, entries: readonly SourceEntry[]): void {
    const second = Math.floor(atMs / 1000)
    let bucket = this.#buckets.at(-1)
    if (bucket?.second !== second) {
      bucket = { second, from: offset, highest: new Map() }
      this.#buckets.push(bucket)
    }
    for (const { role, done } of entries) {
      const last = done.at(-1)
      if (last !== undefined && last > (bucket.highest.get(role) ?? -1)) bucket.highest.set(role, last)
    }
  }
}

const needed = ({ highest }: Bucket, watermarkOf: (role: string) => number): boolean => {
  for (const [role, offset] of highest) if (offset >= watermarkOf(role)) return true
  return false
}
