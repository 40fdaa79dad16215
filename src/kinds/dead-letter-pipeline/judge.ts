import { hash } from 'node:crypto'
import { formatDuration } from '../../api/duration.ts'
import type { EpochMs } from '../../api/resource.ts'
import type { LogHeader } from '../../worker/task.ts'
import type { DeadReason } from '../delay-queue/source.ts'
import { waitMs } from './backoff.ts'
import type { PipelineConfig } from './config.ts'
import type { Failure } from './failure.ts'
import { isRetriable, statusIn } from './http/statuses.ts'
import { Rules } from './rules.ts'
import type { Verdict } from './rules.ts'

/** When and where a delivery failed. */
export interface Occasion {
  readonly atMs: EpochMs
  /** Names the failure for ever: whoever judges it again must come to the same instant. */
  readonly place: string
}

/** What becomes of a failure: when it is tried again, why not, or nothing at all. */
export type Decision = EpochMs | DeadReason | 'drop'

/** Attempts, deadline, rules and, of an HTTP answer, what its status means where no rule speaks of it. */
export class Judge {
  readonly #config: PipelineConfig
  readonly #rules: Rules

  /** @throws Error naming a rule whose pattern is not RE2. */
  constructor(config: PipelineConfig) {
    this.#config = config
    this.#rules = new Rules(config.rules)
  }

  decide(failure: Failure, headers: readonly LogHeader[], occasion: Occasion): Decision {
    const { made } = failure
    if (made === undefined) return UNREADABLE_ATTEMPT
    if (failure.rejected) return { disposition: 'rejected', code: 'Rejected', message: 'the application refused the record for good' }
    const verdict = this.#verdict(failure, headers)
    if (verdict === undefined) return NOT_WORTH_ANOTHER
    if (verdict.action === 'Drop') return 'drop'
    const to = verdict.deadLetterTopic === undefined ? {} : { topic: verdict.deadLetterTopic }
    if (verdict.action === 'DeadLetter') return { ...byRule(verdict.rule), ...to }
    if (made >= this.#config.maxAttempts) return { ...exhausted(made, this.#config.maxAttempts), ...to }
    const dueMs = occasion.atMs + this.#waitMs(failure, made, occasion.place, verdict.retryAfterMaxMs)
    const deadlineMs = this.deadlineMs(failure, occasion.atMs)
    return deadlineMs !== undefined && dueMs > deadlineMs ? { ...expired(dueMs, deadlineMs), ...to } : dueMs
  }

  /** Whether another delivery could help, however many were made. */
  isFinal(failure: Failure, headers: readonly LogHeader[]): boolean {
    return this.#verdict(failure, headers)?.action !== 'Retry'
  }

  deadlineMs(failure: Failure, failedMs: EpochMs): EpochMs | undefined {
    if (failure.deadlineMs !== undefined) return failure.deadlineMs
    const { deadlineMs } = this.#config
    return deadlineMs === undefined ? undefined : (failure.firstFailureMs ?? failedMs) + deadlineMs
  }

  /** undefined: no rule speaks of it, and its status says that the same request will never succeed. */
  #verdict(failure: Failure, headers: readonly LogHeader[]): Verdict | undefined {
    const status = this.#config.http === undefined ? undefined : statusIn(failure.errorClass)
    const ruled = this.#rules.judge({ failure, headers, ...(status !== undefined && { status }) })
    return ruled.rule === undefined && status !== undefined && !isRetriable(status) ? undefined : ruled
  }

  #waitMs({ retryAfterMs }: Failure, made: number, place: string, retryAfterMaxMs: number | undefined): number {
    const { backoff } = this.#config
    if (retryAfterMs !== undefined) return Math.min(retryAfterMs, retryAfterMaxMs ?? backoff.maxMs)
    return waitMs(backoff, made, backoff.jitter === 'None' ? 0 : fractionOf(place))
  }
}

/** From 0 to below 1, evenly spread, the same for the same text. */
const fractionOf = (text: string): number => hash('sha1', text, 'buffer').readUInt32BE() / 2 ** 32

const UNREADABLE_ATTEMPT: DeadReason = {
  disposition: 'poison',
  code: 'InvalidAttempt',
  message: 'sluice-attempt is not a whole number from 1: copy the headers of the delivered record as they are',
}

const NOT_WORTH_ANOTHER: DeadReason = {
  disposition: 'non-retriable',
  code: 'NonRetriable',
  message: 'the status says that the same request will never succeed; a rule on match.status can say otherwise',
}

const byRule = (rule: number): DeadReason => ({
  disposition: 'non-retriable',
  code: 'NonRetriable',
  message: `spec.rules[${rule}] says DeadLetter`,
})

const exhausted = (made: number, most: number): DeadReason => ({
  disposition: 'exhausted',
  code: 'AttemptsExhausted',
  message: `${made} deliveries were made, spec.retry.maxAttempts is ${most}`,
})

const expired = (dueMs: EpochMs, deadlineMs: EpochMs): DeadReason => ({
  disposition: 'expired',
  code: 'DeadlinePassed',
  message: `the next delivery would be ${formatDuration(Math.max(1, dueMs - deadlineMs))} after the deadline ${deadlineMs}`,
})
