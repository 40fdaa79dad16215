import type { Consumer, IHeaders, Kafka } from 'kafkajs'

export interface Received {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly receivedAt: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: IHeaders
}

/** An independent witness: kafkajs, read_committed, from the start of the topics. */
export class Reader {
  readonly records: Received[] = []
  readonly #consumer: Consumer

  private constructor(consumer: Consumer) {
    this.#consumer = consumer
  }

  static async of(kafka: Kafka, group: string, topics: readonly string[]): Promise<Reader> {
    const consumer = kafka.consumer({ groupId: group, maxWaitTimeInMs: 20, readUncommitted: false })
    const reader = new Reader(consumer)
    await consumer.connect()
    await consumer.subscribe({ topics: [...topics], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: ({ batch }) => {
        const receivedAt = Date.now()
        for (const { offset, key, value, headers } of batch.messages)
          reader.records.push({
            topic: batch.topic,
            partition: batch.partition,
            offset: Number(offset),
            receivedAt,
            key,
            value,
            headers: headers ?? {},
          })
        return Promise.resolve()
      },
    })
    return reader
  }

  of(topic: string): readonly Received[] {
    return this.records.filter(record => record.topic === topic)
  }

  async close(): Promise<void> {
    await this.#consumer.disconnect()
  }
}

export const headerText = (record: Received, name: string): string => {
  const value = record.headers[name]
  return (Array.isArray(value) ? value.at(-1) : value)?.toString() ?? ''
}

/** `percentile(values, 0.99)`; NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}
