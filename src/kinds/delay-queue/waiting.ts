import type { EpochMs } from '../../api/resource.ts'
import { Heap } from './heap.ts'
import { Named } from './named.ts'
import type { Item } from './source.ts'

/** First in, first out; what has been settled elsewhere is skipped when it comes to the head. */
export class Line {
  #items: Item[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  get first(): Item | undefined {
    for (const item of this) return item
    return undefined
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  /** From the head on; an item that is taken stays until `trim`, and what is done may stand behind one that is not. */
  *[Symbol.iterator](): Generator<Item> {
    for (let i = this.#head; i < this.#items.length; i++) {
      const item = this.#items[i]
      if (item?.gone === false) yield item
    }
  }

  /** Removes from the head what does not stand in this line any more. */
  trim(stands: (item: Item) => boolean): void {
    for (let item = this.#items[this.#head]; item !== undefined && !stands(item); item = this.#items[this.#head]) this.#head++
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
  }
}

/** Messages in memory: those near their due time, in its order, and those read ahead of a tier, in the order in which they leave it. */
export class Waiting {
  readonly #due = new Heap<Item>()
  readonly #leaving = new Heap<Item>()
  readonly #named = new Named()

  /** It is in memory, wherever it is to go: it can be found by its id. */
  add(item: Item): void {
    this.#named.add(item)
  }

  addDue(item: Item): void {
    item.inHeap = true
    this.#due.push(item, item.dueMs, item.originOffset)
  }

  addLeaving(item: Item, leavesAtMs: EpochMs): void {
    this.#leaving.push(item, leavesAtMs, item.record.offset)
  }

  /** When the first message is due; Infinity when none waits. */
  firstDue(): EpochMs {
    for (let item = this.#due.peek(); item !== undefined; item = this.#due.peek()) {
      if (waits(item)) return this.#due.firstAt()
      this.popDue()
    }
    return Infinity
  }

  /** Takes the message that `firstDue` told of. */
  popDue(): Item | undefined {
    const item = this.#due.pop()
    if (item !== undefined) item.inHeap = false
    return item
  }

  firstLeaving(): EpochMs {
    return this.#leaving.firstAt()
  }

  popLeaving(): Item | undefined {
    return this.#leaving.pop()
  }

  /** Messages under an id, near their due time or read ahead. */
  named(id: string): Iterable<Item> {
    return this.#named.get(id)
  }

  /** Messages near their due time, the first due first. Nothing may be added or taken meanwhile. */
  *inDueOrder(): Generator<Item> {
    for (const item of this.#due.inOrder()) if (waits(item)) yield item
  }

  /** The message ended. */
  forget(item: Item): void {
    this.#named.delete(item)
  }

  /** Messages that wait for their due time in memory. */
  get near(): number {
    return this.#due.countUpTo(Infinity, waits)
  }

  overdue(now: EpochMs): number {
    return this.#due.countUpTo(now, waits)
  }
}

const waits = ({ gone, deed }: Item): boolean => !gone && deed === 'deliver'
