/** The smallest tier: a record that leaves it still has the guard before it, whatever the horizon. */
export const SMALLEST_TIER_MS = 8_000

/** How long before its due time a record must come out of the last tier: read-ahead, a transaction and a take-over fit in. */
export const GUARD_MS = 2_000

/** Records due within this time wait in memory; the horizon shrinks to the smaller figure as memory runs short. */
export const HORIZON_MS = 64_000
export const SHORTEST_HORIZON_MS = SMALLEST_TIER_MS + GUARD_MS

/**
 * The delays of the tier topics: powers of two in seconds, from 8 s to the largest that is not above the longest delay. A delay is then the sum
 * of a few of them (binary decomposition), so a record is written once for each set bit and no tier keeps state: within one, the order of
 * arrival is the order of leaving.
 */
export function ladder(maxDelayMs: number): readonly number[] {
  const tiers: number[] = []
  for (let tierMs = SMALLEST_TIER_MS; tierMs <= maxDelayMs; tierMs *= 2) tiers.push(tierMs)
  return tiers
}

/** Index of the largest tier that a record may enter with `remainingMs` before it is due, or -1: none, it waits in memory. */
export function tierFor(tiersMs: readonly number[], remainingMs: number): number {
  for (let i = tiersMs.length - 1; i >= 0; i--) if ((tiersMs[i] ?? 0) + GUARD_MS <= remainingMs) return i
  return -1
}

/** Tiers that a record passes on its way, largest first, when nothing is late: for figures and tests. */
export function hops(tiersMs: readonly number[], delayMs: number, horizonMs: number = HORIZON_MS): readonly number[] {
  const path: number[] = []
  for (let remainingMs = delayMs; remainingMs > horizonMs;) {
    const tierMs = tiersMs[tierFor(tiersMs, remainingMs)]
    if (tierMs === undefined) break
    path.push(tierMs)
    remainingMs -= tierMs
  }
  return path
}
