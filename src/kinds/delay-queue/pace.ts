import type { EpochMs } from '../../api/resource.ts'

/** Longest burst after a quiet time, in seconds of the rate. */
const BURST_SECONDS = 0.1

/** A token bucket: how many messages may be delivered by now. Taken when they are committed, so an abort costs nothing. */
export class Pace {
  readonly #perMs: number
  readonly #most: number
  #tokens: number
  #atMs: EpochMs = 0

  /** @param ratePerSecond messages; Infinity: no limit. */
  constructor(ratePerSecond: number) {
    this.#perMs = ratePerSecond / 1000
    this.#most = Math.max(1, ratePerSecond * BURST_SECONDS)
    this.#tokens = this.#most
  }

  available(now: EpochMs): number {
    // The clock was set back: what was earned is kept, the rest is earned from now on.
    if (now < this.#atMs) this.#atMs = now
    // The moment that nextAt names must be enough, whatever the rounding.
    return Math.floor(this.#level(now) + 1e-6)
  }

  take(count: number, now: EpochMs): void {
    this.#tokens = this.#level(now) - count
    this.#atMs = now
  }

  /** When the next message may go. */
  nextAt(): EpochMs {
    return this.#tokens >= 1 ? 0 : Math.ceil(this.#atMs + (1 - this.#tokens) / this.#perMs)
  }

  #level(now: EpochMs): number {
    return this.#perMs === Infinity ? Infinity : Math.min(this.#most, this.#tokens + Math.max(0, now - this.#atMs) * this.#perMs)
  }
}
