import type { LogHeader, LogRecord } from '../../../src/worker/task.ts'

interface Slot {
  /** undefined: a marker. */
  readonly record: LogRecord | undefined
  state: 'open' | 'committed' | 'aborted'
}

/** One partition as a read_committed reader has it: markers and aborted records take offsets, an open transaction hides what follows it. */
export class PartitionLog {
  readonly topic: string
  readonly #slots: Slot[] = []

  constructor(topic: string) {
    this.topic = topic
  }

  append(now: number, key: Buffer | null, value: Buffer | null, headers: readonly LogHeader[], state: Slot['state']): LogRecord {
    const record = { topic: this.topic, partition: 0, offset: this.#slots.length, timestampMs: now, key, value, headers }
    this.#slots.push({ record, state })
    return record
  }

  /** Ends the open transaction with its marker. */
  end(state: 'committed' | 'aborted'): void {
    for (const slot of this.#slots) if (slot.state === 'open') slot.state = state
    this.marker()
  }

  marker(): void {
    this.#slots.push({ record: undefined, state: 'committed' })
  }

  /** Last stable offset. */
  get stable(): number {
    const open = this.#slots.findIndex(({ state }) => state === 'open')
    return open < 0 ? this.#slots.length : open
  }

  get high(): number {
    return this.#slots.length
  }

  read(from: number, most: number): readonly LogRecord[] {
    const records: LogRecord[] = []
    for (let offset = from; offset < this.stable && records.length < most; offset++) {
      const slot = this.#slots[offset]!
      if (slot.record !== undefined && slot.state === 'committed') records.push(slot.record)
    }
    return records
  }

  get committed(): readonly LogRecord[] {
    return this.read(0, Infinity)
  }
}
