import { hash } from 'node:crypto'
import { formatDuration } from '../../api/duration.ts'
import type { EpochMs } from '../../api/resource.ts'
import type { LogRecord, Observation, OutgoingRecord } from '../../worker/task.ts'
import type { Batch } from '../delay-queue/batch.ts'
import { NOTHING } from '../delay-queue/headers.ts'
import { readHop } from '../delay-queue/hop.ts'
import { gauges } from '../delay-queue/observed.ts'
import type { TaskView } from '../delay-queue/observed.ts'
import type { Protocol, Route } from '../delay-queue/protocol.ts'
import { Item } from '../delay-queue/source.ts'
import type { Origin as Place, DeadReason, Source } from '../delay-queue/source.ts'
import { waitMs } from './backoff.ts'
import type { PipelineConfig } from './config.ts'
import { springHeaders, withContext } from './context.ts'
import type { Context } from './context.ts'
import { readFailure } from './failure.ts'
import type { Failure } from './failure.ts'
import { METRIC } from './metrics.ts'
import { PipelineObservations } from './observed.ts'
import { Rules } from './rules.ts'

/** A pipeline: a record on `.retry` waits as long as its attempts say and goes to `.redelivery`, or becomes a dead letter. */
export class RetryProtocol implements Protocol {
  readonly #config: PipelineConfig
  readonly #name: string
  readonly #partition: number
  readonly #rules: Rules
  readonly #observations: PipelineObservations

  /** @param name `<namespace>/<name>` of the pipeline, for metrics. @throws Error naming a rule whose pattern is not RE2. */
  constructor(config: PipelineConfig, name: string, partition: number) {
    this.#config = config
    this.#name = name
    this.#partition = partition
    this.#rules = new Rules(config.rules)
    this.#observations = new PipelineObservations(name)
  }

