import type { EpochMs } from '../../api/resource.ts'

/** A transaction that is not settled by then never will be: its task is gone. */
const FORGOTTEN_AFTER_MS = 60_000
/** What was not used up is kept for so long: a stall is caught up with, not a night. */
const MOST_SAVED_MS = 1_000
/** Paced records go in batches: a transaction for each would cost the brokers more than the records. */
const REST_MS = 25

interface Reservation {
  readonly count: number
  readonly until: EpochMs
}

/**
 * Rate and limit of a run belong to all of its partitions together; its tasks run in one process (the run has one worker) and share them here. What a
 * task has proposed is reserved until it is committed: an abort costs nothing.
 */
export class Share {
  readonly #perMs: number
  readonly #most: number
  readonly #partitions: number
  readonly #moved = new Map<number, number>()
  readonly #reserved = new Map<number, Reservation>()
  #tokens = 0
  #atMs: EpochMs | undefined
  #restUntil: EpochMs = 0

  constructor(ratePerSecond: number | undefined, maxMessages: number | undefined, partitions: number) {
    this.#perMs = (ratePerSecond ?? Infinity) / 1000
    this.#most = maxMessages ?? Infinity
    this.#partitions = partitions
  }

  /** A task was restored: so many of its partition were moved in earlier lives. */
  restored(partition: number, moved: number): void {
    this.#reserved.delete(partition)
    this.#moved.set(partition, moved)
  }

  /** How many more the partition may move now. */
  available(partition: number, now: EpochMs): number {
    this.#reserved.delete(partition)
    const free = Math.min(this.#left() ?? 0, this.#level(now)) - this.#reservedByOthers(now)
    // The moment that nextAt names must be enough, whatever the rounding.
    return Math.max(0, Math.floor(free + 1e-6))
  }

  reserve(partition: number, count: number, now: EpochMs): void {
    if (count > 0) this.#reserved.set(partition, { count, until: now + FORGOTTEN_AFTER_MS })
  }

  /** The reservation was committed. */
  spend(partition: number, count: number, now: EpochMs): void {
    this.#reserved.delete(partition)
    this.#moved.set(partition, (this.#moved.get(partition) ?? 0) + count)
    if (this.#perMs === Infinity || count === 0) return
    this.#tokens = this.#level(now) - count
    this.#atMs = now
    this.#restUntil = now + REST_MS
  }

  /** The limit is reached. */
  get exhausted(): boolean {
    return this.#left() === 0
  }

  /** When something may go again, as far as is known. */
  nextAt(now: EpochMs): EpochMs {
    if (this.#perMs === Infinity) return now + REST_MS
    const enoughAt = now + Math.max(0, Math.ceil((1 - this.#level(now)) / this.#perMs))
    return Math.max(enoughAt, Math.min(this.#restUntil, now + REST_MS))
  }

  resting(now: EpochMs): boolean {
    return now < this.#restUntil && this.#restUntil - now <= REST_MS
  }

  /** Where there is a limit, what was moved of every partition must be known first: undefined until then. */
  #left(): number | undefined {
    if (this.#most === Infinity) return Infinity
    if (this.#moved.size < this.#partitions) return undefined
    return Math.max(
      0,
      [...this.#moved.values()].reduce((left, moved) => left - moved, this.#most),
    )
  }

  #reservedByOthers(now: EpochMs): number {
    let sum = 0
    for (const { count, until } of this.#reserved.values()) if (until > now) sum += count
    return sum
  }

  #level(now: EpochMs): number {
    if (this.#perMs === Infinity) return Infinity
    this.#atMs ??= now
    // The clock was set back: what was earned is kept, the rest is earned from now on.
    if (now < this.#atMs) this.#atMs = now
    return Math.min(Math.max(1, this.#perMs * MOST_SAVED_MS), this.#tokens + (now - this.#atMs) * this.#perMs)
  }
}
