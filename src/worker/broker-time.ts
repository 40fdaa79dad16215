import type { Clock } from '../api/clock.ts'
import type { EpochMs } from '../api/resource.ts'

/** Clocks that are kept by NTP, or by a quartz of their own, part by less. */
const DRIFT = 1e-4
/** A stamp a second at most, of what is written anyway. */
const STAMP_INTERVAL_MS = 1_000
/** While a task writes nothing, it is asked to: so rarely, and sooner while our clock and the brokers' are known to differ. */
const IDLE_STAMP_INTERVAL_MS = 600_000
const DOUBTFUL_STAMP_INTERVAL_MS = 10_000

/** When a record was sent and its answer came, by our monotonic clock, and what the broker stamped it with in between. */
export interface Stamp {
  readonly sentAtMs: number
  readonly answeredAtMs: number
  /** Epoch ms, whole: the broker cuts them. */
  readonly appendedMs: EpochMs
}

/**
 * What is known of a broker's clock, from the append times of records that we wrote ourselves (ADR 10). Each says that the broker's clock read so much at some time
 * between sending and answer, so it bounds the difference between that clock and our monotonic one; all of them together bound it closely. The
 * monotonic clock is the yardstick because nobody sets it.
 */
export class BrokerTime {
  /** Of the broker's clock less our monotonic one, as of `#asOfMs`. */
  #lowest = -Infinity
  #highest = Infinity
  #asOfMs = 0
  #askedAtMs = -Infinity

  /** At least one stamp has come. */
  get known(): boolean {
    return this.#highest < Infinity
  }

  stamped({ sentAtMs, answeredAtMs, appendedMs }: Stamp): void {
    const spreadMs = this.#spreadMs(answeredAtMs)
    const [lowest, highest] = [appendedMs - answeredAtMs, appendedMs + 1 - sentAtMs]
    const isBeside = lowest > this.#highest + spreadMs || highest < this.#lowest - spreadMs
    // No clock fits both: the broker's was set, or another broker leads the partition now.
    this.#lowest = isBeside ? lowest : Math.max(lowest, this.#lowest - spreadMs)
    this.#highest = isBeside ? highest : Math.min(highest, this.#highest + spreadMs)
    this.#asOfMs = answeredAtMs
  }

  /** What time it is: by the clock of this machine, while that can be the broker's time; else the earliest that it can be at the broker. */
  now(clock: Clock): EpochMs {
    const wallMs = clock.now()
    const [earliestMs, latestMs] = this.#bounds(clock.monotonicMs())
    return wallMs > latestMs || wallMs < earliestMs ? Math.floor(earliestMs) : wallMs
  }

  /** So far the clock of this machine is ahead (negative: behind), at least. Zero: not beyond what the stamps leave open. */
  skewMs(clock: Clock): number {
    const wallMs = clock.now()
    const [earliestMs, latestMs] = this.#bounds(clock.monotonicMs())
    // Our clock is cut to whole milliseconds, too.
    return Math.max(0, wallMs - latestMs) + Math.min(0, wallMs + 1 - earliestMs)
  }

  /** How much the stamps leave open. */
  uncertaintyMs(clock: Clock): number {
    const [earliestMs, latestMs] = this.#bounds(clock.monotonicMs())
    return latestMs - earliestMs
  }

  /** The next record that brokers stamp is to be timed. */
  wantsStamp(clock: Clock): boolean {
    return clock.monotonicMs() - this.#askedAtMs >= STAMP_INTERVAL_MS
  }

  /** So long since the last one that a record should be written for nothing else. */
  isStale(clock: Clock): boolean {
    const ageMs = clock.monotonicMs() - this.#askedAtMs
    return ageMs >= IDLE_STAMP_INTERVAL_MS || (ageMs >= DOUBTFUL_STAMP_INTERVAL_MS && this.skewMs(clock) !== 0)
  }

  /** A record was sent that will be stamped, perhaps. */
  asked(clock: Clock): void {
    this.#askedAtMs = clock.monotonicMs()
  }

  #bounds(monotonicMs: number): readonly [earliestMs: number, latestMs: number] {
    const spreadMs = this.#spreadMs(monotonicMs)
    return [monotonicMs + this.#lowest - spreadMs, monotonicMs + this.#highest + spreadMs]
  }

  #spreadMs(monotonicMs: number): number {
    return Math.max(0, monotonicMs - this.#asOfMs) * DRIFT
  }
}
