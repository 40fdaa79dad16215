/** An open transaction hides what others write behind it from readers of the target: not for longer than this before it is due. */
export const LONGEST_LEAD_MS = 20
const FIRST_GUESS_MS = 10
/** Of each new measurement in the mean. */
const WEIGHT = 1 / 8
/** Acknowledgements of records come while the offsets are sent, or just after. */
const ACKNOWLEDGED_MS = 1

/**
 * How long before its due time work is staged: as long as staging takes, so that the commit alone lies between the due time and the reader. Mean and
 * deviation are kept as TCP keeps those of its round trips.
 */
export class Lead {
  #meanMs = FIRST_GUESS_MS
  #deviationMs = FIRST_GUESS_MS / 4

  /** Whole milliseconds, as the clock counts. */
  get ms(): number {
    return Math.min(LONGEST_LEAD_MS, Math.ceil(this.#meanMs + this.#deviationMs + ACKNOWLEDGED_MS))
  }

  /** A transaction was ready to be committed so long after it was begun. */
  staged(tookMs: number): void {
    const tookAtMostMs = Math.min(tookMs, 2 * LONGEST_LEAD_MS)
    this.#deviationMs += WEIGHT * (Math.abs(tookAtMostMs - this.#meanMs) - this.#deviationMs)
    this.#meanMs += WEIGHT * (tookAtMostMs - this.#meanMs)
  }
}
