/** How long a failed record waits before it is delivered again. */
export interface Backoff {
  readonly initialMs: number
  readonly factor: number
  readonly maxMs: number
  readonly jitter: 'Full' | 'Equal' | 'None'
}

/**
 * The wait after the `made`th delivery failed: initial, initial * factor, ..., never above the cap; jitter takes all of it or its upper half.
 * @param fraction from 0 to below 1: where in the range of the jitter. The same record must get the same, however often it is read.
 * @returns whole milliseconds.
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ for Full and Equal
 */
export function waitMs({ initialMs, factor, maxMs, jitter }: Backoff, made: number, fraction: number): number {
  const wholeMs = Math.min(maxMs, initialMs * factor ** (made - 1))
  switch (jitter) {
    case 'None':
      return Math.round(wholeMs)
    case 'Full':
      return Math.round(wholeMs * fraction)
    case 'Equal':
      return Math.round(wholeMs / 2 + (wholeMs / 2) * fraction)
  }
}
