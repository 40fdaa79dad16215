/** Fingerprints that one partition counts one by one; the commit metadata of a partition holds 4,096 bytes. */
const MOST_FINGERPRINTS = 30
const LONGEST_FINGERPRINT = 32
export const OTHER_FINGERPRINTS = 'other'

/** How far a run is in one partition. Travels beside the committed offset, hence in the transaction that it tells of. */
export interface Progress {
  readonly run: string
  /** What the selectors select. */
  readonly matched: number
  readonly sent: number
  /** Matched, and handled before by another redrive or a discard. */
  readonly handled: number
  /** Matched, and redriven as often as is allowed: they stay where they are. */
  readonly parked: number
  /** Matched, and refused by the target for good: they stay where they are. */
  readonly failed: number
  /** The partition has nothing left to do. */
  readonly done: boolean
  /** What is or would be moved, by fingerprint. */
  readonly fingerprints: ReadonlyMap<string, number>
}

export const nothingYet = (run: string): Progress => ({
  run,
  matched: 0,
  sent: 0,
  handled: 0,
  parked: 0,
  failed: 0,
  done: false,
  fingerprints: new Map(),
})

export const encodeProgress = ({ run, matched, sent, handled, parked, failed, done, fingerprints }: Progress): string =>
  JSON.stringify({ run, n: [matched, sent, handled, parked, failed], d: done ? 1 : 0, h: [...fingerprints] })

/** undefined: not of this run, or nothing that we wrote. */
export function readProgress(note: string | undefined, run: string): Progress | undefined {
  try {
    const told = JSON.parse(note ?? '') as { run?: unknown; n?: unknown; d?: unknown; h?: unknown }
    if (told.run !== run || !Array.isArray(told.n) || !Array.isArray(told.h)) return undefined
    const [matched = 0, sent = 0, handled = 0, parked = 0, failed = 0] = told.n as number[]
    return { run, matched, sent, handled, parked, failed, done: told.d === 1, fingerprints: new Map(told.h as [string, number][]) }
  } catch {
    return undefined
  }
}

/** Counts one; what comes after the first thirty is counted together. */
export function countFingerprint(counts: Map<string, number>, fingerprint: string): void {
  const name = fingerprint.replace(/[^\x21-\x7e]|["\\]/g, '?').slice(0, LONGEST_FINGERPRINT)
  const known = counts.has(name) || counts.size < MOST_FINGERPRINTS ? name : OTHER_FINGERPRINTS
  counts.set(known, (counts.get(known) ?? 0) + 1)
}

/** All partitions of a run together. */
export function total(run: string, parts: readonly Progress[]): Progress {
  const fingerprints = new Map<string, number>()
  for (const part of parts) for (const [name, count] of part.fingerprints) fingerprints.set(name, (fingerprints.get(name) ?? 0) + count)
  const sum = (of: (part: Progress) => number): number => parts.reduce((all, part) => all + of(part), 0)
  return {
    run,
    matched: sum(({ matched }) => matched),
    sent: sum(({ sent }) => sent),
    handled: sum(({ handled }) => handled),
    parked: sum(({ parked }) => parked),
    failed: sum(({ failed }) => failed),
    done: parts.every(({ done }) => done),
    fingerprints,
  }
}
