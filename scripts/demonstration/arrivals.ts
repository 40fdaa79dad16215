import { randomBytes } from 'node:crypto'
import type { Consumer, IHeaders, Kafka } from 'kafkajs'

export interface Arrival {
  readonly topic: string
  readonly value: string
  readonly headers: Readonly<Record<string, string>>
  /** By this program's clock, when it had the record in hand. */
  readonly atMs: number
}

/** Everything that comes out, as an independent read_committed consumer sees it. */
export class Arrivals {
  readonly #byValue = new Map<string, Arrival[]>()
  readonly #consumer: Consumer

  private constructor(consumer: Consumer) {
    this.#consumer = consumer
  }

  /** Resolves when the consumer has its partitions. */
  static async at(kafka: Kafka, topics: readonly string[]): Promise<Arrivals> {
    const groupId = `sluice-demo-${randomBytes(4).toString('hex')}`
    const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 20, minBytes: 1, readUncommitted: false })
    const arrivals = new Arrivals(consumer)
    await consumer.connect()
    await consumer.subscribe({ topics: [...topics], fromBeginning: true })
    const joined = new Promise(resolve => consumer.on(consumer.events.GROUP_JOIN, resolve))
    await consumer.run({
      eachMessage: ({ topic, message }) => {
        arrivals.#note({ topic, value: message.value?.toString() ?? '', headers: plain(message.headers), atMs: Date.now() })
        return Promise.resolve()
      },
    })
    await joined
    return arrivals
  }

  of(value: string): readonly Arrival[] {
    return this.#byValue.get(value) ?? []
  }

  async stop(): Promise<void> {
    await this.#consumer.disconnect()
  }

  #note(arrival: Arrival): void {
    this.#byValue.set(arrival.value, [...this.of(arrival.value), arrival])
  }
}

const plain = (headers: IHeaders | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]))
