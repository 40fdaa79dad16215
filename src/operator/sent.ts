import type { Change } from './plan.ts'

/** Longest that a broker was seen to tell of an accepted change as not made, with room for a busy controller. */
const AWAITED_MS = 10_000

/**
 * Remembers what the brokers accepted a moment ago. They answer before every one of them has heard of it, so the next look may show the old
 * value: sending the same again would be a write that changes nothing, and an Event that tells of it twice.
 */
export class Sent {
  readonly #untilMs = new Map<string, number>()

  /** Splits changes into those to send and those already sent that are awaited to show. A change from yet another value is a new one. */
  sift(changes: readonly Change[], monotonicMs: number): { readonly toSend: readonly Change[]; readonly awaited: readonly Change[] } {
    for (const [change, untilMs] of this.#untilMs) if (monotonicMs >= untilMs) this.#untilMs.delete(change)
    const { awaited = [], toSend = [] } = Object.groupBy(changes, change =>
      this.#untilMs.has(JSON.stringify(change)) ? 'awaited' : 'toSend',
    )
    return { toSend, awaited }
  }

  /** These were accepted. */
  note(done: readonly Change[], monotonicMs: number): void {
    for (const change of done) this.#untilMs.set(JSON.stringify(change), monotonicMs + AWAITED_MS)
  }
}