  read(source: Source, record: LogRecord): Item {
    const here: Place = {
      topic: record.topic,
      offset: record.offset,
      appendedMs: record.timestampMs,
      dueMs: NaN,
      headerCount: record.headers.length,
    }
    if (source.type !== 'tier') return this.#judge(source, record, here)
    const place = readHop(record, this.#config.topics.retry)
    if (place !== undefined) return new Item(source, record, NOTHING, 'deliver', place)
    const message = `${source.topic} is internal: write to ${this.#config.topics.retry}`
    return dead(source, record, here, { disposition: 'poison', code: 'NotOurs', message })
  }

  route(): Route {
    return { topic: this.#config.topics.redelivery, partition: this.#partition }
  }

  delivered(item: Item, topic: string, partition: number, now: EpochMs): OutgoingRecord {
    const { key, value, headers } = item.record
    const failure = this.#failureOf(item.record, item.headerCount)
    const context = { ...this.#context(failure, item), attempt: (failure.made ?? 1) + 1 }
    return { topic, partition, key, value, headers: withContext(headers, item.headerCount, context), timestampMs: now }
  }

  deadLetterTopic({ topic }: DeadReason): string {
    return topic ?? this.#config.topics.deadLetter
  }

  /** The record stays whole; of the context, what is long goes first when a topic takes no more. */
  deadLetter(item: Item, reason: DeadReason, partitions: number, now: EpochMs): OutgoingRecord {
    const { key, value, headers } = item.record
    const told = this.#failureOf(item.record, item.headerCount)
    // An application that said nothing of an error leaves room for ours.
    const silent = told.errorClass === '' && told.message === '' && told.code === ''
    const failure = silent ? { ...told, code: reason.code, message: reason.message } : told
    const context = { ...this.#context(failure, item), disposition: reason.disposition, brief: item.withoutValue }
    const written = withContext(headers, item.headerCount, context)
    if (this.#config.springHeaders) written.push(...springHeaders(context, written))
    const partition = context.origin.partition % partitions
    return { topic: this.deadLetterTopic(reason), partition, key, value, headers: written, timestampMs: now }
  }

  observations(batch: Batch, now: EpochMs): readonly Observation[] {
    return this.#observations.of(batch, now)
  }

  gauges(view: TaskView): readonly Observation[] {
    return gauges(view, METRIC, { pipeline: this.#name, partition: String(this.#partition) })
  }

  #judge(source: Source, record: LogRecord, here: Place): Item {
    const failure = this.#failureOf(record, here.headerCount)
    const decision = this.#decide(failure, record)
    if (decision === 'drop') {
      const item = new Item(source, record, NOTHING, 'drop', here)
      item.dropped = 'ruleDropped'
      return item
    }
    return typeof decision === 'number'
      ? new Item(source, record, NOTHING, 'deliver', { ...here, dueMs: decision })
      : dead(source, record, here, decision)
  }

  /** When to try again, or why not. */
  #decide(failure: Failure, record: LogRecord): EpochMs | DeadReason | 'drop' {
    const { made } = failure
    if (made === undefined) return UNREADABLE_ATTEMPT
    if (failure.rejected) return { disposition: 'rejected', code: 'Rejected', message: 'the application refused the record for good' }
    const verdict = this.#rules.judge({ failure, headers: record.headers })
    if (verdict.action === 'Drop') return 'drop'
    const to = verdict.deadLetterTopic === undefined ? {} : { topic: verdict.deadLetterTopic }
    if (verdict.action === 'DeadLetter') return { ...byRule(verdict.rule), ...to }
    if (made >= this.#config.maxAttempts) return { ...exhausted(made, this.#config.maxAttempts), ...to }
    const dueMs = record.timestampMs + this.#waitMs(failure, made, record, verdict.retryAfterMaxMs)
    const deadlineMs = this.#deadlineMs(failure, record.timestampMs)
    return deadlineMs !== undefined && dueMs > deadlineMs ? { ...expired(dueMs, deadlineMs), ...to } : dueMs
  }

  #waitMs({ retryAfterMs }: Failure, made: number, record: LogRecord, retryAfterMaxMs: number | undefined): number {
    const { backoff } = this.#config
    if (retryAfterMs !== undefined) return Math.min(retryAfterMs, retryAfterMaxMs ?? backoff.maxMs)
    // Not random: whoever reads the record again after a crash must come to the same instant.
    return waitMs(backoff, made, fractionOf(`${record.topic}/${record.partition}/${record.offset}`))
  }

  #deadlineMs(failure: Failure, appendedMs: EpochMs): EpochMs | undefined {
    if (failure.deadlineMs !== undefined) return failure.deadlineMs
    const { deadlineMs } = this.#config
    return deadlineMs === undefined ? undefined : (failure.firstFailureMs ?? appendedMs) + deadlineMs
  }

  #context(failure: Failure, { originTopic, originOffset, originMs }: Item): Context {
    const { group, maxAttempts } = this.#config
    const here = { topic: originTopic, partition: this.#partition, offset: originOffset, timestampMs: originMs, group }
    return {
      failure,
      attempt: failure.made ?? 1,
      maxAttempts,
      firstFailureMs: failure.firstFailureMs ?? originMs,
      lastFailureMs: originMs,
      deadlineMs: this.#deadlineMs(failure, originMs),
      origin: failure.origin ?? here,
    }
  }

  #failureOf(record: LogRecord, headerCount: number): Failure {
    return readFailure(record.headers, headerCount, this.#config.group)
  }
}

/** From 0 to below 1, evenly spread, the same for the same text. */
const fractionOf = (text: string): number => hash('sha1', text, 'buffer').readUInt32BE() / 2 ** 32

function dead(source: Source, record: LogRecord, place: Place, reason: DeadReason): Item {
  const item = new Item(source, record, NOTHING, 'deadLetter', place)
  item.dead = reason
  return item
}

const UNREADABLE_ATTEMPT: DeadReason = {
  disposition: 'poison',
  code: 'InvalidAttempt',
  message: 'sluice-attempt is not a whole number from 1: copy the headers of the delivered record as they are',
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
