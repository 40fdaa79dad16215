import type { EpochMs } from '../../../api/resource.ts'
import { Heap } from '../../delay-queue/heap.ts'
import type { Entry } from './entry.ts'

/** First in, first out, without moving what is left for every one that leaves. */
class Queue {
  #entries: (Entry | undefined)[] = []
  #first = 0

  get size(): number {
    return this.#entries.length - this.#first
  }

  push(entry: Entry): void {
    this.#entries.push(entry)
  }

  peek(): Entry | undefined {
    return this.#entries[this.#first]
  }

  shift(): Entry | undefined {
    const entry = this.#entries[this.#first]
    if (entry === undefined) return undefined
    this.#entries[this.#first++] = undefined
    if (this.#first > 512 && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first)
      this.#first = 0
    }
    return entry
  }
}

/**
 * Which record may be called next. With `byKey` one at a time of each key, in the order of the source: later ones stand behind it, whether it is being
 * called, waits for its next attempt, or is held.
 */
export class Order {
  readonly #byKey: boolean
  /** The last one of each key that has any. */
  readonly #tails = new Map<string, Entry>()
  readonly #fresh = new Queue()
  /** Called before: held while the application was away, or waited long enough. */
  readonly #again = new Queue()
  readonly #waiting = new Heap<Entry>()
  #behind = 0
  #held = 0
  #freshFirst = false

  constructor(byKey: boolean) {
    this.#byKey = byKey
  }

  /** Ready to be called. */
  get ready(): number {
    return this.#fresh.size + this.#again.size
  }

  /** Keys whose first record waits for its next attempt. */
  get waitingKeys(): number {
    return this.#waiting.size
  }

  /** Records that wait, or stand behind another one. */
  get blocked(): number {
    return this.#waiting.size + this.#behind
  }

  /** Infinity: nothing waits. */
  firstDue(): EpochMs {
    return this.#waiting.firstAt()
  }

  add(entry: Entry): void {
    const key = this.#keyOf(entry)
    const tail = key === undefined ? undefined : this.#tails.get(key)
    if (key !== undefined) this.#tails.set(key, entry)
    if (tail === undefined) this.#first(entry)
    else {
      tail.behind = entry
      this.#behind += 1
    }
  }

  /** Those whose wait is over may be called. */
  wake(now: EpochMs): void {
    while (this.#waiting.firstAt() <= now) {
      const entry = this.#waiting.pop()
      if (entry !== undefined) this.#again.push(entry)
    }
  }

  /** The next one to be called, left in its place. */
  peek(): Entry | undefined {
    return this.#next().peek()
  }

  take(): Entry | undefined {
    const entry = this.#next().shift()
    this.#freshFirst = false
    return entry
  }

  /**
   * Called in vain, through no fault of its own. Every other time a record that was never called comes next: were it this one's fault after all, probes
   * with it alone would never succeed.
   */
  hold(entry: Entry): void {
    this.#again.push(entry)
    this.#held += 1
    this.#freshFirst = this.#held % 2 === 1
  }

  wait(entry: Entry, dueMs: EpochMs): void {
    this.#waiting.push(entry, dueMs, entry.record.offset)
  }

  /** It will not be called any more: the next one of its key may be. */
  over(entry: Entry): void {
    const key = this.#keyOf(entry)
    if (key === undefined) return
    const { behind } = entry
    entry.behind = undefined
    if (behind === undefined) this.#tails.delete(key)
    else {
      this.#behind -= 1
      this.#first(behind)
    }
  }

  #next(): Queue {
    const freshComes = this.#again.size === 0 || (this.#freshFirst && this.#fresh.size > 0)
    return freshComes ? this.#fresh : this.#again
  }

  #first(entry: Entry): void {
    if (entry.waited === undefined) this.#fresh.push(entry)
    else this.#waiting.push(entry, entry.waited.dueMs, entry.record.offset)
  }

  /** Records without a key have no order among them. */
  #keyOf({ record: { key } }: Entry): string | undefined {
    return this.#byKey && key !== null && key.length > 0 ? key.toString('latin1') : undefined
  }
}
