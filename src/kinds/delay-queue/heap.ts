/**
 * A binary heap of things ordered by (at, order). Keys stand in arrays of numbers of their own: a comparison reads no object, and a push
 * allocates nothing.
 */
export class Heap<T> {
  readonly #at: number[] = []
  readonly #order: number[] = []
  readonly #things: T[] = []

  get size(): number {
    return this.#things.length
  }

  /** The first thing, left in place. */
  peek(): T | undefined {
    return this.#things[0]
  }

  /** `at` of the first thing; Infinity when empty. */
  firstAt(): number {
    return this.#at[0] ?? Infinity
  }

  push(thing: T, at: number, order: number): void {
    let i = this.#things.length
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!this.#before(at, order, parent)) break
      this.#copy(parent, i)
      i = parent
    }
    this.#put(i, thing, at, order)
  }

  pop(): T | undefined {
    const first = this.#things[0]
    const last = this.#things.pop()
    const at = this.#at.pop()
    const order = this.#order.pop()
    if (this.#things.length > 0 && last !== undefined && at !== undefined && order !== undefined) this.#sink(last, at, order)
    return first
  }

  /** In order, leaving everything in place; what is not asked for costs nothing. */
  *inOrder(): Generator<T> {
    const next = new Heap<number>()
    const add = (i: number): void => {
      if (i < this.#things.length) next.push(i, this.#at[i] ?? 0, this.#order[i] ?? 0)
    }
    add(0)
    for (let i = next.pop(); i !== undefined; i = next.pop()) {
      yield this.#things[i] as T
      add(2 * i + 1)
      add(2 * i + 2)
    }
  }

  /** Counts the things of `at` up to a bound that `counts` says yes to; visits those only and their children. */
  countUpTo(bound: number, counts: (thing: T) => boolean): number {
    let count = 0
    const stack = [0]
    for (let i = stack.pop(); i !== undefined; i = stack.pop()) {
      const thing = this.#things[i]
      if (thing === undefined || (this.#at[i] ?? Infinity) > bound) continue
      if (counts(thing)) count++
      stack.push(2 * i + 1, 2 * i + 2)
    }
    return count
  }

  #sink(thing: T, at: number, order: number): void {
    const size = this.#things.length
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= size) break
      const right = child + 1
      if (right < size && this.#before(this.#at[right] ?? 0, this.#order[right] ?? 0, child)) child = right
      if (this.#before(at, order, child)) break
      this.#copy(child, i)
      i = child
    }
    this.#put(i, thing, at, order)
  }

  #before(at: number, order: number, index: number): boolean {
    const other = this.#at[index] ?? 0
    return at < other || (at === other && order < (this.#order[index] ?? 0))
  }

  #copy(from: number, to: number): void {
    this.#put(to, this.#things[from] as T, this.#at[from] ?? 0, this.#order[from] ?? 0)
  }

  #put(i: number, thing: T, at: number, order: number): void {
    this.#things[i] = thing
    this.#at[i] = at
    this.#order[i] = order
  }
}
