import type { LogRecord, OutgoingRecord } from '../../../src/kafka/log.ts'

/** Who wrote an entry: a transaction that is open, committed or aborted. Records without one count as committed. */
export interface Writer {
  state: 'open' | 'committed' | 'aborted'
}

type Entry = { readonly kind: 'record'; readonly record: LogRecord; readonly writer: Writer } | { readonly kind: 'marker' }

/** One partition: records and markers in order, with the offsets that Kafka would give them. */
export class PartitionLog {
  readonly #topic: string
  readonly #partition: number
  readonly #entries: Entry[] = []
  low = 0

  constructor(topic: string, partition: number) {
    this.#topic = topic
    this.#partition = partition
  }

  get high(): number {
    return this.#entries.length
  }

  /** Where a read_committed reader ends: before the first record of an open transaction. */
  get lastStable(): number {
    const open = this.#entries.findIndex(entry => entry.kind === 'record' && entry.writer.state === 'open')
    return open < 0 ? this.high : open
  }

  append({ key, value, headers, timestampMs }: Omit<OutgoingRecord, 'topic' | 'partition'>, writer: Writer = { state: 'committed' }): void {
    const place = { topic: this.#topic, partition: this.#partition, offset: this.high }
    this.#entries.push({ kind: 'record', writer, record: { ...place, key, value, headers, timestampMs: timestampMs ?? Date.now() } })
  }

  mark(): void {
    this.#entries.push({ kind: 'marker' })
  }

  /** The first visible record at or after `offset`, below the last stable offset. */
  next(offset: number): LogRecord | undefined {
    for (let at = offset; at < this.lastStable; at += 1) {
      const entry = this.#entries[at]
      if (entry?.kind === 'record' && entry.writer.state === 'committed') return entry.record
    }
    return undefined
  }

  /** What a read_committed reader sees in all. */
  visible(): readonly LogRecord[] {
    return this.#entries.flatMap(entry => (entry.kind === 'record' && entry.writer.state === 'committed' ? [entry.record] : []))
  }
}
