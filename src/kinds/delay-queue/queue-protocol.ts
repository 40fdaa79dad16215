import type { EpochMs } from '../../api/resource.ts'
import type { LogHeader, LogRecord, Observation, OutgoingRecord } from '../../worker/task.ts'
import type { Batch } from './batch.ts'
import type { QueueConfig } from './config.ts'
import { ADDED, withoutControl } from './headers.ts'
import { Intake } from './intake.ts'
import { METRIC } from './metrics.ts'
import { gauges, observations } from './observed.ts'
import type { TaskView } from './observed.ts'
import { OriginHeaders, decimal } from './outgoing.ts'
import type { Protocol, Route } from './protocol.ts'
import type { DeadReason, Item, Source } from './source.ts'
import { Targets } from './targets.ts'

/** A delay queue: the producer's headers say when and where to, delivery takes them away again. */
export class QueueProtocol implements Protocol {
  readonly #name: string
  readonly #partition: number
  readonly #deadLetters: string
  readonly #targets: Targets
  readonly #intake: Intake
  readonly #origin: OriginHeaders

  /** @param name `<namespace>/<name>` of the queue, for metrics. */
  constructor(config: QueueConfig, name: string, partition: number) {
    this.#name = name
    this.#partition = partition
    this.#deadLetters = config.topics.deadLetter
    this.#targets = new Targets(config)
    this.#intake = new Intake(config, this.#targets)
    this.#origin = new OriginHeaders(partition)
  }

  read(source: Source, record: LogRecord): Item {
    return this.#intake.read(source, record)
  }

  route({ instructions: { targetTopic, targetPartition } }: Item): Route {
    return { topic: this.#targets.topicOf(targetTopic) ?? '', partition: targetPartition }
  }

  delivered(item: Item, topic: string, partition: number, now: EpochMs): OutgoingRecord {
    const headers = withoutControl(item.record.headers, item.headerCount)
    headers.push([ADDED.scheduledFor, decimal(item.dueMs)], [ADDED.firedAt, decimal(now)])
    this.#origin.add(headers, item)
    return { topic, partition, key: item.record.key, value: item.record.value, headers, timestampMs: now }
  }

  deadLetterTopic(): string {
    return this.#deadLetters
  }

  /** Key, value and headers as they were, and why. */
  deadLetter(item: Item, reason: DeadReason, partitions: number, now: EpochMs): OutgoingRecord {
    const headers: LogHeader[] = item.record.headers.slice(0, item.headerCount)
    const message = item.withoutValue
      ? `${reason.message}; the dead letter topic refused the value of ${item.record.value?.length ?? 0} bytes: read it at its origin`
      : reason.message
    headers.push(
      ['sluice-disposition', Buffer.from(reason.disposition)],
      ['sluice-error-code', Buffer.from(reason.code)],
      ['sluice-error-message', Buffer.from(message)],
    )
    this.#origin.add(headers, item)
    const value = item.withoutValue ? null : item.record.value
    return { topic: this.#deadLetters, partition: this.#partition % partitions, key: item.record.key, value, headers, timestampMs: now }
  }

  observations(batch: Batch, now: EpochMs): readonly Observation[] {
    return observations(batch, now, this.#name)
  }

  gauges(view: TaskView): readonly Observation[] {
    return gauges(view, METRIC, { queue: this.#name, partition: String(this.#partition) })
  }
}
