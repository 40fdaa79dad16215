/** Everything below this offset of the input was read while `maxDelay` was this. */
export type Judged = readonly [to: number, maxDelayMs: number]

/** Changes of `maxDelay` within the reach of the oldest message that waits: more than anyone makes, few enough for the metadata of a commit. */
const MOST_EARLIER = 8

/**
 * The longest delay that a message of the input may ask for. What was read under another limit is judged by the more generous of the two when it is
 * read again: a message that was taken must not become a dead letter because somebody lowered `maxDelay` meanwhile.
 */
export class Limits {
  readonly #nowMs: number
  #earlier: readonly Judged[] = []

  constructor(maxDelayMs: number) {
    this.#nowMs = maxDelayMs
  }

  /** @param judged as `notes` had it in an earlier life. */
  restore(judged: readonly Judged[]): void {
    this.#earlier = judged
  }

  of(offset: number): number {
    let mostMs = this.#nowMs
    for (const [to, maxDelayMs] of this.#earlier) if (offset < to && maxDelayMs > mostMs) mostMs = maxDelayMs
    return mostMs
  }

  /** What a restore must know when the input is committed at `watermark` and read up to `next`. */
  notes(watermark: number, next: number): readonly Judged[] {
    const earlier = this.#earlier.filter(([to, maxDelayMs]) => to > watermark && maxDelayMs > this.#nowMs)
    const [first, second, ...rest] = earlier
    const merged: readonly Judged[] =
      earlier.length > MOST_EARLIER && first !== undefined && second !== undefined
        ? [[second[0], Math.max(first[1], second[1])], ...rest]
        : earlier
    return next > watermark ? [...merged, [next, this.#nowMs]] : merged
  }
}
