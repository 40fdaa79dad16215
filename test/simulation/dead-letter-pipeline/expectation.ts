import type { PipelineConfig } from '../../../src/kinds/dead-letter-pipeline/config.ts'
import { textHeader } from '../../support/delay-queue/world.ts'
import type { Written } from './application.ts'

/** Above this much, the stack does not fit into the topics behind the pipeline. */
const LARGE_STACK_BYTES = 3_000

/** What the documentation promises for a failed record. */
export interface Expected {
  readonly verdict: 'redeliver' | 'redeliver or expire' | 'drop' | 'be dead-lettered'
  /** Deliveries made before. */
  readonly made: number
  /** No redelivery before. */
  readonly earliestMs: number
  /** What a dead letter may say of itself. */
  readonly dispositions: readonly string[]
  readonly topic?: string
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, h: 3_600_000 }

/** Worked out from what users are told, not by the code that is judged. */
export function expectationOf(config: PipelineConfig, { record, appendedMs }: Written): Expected {
  const told = (name: string): string => textHeader(record, name) ?? ''
  const attempt = told('sluice-attempt')
  if (attempt !== '' && !/^[1-9][0-9]{0,8}$/.test(attempt)) return deadLetter(1, 'poison')
  const made = Number(attempt || '1')
  if (told('sluice-disposition') === 'rejected') return deadLetter(made, 'rejected')
  const ruled = config.rules.length > 0
  const errorClass = told('sluice-error-class')
  if (ruled && errorClass === 'Fatal') return { ...deadLetter(made, 'non-retriable'), topic: 'p.fatal' }
  if (ruled && /duplicate key .* exists/.test(told('sluice-error-message')))
    return { verdict: 'drop', made, earliestMs: Infinity, dispositions: [] }
  const busy = ruled && errorClass === 'Busy'
  if (ruled && errorClass === 'string') return deadLetter(made, 'non-retriable')
  if (made >= config.maxAttempts) return deadLetter(made, 'exhausted')
  const [leastMs, mostMs] = waitOf(config, made, told('sluice-retry-after'), busy)
  const large = told('sluice-error-stack').length > LARGE_STACK_BYTES ? ['too-large'] : []
  const deadlineMs = deadlineOf(config, told, appendedMs)
  if (appendedMs + leastMs > deadlineMs) return deadLetter(made, 'expired')
  const within = appendedMs + mostMs <= deadlineMs
  return {
    verdict: within ? 'redeliver' : 'redeliver or expire',
    made,
    earliestMs: appendedMs + leastMs,
    dispositions: within ? large : [...large, 'expired'],
  }
}

const deadLetter = (made: number, disposition: string): Expected => ({
  verdict: 'be dead-lettered',
  made,
  earliestMs: Infinity,
  dispositions: [disposition],
})

/** The shortest and the longest wait. */
function waitOf({ backoff }: PipelineConfig, made: number, retryAfter: string, busy: boolean): readonly [number, number] {
  const [, count, unit] = /^([0-9]+)(ms|s|h)?$/.exec(retryAfter) ?? []
  if (count !== undefined) {
    const askedMs = Math.min(Number(count) * (UNITS[unit ?? 'ms'] ?? 1), busy ? 20_000 : backoff.maxMs)
    return [askedMs, askedMs]
  }
  const wholeMs = Math.min(backoff.maxMs, backoff.initialMs * backoff.factor ** (made - 1))
  const leastMs = { None: wholeMs, Equal: wholeMs / 2, Full: 0 }[backoff.jitter]
  return [Math.floor(leastMs), Math.ceil(wholeMs)]
}

function deadlineOf({ deadlineMs }: PipelineConfig, told: (name: string) => string, appendedMs: number): number {
  const carried = told('sluice-retry-deadline')
  if (/^[0-9]+$/.test(carried)) return Number(carried)
  if (deadlineMs === undefined) return Infinity
  const first = told('sluice-first-failure-at')
  return (/^[0-9]+$/.test(first) ? Number(first) : appendedMs) + deadlineMs
}
