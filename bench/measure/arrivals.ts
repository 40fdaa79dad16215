import type { Message } from '@confluentinc/kafka-javascript'
import { TargetReader, dueMsOf } from './target-reader.ts'

export interface Audit {
  readonly expected: number
  readonly delivered: number
  readonly doubled: number
  readonly early: number
  /** Behind one that is due later, or behind a later one of the same due time; from one input partition and in one target partition. */
  readonly misordered: number
}

/**
 * What comes out of a target topic, for a read_committed consumer in this process, which does nothing else meanwhile. Every message carries its
 * number in the first four bytes of its value, as the generators of `bench/load` write it; it came from input partition number % partitions.
 */
export class Arrivals {
  readonly #reader: TargetReader
  readonly #partitions: number
  #latenessMs = new Float64Array(0)
  #seen = new Uint8Array(0)
  #last = new Map<number, { readonly dueMs: number; readonly number: number }>()
  #count = 0
  #doubled = 0
  #early = 0
  #misordered = 0

  private constructor(reader: TargetReader, partitions: number) {
    this.#reader = reader
    this.#partitions = partitions
  }

  static async open(bootstrap: string, topic: string, partitions: number): Promise<Arrivals> {
    return new Arrivals(await TargetReader.open(bootstrap, topic, partitions), partitions)
  }

  /** Forgets what came so far: the next message is number 0 of `total`. */
  begin(total: number): void {
    this.#latenessMs = new Float64Array(total)
    this.#seen = new Uint8Array(total)
    this.#last = new Map()
    this.#count = this.#doubled = this.#early = this.#misordered = 0
  }

  /** Reads until all of `begin` are there, `enough` says so, or `withinMs` have passed. */
  async read(withinMs: number, enough: (arrival: Arrival) => boolean = () => false): Promise<void> {
    const deadlineMs = performance.now() + withinMs
    for (let done = false; !done && this.#count < this.#seen.length && performance.now() < deadlineMs;) {
      const messages = await this.#reader.poll()
      const atMs = Date.now()
      for (const message of messages) {
        const arrival = this.#take(message, atMs)
        if (arrival !== undefined && enough(arrival)) done = true
      }
    }
  }

  /** In the order of arrival, by this process's clock: it is the broker's and the schedulers' as well. */
  latenessMs(): Float64Array {
    return this.#latenessMs.subarray(0, this.#count)
  }

  audit(): Audit {
    const { length: expected } = this.#seen
    return { expected, delivered: this.#count, doubled: this.#doubled, early: this.#early, misordered: this.#misordered }
  }

  async close(): Promise<void> {
    await this.#reader.close()
  }

  #take(message: Message, atMs: number): Arrival | undefined {
    const { value, partition } = message
    const number = value?.readUInt32BE() ?? NaN
    const dueMs = dueMsOf(message)
    if (!(number < this.#seen.length) || !(dueMs > 0)) throw new Error(`message ${number}, due ${dueMs}, is none that was sent`)
    if (this.#seen[number] !== 0) {
      this.#doubled++
      return undefined
    }
    this.#seen[number] = 1
    this.#latenessMs[this.#count++] = atMs - dueMs
    if (atMs < dueMs) this.#early++
    const inputPartition = number % this.#partitions
    const way = partition * this.#partitions + inputPartition
    const last = this.#last.get(way)
    if (last !== undefined && (dueMs < last.dueMs || (dueMs === last.dueMs && number < last.number))) this.#misordered++
    this.#last.set(way, { dueMs, number })
    return { number, inputPartition, dueMs, atMs }
  }
}

export interface Arrival {
  readonly number: number
  readonly inputPartition: number
  /** Epoch ms. */
  readonly dueMs: number
  readonly atMs: number
}
