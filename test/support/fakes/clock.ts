import type { Clock } from '../../../src/api/clock.ts'

interface Sleeper {
  readonly dueMs: number
  readonly wake: () => void
}

/** Lets everything that is ready to run do so: promises, then timers of zero, several times over. */
export async function settle(rounds = 20): Promise<void> {
  for (let i = 0; i < rounds; i++) await new Promise(resolve => setImmediate(resolve))
}

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  #nowMs: number
  #monotonicMs = 0
  #sleepers: Sleeper[] = []

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs
  }

  now(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  /** Waits that are neither over nor aborted, soonest first, in milliseconds from now. */
  get waitsMs(): readonly number[] {
    return this.#sleepers.map(({ dueMs }) => dueMs - this.#monotonicMs).toSorted((a, b) => a - b)
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve()
    return new Promise(resolve => {
      const sleeper: Sleeper = {
        dueMs: this.#monotonicMs + delayMs,
        wake: () => {
          this.#sleepers = this.#sleepers.filter(other => other !== sleeper)
          signal?.removeEventListener('abort', sleeper.wake)
          resolve()
        },
      }
      signal?.addEventListener('abort', sleeper.wake, { once: true })
      this.#sleepers.push(sleeper)
    })
  }

  /** Steps the wall clock only. */
  step(byMs: number): void {
    this.#nowMs += byMs
  }

  /** Lets time pass, waking sleepers in order and letting each wake take effect before the next. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#monotonicMs + byMs
    await settle()
    for (;;) {
      const next = this.#sleepers.filter(({ dueMs }) => dueMs <= endMs).toSorted((a, b) => a.dueMs - b.dueMs)[0]
      if (next === undefined) break
      this.#goTo(Math.max(next.dueMs, this.#monotonicMs))
      next.wake()
      await settle()
    }
    this.#goTo(endMs)
  }

  #goTo(monotonicMs: number): void {
    this.#nowMs += monotonicMs - this.#monotonicMs
    this.#monotonicMs = monotonicMs
  }
}
