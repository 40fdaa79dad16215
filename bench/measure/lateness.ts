export interface Lateness {
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export function latenessOf(latenessMs: Float64Array): Lateness {
  const sorted = latenessMs.toSorted()
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
  return { p50Ms: at(0.5), p90Ms: at(0.9), p99Ms: at(0.99), maxMs: at(1) }
}

/** What came in each sixth of a run: a backlog that grows shows here. */
export const sixths = (latenessMs: Float64Array): readonly Float64Array[] =>
  Array.from({ length: 6 }, (_, i) => latenessMs.subarray((i * latenessMs.length) / 6, ((i + 1) * latenessMs.length) / 6))
