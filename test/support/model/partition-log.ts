import type { LogRecord, OutgoingRecord } from '../../../src/kafka/log.ts'

/** Who wrote an entry: a transaction, as far as this partition knows it. */
export interface Writer {
  state: 'open' | 'committed' | 'aborted'
  /** When its marker was written. */
  endedMs?: number
}

type Entry =
  | { readonly kind: 'record'; readonly record: LogRecord; readonly writer: Writer }
  | { readonly kind: 'marker'; readonly writer: Writer; readonly atMs: number }
  /** Taken out by compaction; the offset stays used. */
  | { readonly kind: 'gone' }

const COMMITTED: Writer = { state: 'committed' }
const GONE: Entry = { kind: 'gone' }

export type Appended = Omit<OutgoingRecord, 'topic' | 'partition'>

/** One partition: records and markers in order, with the offsets that Kafka would give them. */
export class PartitionLog {
  readonly topic: string
  readonly partition: number
  readonly #now: () => number
  readonly #entries: Entry[] = []
  /** First offset of each open transaction. */
  readonly #open = new Map<Writer, number>()
  /** Next sequence number of each producer, by producer and epoch, and when its last batch came: what makes a repeated request harmless. */
  readonly #sequences = new Map<string, { readonly next: number; readonly appendedMs: number }>()
  low = 0
  /** No leader serves the partition before this (monotonic). */
  awayUntilMs = -Infinity
  /** Its leader is slow to write markers of transactions, until then (monotonic). */
  markersAwayUntilMs = -Infinity
  /** The topic was deleted. */
  deleted = false

  /** @param now the broker's wall clock, which stamps what is appended (LogAppendTime). */
  constructor(topic: string, partition: number, now: () => number) {
    this.topic = topic
    this.partition = partition
    this.#now = now
  }

  /** High watermark: the end, records of open transactions included. */
  get high(): number {
    return this.#entries.length
  }

  /** Where a read_committed reader ends: before the first record of an open transaction. */
  get lastStable(): number {
    let stable = this.high
    for (const first of this.#open.values()) stable = Math.min(stable, first)
    return stable
  }

  append({ key, value, headers }: Appended, writer: Writer = COMMITTED): LogRecord {
    const place = { topic: this.topic, partition: this.partition, offset: this.high }
    const record = { ...place, key, value, headers, timestampMs: this.#now() }
    if (writer.state === 'open' && !this.#open.has(writer)) this.#open.set(writer, record.offset)
    this.#entries.push({ kind: 'record', writer, record })
    return record
  }

  /** A batch of an idempotent producer; one that is here already is not appended again. Returns when it was appended. */
  appendOnce(records: readonly Appended[], writer: Writer, producer: string, sequence: number): number {
    const known = this.#sequences.get(producer)
    if (known !== undefined && sequence < known.next) return known.appendedMs
    const appendedMs = this.#now()
    this.#sequences.set(producer, { next: sequence + records.length, appendedMs })
    for (const record of records) this.append(record, writer)
    return appendedMs
  }

  /** The marker of a transaction. */
  end(writer: Writer, outcome: 'committed' | 'aborted'): void {
    writer.state = outcome
    writer.endedMs = this.#now()
    this.#open.delete(writer)
    this.#entries.push({ kind: 'marker', writer, atMs: this.#now() })
  }

  /** The first visible record at or after `offset`, below the last stable offset. */
  next(offset: number, lastStable: number = this.lastStable): LogRecord | undefined {
    for (let at = offset; at < lastStable; at += 1) {
      const entry = this.#entries[at]
      if (entry?.kind === 'record' && entry.writer.state === 'committed') return entry.record
    }
    return undefined
  }

  /** From when on read_committed readers may see the record at `offset`: not before its transaction ended. */
  visibleFromMs(offset: number): number {
    const entry = this.#entries[offset]
    return entry?.kind === 'record' ? (entry.writer.endedMs ?? entry.record.timestampMs) : Infinity
  }

  /** What a read_committed reader sees in all. */
  visible(): readonly LogRecord[] {
    const stable = this.lastStable
    const records: LogRecord[] = []
    for (let record = this.next(this.low, stable); record !== undefined; record = this.next(record.offset + 1, stable)) records.push(record)
    return records
  }

  /** All that was ever appended and is not compacted away, for people who look for what went wrong. */
  entries(): readonly { readonly record: LogRecord | undefined; readonly state: string }[] {
    return this.#entries.map(entry =>
      entry.kind === 'record' ? { record: entry.record, state: entry.writer.state } : { record: undefined, state: entry.kind },
    )
  }

  /**
   * What the cleaner does below `end`: of each key the last record stays, and a tombstone until it is older than `deleteRetentionMs`; aborted records
   * go, and the markers of transactions of which nothing is left.
   */
  compact(end: number, deleteRetentionMs: number): void {
    const until = Math.min(end, this.lastStable)
    const oldMs = this.#now() - deleteRetentionMs
    const last = new Map<string, number>()
    for (let offset = this.low; offset < until; offset += 1) {
      const entry = this.#entries[offset]
      if (entry?.kind === 'record' && entry.writer.state === 'committed') last.set(keyOf(entry.record), offset)
    }
    const left = new Set<Writer>()
    for (let offset = this.low; offset < until; offset += 1) {
      const entry = this.#entries[offset]
      if (entry?.kind !== 'record') continue
      const { record, writer } = entry
      const stays =
        writer.state === 'committed' && last.get(keyOf(record)) === offset && (record.value !== null || record.timestampMs >= oldMs)
      if (stays) left.add(writer)
      else this.#entries[offset] = GONE
    }
    for (let offset = this.low; offset < until; offset += 1) {
      const entry = this.#entries[offset]
      if (entry?.kind === 'marker' && !left.has(entry.writer) && entry.atMs < oldMs) this.#entries[offset] = GONE
    }
  }
}

const keyOf = ({ key }: LogRecord): string => key?.toString('latin1') ?? ''
