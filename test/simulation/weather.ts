import type { Random } from '../support/delay-queue/random.ts'
import type { Network } from '../support/model/time.ts'

/** What a seed makes of a run. */
export interface Weather {
  readonly workers: number
  readonly partitions: number
  /** Messages, cancels and fires that are written. */
  readonly writes: number
  /** How long users write and things go wrong. */
  readonly stormMs: number
  /** Longest delay that is asked for, of most messages and of a few. */
  readonly delaysMs: readonly number[]
  readonly valueBytes: number
  readonly memoryBudgetBytes: number
  /** Chance of each fault in a second. */
  readonly faults: Readonly<Record<Fault, number>>
}

export const FAULTS = [
  'crash',
  'pause',
  'stall',
  'expel',
  'scale',
  'roll',
  'clock',
  'leader',
  'groups',
  'transactions',
  'commit',
  'metadata',
  'slow',
  'markers',
  'compact',
  'truncate',
  'foreign',
  'contract',
] as const
export type Fault = (typeof FAULTS)[number]

/** Below this much, the tasks of a run are short of memory now and then. */
export const PLENTY_BYTES = 64 * 1_048_576

export function weatherOf(random: Random): Weather {
  const far = random.chance(0.25)
  const short = random.chance(0.2)
  // Mostly one or two kinds of fault at a time: they reach deeper than everything at once.
  const favourites = new Set([random.pick(FAULTS), random.pick(FAULTS), random.pick(FAULTS)])
  const wild = random.chance(0.3)
  const faults = Object.fromEntries(
    FAULTS.map(fault => [fault, favourites.has(fault) ? 0.1 + random.next() * 0.4 : wild ? 0.05 : 0]),
  ) as Record<Fault, number>
  return {
    workers: 1 + random.below(3),
    partitions: 1 + random.below(3),
    writes: 15 + random.below(40),
    stormMs: 6_000 + random.below(18_000),
    delaysMs: far ? [5, 2_000, 20_000, 100_000] : [5, 1_000, 5_000, 20_000],
    valueBytes: short ? 4_000 + random.below(12_000) : 10 + random.below(100),
    memoryBudgetBytes: short ? 32_768 + random.below(262_144) : PLENTY_BYTES,
    faults,
  }
}

/** The network of a run: what it does to requests is drawn from the seed; calm when nothing is to go wrong any more. */
export class SeededNetwork implements Network {
  readonly #random: Random
  readonly #usualMs: number
  readonly #lossy: number
  readonly #fetched: number
  readonly #markers: number
  calm = false
  /** Transactions end slowly at the moment. */
  slow = false

  constructor(random: Random) {
    this.#random = random
    this.#usualMs = random.pick([0.5, 1, 1, 3, 10])
    this.#lossy = random.pick([0, 0, 0.005, 0.02])
    this.#fetched = random.pick([1, 3, 20, 1000])
    this.#markers = random.pick([2, 4, 100])
  }

  delayMs(): number {
    const usual = this.#random.next() * this.#usualMs * 2
    if (this.calm || !this.#random.chance(0.01)) return usual
    return usual + this.#random.next() * (this.slow ? 3_000 : 200)
  }

  fate(): 'arrives' | 'request lost' | 'answer lost' {
    if (this.calm || this.#lossy === 0 || !this.#random.chance(this.#lossy)) return 'arrives'
    return this.#random.chance(0.5) ? 'request lost' : 'answer lost'
  }

  retryMs(): number {
    return this.#random.pick([5, 20, 100, this.calm ? 100 : 1_000])
  }

  markerMs(): number {
    return 0.1 + this.#random.next() * (this.slow ? 2_000 : this.#usualMs * this.#markers)
  }

  outlives(): boolean {
    return this.#random.chance(0.5)
  }

  fetchRecords(): number {
    return this.#fetched
  }
}
