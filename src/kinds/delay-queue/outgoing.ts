import type { EpochMs } from '../../api/resource.ts'
import type { LogHeader, OutgoingRecord } from '../../worker/task.ts'
import { ADDED, withoutControl } from './headers.ts'
import { hopHeaders } from './hop.ts'
import type { DeadReason, Item } from './source.ts'

const decimal = (value: number): Buffer => Buffer.from(String(value))

/** Builds the records of one task; what never changes is encoded once. */
export class Outgoing {
  readonly #partition: number
  readonly #partitionText: Buffer
  readonly #topicTexts = new Map<string, Buffer>()

  constructor(partition: number) {
    this.#partition = partition
    this.#partitionText = decimal(partition)
  }

  delivered(item: Item, topic: string, partition: number, now: EpochMs): OutgoingRecord {
    const headers = withoutControl(item.record.headers, item.headerCount)
    headers.push([ADDED.scheduledFor, decimal(item.dueMs)], [ADDED.firedAt, decimal(now)])
    this.#addOrigin(headers, item)
    return { topic, partition, key: item.record.key, value: item.record.value, headers, timestampMs: now }
  }

  moved(item: Item, topic: string): OutgoingRecord {
    return { topic, partition: this.#partition, key: item.record.key, value: item.record.value, headers: hopHeaders(item) }
  }

  /** Key, value and headers as they were, and why. */
  deadLetter(item: Item, reason: DeadReason, topic: string, partition: number, now: EpochMs): OutgoingRecord {
    const headers: LogHeader[] = item.record.headers.slice(0, item.headerCount)
    const message = item.withoutValue
      ? `${reason.message}; the dead letter topic refused the value of ${item.record.value?.length ?? 0} bytes: read it at its origin`
      : reason.message
    headers.push(
      ['sluice-disposition', Buffer.from(reason.disposition)],
      ['sluice-error-code', Buffer.from(reason.code)],
      ['sluice-error-message', Buffer.from(message)],
    )
    this.#addOrigin(headers, item)
    return { topic, partition, key: item.record.key, value: item.withoutValue ? null : item.record.value, headers, timestampMs: now }
  }

  /** A record of the journal or of the ids. */
  state(topic: string, key: Buffer | null, value: Buffer | null): OutgoingRecord {
    return { topic, partition: this.#partition, key, value, headers: [] }
  }

  #addOrigin(headers: LogHeader[], { originTopic, originOffset, originMs }: Item): void {
    let topic = this.#topicTexts.get(originTopic)
    if (topic === undefined) this.#topicTexts.set(originTopic, (topic = Buffer.from(originTopic)))
    headers.push(
      [ADDED.originTopic, topic],
      [ADDED.originPartition, this.#partitionText],
      [ADDED.originOffset, decimal(originOffset)],
      [ADDED.originTimestamp, decimal(originMs)],
    )
  }
}
