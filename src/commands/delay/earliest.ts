import type { EpochMs } from '../../api/resource.ts'

/** Keeps the first `limit` of many by due time, in the order of arrival where that is equal. Bounded: what cannot be among them is dropped. */
export class Earliest<T extends { readonly dueMs: EpochMs }> {
  readonly #limit: number
  #kept: T[] = []
  #boundMs: EpochMs = Infinity
  #dropped = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** What is due after this is not among the first; Infinity while there is room. */
  get boundMs(): EpochMs {
    return this.#boundMs
  }

  /** How many did not fit. */
  get dropped(): number {
    return this.#dropped
  }

  add(one: T): void {
    if (one.dueMs > this.#boundMs) this.#dropped++
    else this.#kept.push(one)
    if (this.#kept.length >= 2 * this.#limit + 1_000) this.#cut()
  }

  take(): readonly T[] {
    this.#cut()
    return this.#kept
  }

  #cut(): void {
    const sorted = this.#kept.sort((a, b) => a.dueMs - b.dueMs)
    this.#kept = sorted.slice(0, this.#limit)
    this.#dropped += sorted.length - this.#kept.length
    if (this.#kept.length === this.#limit) this.#boundMs = this.#kept.at(-1)?.dueMs ?? Infinity
  }
}
