import type { LogHeader, OutgoingRecord } from '../../worker/task.ts'
import { ADDED } from './headers.ts'
import { hopHeaders } from './hop.ts'
import type { Item } from './source.ts'

export const decimal = (value: number): Buffer => Buffer.from(String(value))

/** Builds the records that one task writes to its own topics. */
export class Outgoing {
  readonly #partition: number

  constructor(partition: number) {
    this.#partition = partition
  }

  moved(item: Item, topic: string): OutgoingRecord {
    return { topic, partition: this.#partition, key: item.record.key, value: item.record.value, headers: hopHeaders(item) }
  }

  /** A record of the journal or of the ids. */
  state(topic: string, key: Buffer | null, value: Buffer | null): OutgoingRecord {
    return { topic, partition: this.#partition, key, value, headers: [] }
  }
}

/** `sluice-origin-*` of the records of one task; what never changes is encoded once. */
export class OriginHeaders {
  readonly #partitionText: Buffer
  readonly #topicTexts = new Map<string, Buffer>()

  constructor(partition: number) {
    this.#partitionText = decimal(partition)
  }

  add(headers: LogHeader[], { originTopic, originOffset, originMs }: Item): void {
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
