import type { EpochMs } from '../api/resource.ts'
import type { LogRecord } from '../kafka/log.ts'
import { shownInstant } from '../kafka/shown.ts'
import type { Marker } from '../kinds/dead-letter-redrive/handled.ts'
import { deadLetterOf } from './dead-letter.ts'
import type { DeadLetter } from './dead-letter.ts'

interface Counted {
  readonly fingerprint: string
  readonly class: string
  count: number
  unhandled: number
  firstSeenMs: EpochMs
  lastSeenMs: EpochMs
  readonly sample: DeadLetter
}

/** Applications choose fingerprints: what comes after so many is counted together. */
const MOST_GROUPS = 10_000
const OTHERS = 'other'

/** Dead letters of one fingerprint. */
export interface Group {
  readonly fingerprint: string
  readonly class: string
  readonly count: number
  /** Neither redriven nor discarded. */
  readonly unhandled: number
  readonly firstSeen: string | undefined
  readonly lastSeen: string | undefined
  /** The first that was met. */
  readonly sample: DeadLetter
}

/** Counts dead letters by fingerprint. */
export class Groups {
  readonly #byFingerprint = new Map<string, Counted>()
  total = 0

  add(record: LogRecord, handled: Marker['how'] | undefined): void {
    this.total++
    const one = deadLetterOf(record, handled)
    const known = this.#byFingerprint.has(one.fingerprint) || this.#byFingerprint.size < MOST_GROUPS
    const group = this.#of(known ? one.fingerprint : OTHERS, one, record.timestampMs)
    group.count++
    if (handled === undefined) group.unhandled++
    group.firstSeenMs = Math.min(group.firstSeenMs, record.timestampMs)
    group.lastSeenMs = Math.max(group.lastSeenMs, record.timestampMs)
  }

  get kinds(): number {
    return this.#byFingerprint.size
  }

  /** Those that wait for somebody first, then the largest. */
  top(limit: number): readonly Group[] {
    const found = [...this.#byFingerprint.values()].sort((a, b) => b.unhandled - a.unhandled || b.count - a.count)
    return found.slice(0, limit).map(({ firstSeenMs, lastSeenMs, ...group }) => ({
      ...group,
      firstSeen: shownInstant(firstSeenMs),
      lastSeen: shownInstant(lastSeenMs),
    }))
  }

  #of(fingerprint: string, sample: DeadLetter, diedMs: EpochMs): Counted {
    let group = this.#byFingerprint.get(fingerprint)
    if (group === undefined) {
      group = { fingerprint, class: sample.class, count: 0, unhandled: 0, firstSeenMs: diedMs, lastSeenMs: diedMs, sample }
      this.#byFingerprint.set(fingerprint, group)
    }
    return group
  }
}
