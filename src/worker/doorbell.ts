import type { Clock } from '../api/clock.ts'

/** Lets one loop sleep until somebody has something for it. A ring while it is awake is not lost. */
export class Doorbell {
  readonly #clock: Clock
  #rung = false
  #sleeper: AbortController | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  ring(): void {
    this.#rung = true
    this.#sleeper?.abort()
  }

  /** Resolves after `delayMs` of monotonic time, or at once after a ring. */
  async wait(delayMs: number): Promise<void> {
    if (!this.#rung) {
      const sleeper = new AbortController()
      this.#sleeper = sleeper
      await this.#clock.sleep(delayMs, sleeper.signal)
      this.#sleeper = undefined
    }
    this.#rung = false
  }
}
