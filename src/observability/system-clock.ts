import { setTimeout as pause } from 'node:timers/promises'
import type { Clock } from '../api/clock.ts'

/** Node fires a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The clock of the machine: the one implementation outside of tests and simulations. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(delayMs, signal) {
    const untilMs = performance.now() + delayMs
    for (let restMs = delayMs; restMs > 0 && signal?.aborted !== true; restMs = untilMs - performance.now()) {
      // The only rejection is that of the signal, which is a reason to wake up and not an error.
      await pause(Math.min(restMs, LONGEST_TIMER_MS), undefined, signal && { signal }).catch(() => undefined)
    }
  },
}
