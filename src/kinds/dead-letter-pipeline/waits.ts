import { parseDuration } from '../../api/duration.ts'
import type { Backoff } from './backoff.ts'
import type { DeadLetterPipelineSpec } from './resource.ts'

export const DEFAULT_MAX_ATTEMPTS = 4
const DEFAULT_INITIAL_MS = 1_000
const DEFAULT_FACTOR = 2
const DEFAULT_MAX_MS = 300_000

/** The back-off of a spec. Jitter is Equal by default: waits spread, and none is shorter than half of what was asked. */
export function backoffOf({ retry }: DeadLetterPipelineSpec): Backoff {
  const { initial, factor, max, jitter } = retry?.backoff ?? {}
  const maxMs = max === undefined ? DEFAULT_MAX_MS : parseDuration(max)
  return {
    initialMs: initial === undefined ? Math.min(DEFAULT_INITIAL_MS, maxMs) : parseDuration(initial),
    factor: factor === undefined ? DEFAULT_FACTOR : Number(factor),
    maxMs: Math.max(maxMs, initial === undefined ? 0 : parseDuration(initial)),
    jitter: jitter ?? 'Equal',
  }
}

/** The longest that any failure can be made to wait. */
export function longestWaitMs(spec: DeadLetterPipelineSpec): number {
  const honoured = (spec.rules ?? []).map(({ retryAfterMax }) => (retryAfterMax === undefined ? 0 : parseDuration(retryAfterMax)))
  return Math.max(backoffOf(spec).maxMs, ...honoured)
}
