import type { EpochMs } from '../../../api/resource.ts'
import type { BreakerConfig } from '../config.ts'
import { Breaker } from './breaker.ts'

/** An address that must not be called, until someone allows it: asked again after this. */
const FORBIDDEN_PAUSE_MS = 5_000
/** So many failures in a row, for so long, are worth a word in the status of the resource. */
const FAILING_CALLS = 5
const FAILING_FOR_MS = 5_000

/** How the calls go: noted beside the offsets, for the operator. */
export type Condition = 'well' | 'failing' | 'open' | 'forbidden'

/** The application as the calls of one process show it. All tasks of the pipeline share it. */
export class Application {
  readonly #breaker: Breaker | undefined
  #failures = 0
  #failingSince: EpochMs = 0
  #forbiddenUntil: EpochMs | undefined
  #lastError = ''

  /** @param callLastsMs longest time that a call takes. */
  constructor(breaker: BreakerConfig | undefined, callLastsMs: number) {
    this.#breaker = breaker && new Breaker(breaker, callLastsMs)
  }

  get open(): boolean {
    return this.#breaker?.openSince !== undefined
  }

  /** Class of the last failure. */
  get lastError(): string {
    return this.#lastError
  }

  condition(now: EpochMs): Condition {
    if (this.#forbiddenUntil !== undefined) return 'forbidden'
    if (this.open) return 'open'
    return this.#failures >= FAILING_CALLS && now - this.#failingSince >= FAILING_FOR_MS ? 'failing' : 'well'
  }

  room(now: EpochMs): number {
    if (this.#resting(now)) return 0
    return this.#breaker?.room(now) ?? Infinity
  }

  /** When there may be room again by itself; undefined: there is, or only an answer makes some. */
  roomAt(now: EpochMs): EpochMs | undefined {
    return this.#resting(now) ? this.#forbiddenUntil : this.#breaker?.roomAt()
  }

  began(now: EpochMs): void {
    this.#breaker?.began(now)
  }

  succeeded(now: EpochMs): void {
    this.#failures = 0
    this.#forbiddenUntil = undefined
    this.#breaker?.succeeded(now)
  }

  /** @returns whether the record is to be held: the failure is the application's, and does not count against it. */
  failed(errorClass: string, now: EpochMs): boolean {
    this.#failures += 1
    if (this.#failures === 1) this.#failingSince = now
    this.#forbiddenUntil = undefined
    this.#lastError = errorClass
    this.#breaker?.failed(now)
    return this.open
  }

  /** Nothing was sent: no record may suffer for it. */
  forbidden(errorClass: string, now: EpochMs): void {
    this.#lastError = errorClass
    this.#forbiddenUntil = now + FORBIDDEN_PAUSE_MS
  }

  /** Further ahead than was ever asked for: the clock was set back. */
  #resting(now: EpochMs): boolean {
    const until = this.#forbiddenUntil ?? 0
    return now < until && until - now <= FORBIDDEN_PAUSE_MS
  }
}
