import type { Message } from '@confluentinc/kafka-javascript'
import { newConsumer } from '../../src/kafka/confluent/binding.ts'
import type { Consumer } from '../../src/kafka/confluent/binding.ts'

const MOST = 5_000
const WAIT_MS = 20

/**
 * A read_committed consumer that always has a request at the broker, so that it adds as little as it can to the lateness that it measures. (The
 * worker's reader rests between two requests, to spare the broker.)
 */
export class TargetReader {
  readonly #consumer: Consumer

  private constructor(consumer: Consumer) {
    this.#consumer = consumer
  }

  /** Reads all partitions of the topic from their start. */
  static async open(bootstrap: string, topic: string, partitions: number): Promise<TargetReader> {
    const consumer = newConsumer({
      'bootstrap.servers': bootstrap,
      'group.id': 'bench',
      'enable.auto.commit': false,
      'enable.auto.offset.store': false,
      'isolation.level': 'read_committed',
      'socket.nagle.disable': true,
      'fetch.wait.max.ms': 500,
      'fetch.queue.backoff.ms': 1,
      'queued.min.messages': 1_000_000,
      'queued.max.messages.kbytes': 262_144,
    })
    await called(done => {
      consumer.connect({ allTopics: false, timeout: 10_000 }, done)
    })
    consumer.setDefaultConsumeTimeout(WAIT_MS)
    // Wait for the first message only: take what has arrived, and leave.
    consumer.setDefaultIsTimeoutOnlyForFirstMessage(true)
    consumer.assign(Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0 })))
    return new TargetReader(consumer)
  }

  /** What has arrived, in the order of each partition; waits a moment when nothing has. */
  async poll(): Promise<readonly Message[]> {
    return called<readonly Message[]>(done => {
      this.#consumer.consume(MOST, done)
    })
  }

  async close(): Promise<void> {
    await called(done => {
      this.#consumer.disconnect(done)
    })
  }
}

/** The delivered message's due time as its header says, epoch ms; NaN without. */
export function dueMsOf({ headers = [] }: Message): number {
  const header = headers.findLast(each => Object.hasOwn(each, 'sluice-scheduled-for'))
  return Number((header?.['sluice-scheduled-for'] as Buffer | undefined)?.toString())
}

const called = <Answer = unknown>(start: (done: (error: unknown, answer?: Answer) => void) => void): Promise<Answer> =>
  new Promise((resolve, reject) => {
    start((error, answer) => {
      if (error instanceof Error) reject(error)
      else resolve(answer as Answer)
    })
  })
