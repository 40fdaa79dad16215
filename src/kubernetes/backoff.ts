const FIRST_MS = 1_000
const LAST_MS = 30_000

/** Spread by a quarter to both sides, so that replicas and watches do not come back in step. */
export const jitter = (delayMs: number, random: () => number): number => delayMs * (0.75 + random() / 2)

/** Wait before attempt `failures` + 1: 1 s, doubled up to 30 s, jittered. */
export const backoffMs = (failures: number, random: () => number): number =>
  jitter(Math.min(LAST_MS, FIRST_MS * 2 ** Math.max(0, failures - 1)), random)
