import type { EpochMs } from '../../../api/resource.ts'
import type { BreakerConfig } from '../config.ts'

/** The window moves in steps: so many counts are kept, and none is older than the window. */
const BUCKETS = 10

/**
 * Stops the calls to an application that fails. Closed, it counts; open, it lets one probe through per interval, and the first answer that is not a failure
 * closes it. Time is only ever what it is told.
 */
export class Breaker {
  readonly #config: BreakerConfig
  readonly #probeLastsMs: number
  readonly #bucketMs: number
  #buckets: { from: EpochMs; calls: number; failures: number }[] = []
  #inARow = 0
  #openSince: EpochMs | undefined
  #probeAt: EpochMs = 0

  /** @param probeLastsMs a probe of which nobody tells the end is given up after this. */
  constructor(config: BreakerConfig, probeLastsMs: number) {
    this.#config = config
    this.#probeLastsMs = probeLastsMs
    this.#bucketMs = Math.max(1, config.windowMs / BUCKETS)
  }

  /** undefined: closed. */
  get openSince(): EpochMs | undefined {
    return this.#openSince
  }

  /** How many calls may begin now. */
  room(now: EpochMs): number {
    if (this.#openSince === undefined) return Infinity
    // Further ahead than was ever asked for: the clock was set back.
    const astray = this.#probeAt - now > this.#probeLastsMs + this.#config.probeIntervalMs
    return now >= this.#probeAt || astray ? 1 : 0
  }

  /** When `room` may become more by itself; undefined: only by an answer. */
  roomAt(): EpochMs | undefined {
    return this.#openSince === undefined ? undefined : this.#probeAt
  }

  /** Calls begin. Of an open breaker this is the probe. */
  began(now: EpochMs): void {
    this.#probeAt = now + this.#probeLastsMs + this.#config.probeIntervalMs
  }

  /** The application did what it was asked, or said that it never will. */
  succeeded(now: EpochMs): void {
    this.#inARow = 0
    if (this.#openSince !== undefined) {
      this.#openSince = undefined
      this.#buckets = []
    }
    this.#bucket(now).calls += 1
  }

  failed(now: EpochMs): void {
    if (this.#openSince !== undefined) {
      this.#probeAt = now + this.#config.probeIntervalMs
      return
    }
    this.#inARow += 1
    const bucket = this.#bucket(now)
    bucket.calls += 1
    bucket.failures += 1
    if (!this.#tripped(now)) return
    this.#openSince = now
    this.#probeAt = now + this.#config.probeIntervalMs
  }

  #tripped(now: EpochMs): boolean {
    const { failureRatio, minimum, consecutiveFailures, windowMs } = this.#config
    if (consecutiveFailures !== undefined && this.#inARow >= consecutiveFailures) return true
    if (failureRatio === undefined) return false
    const counted = this.#buckets.filter(({ from }) => now - from < windowMs)
    const calls = counted.reduce((sum, bucket) => sum + bucket.calls, 0)
    const failures = counted.reduce((sum, bucket) => sum + bucket.failures, 0)
    return calls >= minimum && failures >= failureRatio * calls
  }

  #bucket(now: EpochMs): { from: EpochMs; calls: number; failures: number } {
    const last = this.#buckets.at(-1)
    // A clock that was set back goes on in the bucket that there is.
    if (last !== undefined && now < last.from + this.#bucketMs) return last
    const bucket = { from: now, calls: 0, failures: 0 }
    this.#buckets.push(bucket)
    if (this.#buckets.length > BUCKETS + 1) this.#buckets.shift()
    return bucket
  }
}
