import type { EpochMs } from './resource.ts'

/**
 * Time as a dependency. Decisions use the wall clock (due times are absolute); waiting uses the monotonic clock (a wall clock that is
 * stepped must neither hang nor spin a wait).
 */
export interface Clock {
  /** Wall clock, epoch milliseconds. May step backwards. */
  now(): EpochMs
  /** Milliseconds from an arbitrary origin; never goes back. */
  monotonicMs(): number
  /** Resolves after `delayMs` of monotonic time or when `signal` aborts; never rejects. Delays above 2^31-1 ms are cut (Node fires those at once). */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}
