import type { EpochMs } from '../../api/resource.ts'
import type { LogRecord, Observation, OutgoingRecord } from '../../worker/task.ts'
import type { Batch } from '../delay-queue/batch.ts'
import { NOTHING } from '../delay-queue/headers.ts'
import { readHop } from '../delay-queue/hop.ts'
import { gauges } from '../delay-queue/observed.ts'
import type { TaskView } from '../delay-queue/observed.ts'
import type { Protocol, Route } from '../delay-queue/protocol.ts'
import { Item, timeless } from '../delay-queue/source.ts'
import type { Origin as Place, DeadReason, Source } from '../delay-queue/source.ts'
import type { PipelineConfig } from './config.ts'
import { withContext } from './context.ts'
import type { Context } from './context.ts'
import { deadLetterOf } from './dead-letter.ts'
import { readFailure } from './failure.ts'
import type { Failure } from './failure.ts'
import { Judge } from './judge.ts'
import { METRIC } from './metrics.ts'
import { PipelineObservations } from './observed.ts'

/** A pipeline: a record on `.retry` waits as long as its attempts say and goes to `.redelivery`, or becomes a dead letter. */
export class RetryProtocol implements Protocol {
  readonly #config: PipelineConfig
  readonly #name: string
  readonly #partition: number
  readonly #judge: Judge
  readonly #observations: PipelineObservations

  /** @param name `<namespace>/<name>` of the pipeline, for metrics. @throws Error naming a rule whose pattern is not RE2. */
  constructor(config: PipelineConfig, name: string, partition: number) {
    this.#config = config
    this.#name = name
    this.#partition = partition
    this.#judge = new Judge(config)
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
    const unusable = timeless(record)
    if (unusable !== undefined) return dead(source, record, here, unusable)
    if (source.type !== 'tier') return this.#judged(source, record, here)
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

  deadLetter(item: Item, reason: DeadReason, partitions: number, now: EpochMs): OutgoingRecord {
    const failure = this.#failureOf(item.record, item.headerCount)
    const context = { ...this.#context(failure, item), brief: item.withoutValue }
    const topic = this.deadLetterTopic(reason)
    return deadLetterOf({ record: item.record, headerCount: item.headerCount, context, reason, topic, partitions, now }, this.#config)
  }

  observations(batch: Batch, now: EpochMs): readonly Observation[] {
    return this.#observations.of(batch, now)
  }

  gauges(view: TaskView): readonly Observation[] {
    return gauges(view, METRIC, { pipeline: this.#name, partition: String(this.#partition) })
  }

  #judged(source: Source, record: LogRecord, here: Place): Item {
    const failure = this.#failureOf(record, here.headerCount)
    const place = `${record.topic}/${record.partition}/${record.offset}`
    const decision = this.#judge.decide(failure, record.headers, { atMs: record.timestampMs, place })
    if (decision === 'drop') {
      const item = new Item(source, record, NOTHING, 'drop', here)
      item.dropped = 'ruleDropped'
      return item
    }
    return typeof decision === 'number'
      ? new Item(source, record, NOTHING, 'deliver', { ...here, dueMs: decision })
      : dead(source, record, here, decision)
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
      deadlineMs: this.#judge.deadlineMs(failure, originMs),
      origin: failure.origin ?? here,
    }
  }

  #failureOf(record: LogRecord, headerCount: number): Failure {
    return readFailure(record.headers, headerCount, this.#config.group)
  }
}

function dead(source: Source, record: LogRecord, place: Place, reason: DeadReason): Item {
  const item = new Item(source, record, NOTHING, 'deadLetter', place)
  item.dead = reason
  return item
}
