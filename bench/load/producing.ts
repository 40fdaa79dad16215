import { setTimeout as pause } from 'node:timers/promises'
import confluent from '@confluentinc/kafka-javascript'
import type { Producer, ProducerGlobalConfig } from '@confluentinc/kafka-javascript'

const FLUSH_MS = 60_000
const QUEUE_FULL = confluent.CODES.ERRORS.ERR__QUEUE_FULL

/** A producer that is ready, without delivery reports: whoever reads the other end counts. */
export async function connected(config: ProducerGlobalConfig): Promise<Producer> {
  const producer = new confluent.Producer({ 'enable.idempotence': true, ...config })
  await called(done => {
    producer.connect({}, done)
  })
  return producer
}

/** Takes one record with `produce`; waits while the client has as much as it takes. */
export async function offered(producer: Producer, produce: () => unknown): Promise<void> {
  for (;;) {
    try {
      produce()
      return
    } catch (error) {
      if ((error as { readonly code?: number }).code !== QUEUE_FULL) throw error
    }
    // What was delivered stays in the queue until its report is fetched.
    producer.poll()
    await pause(1)
  }
}

/** Resolves when the broker has everything. */
export const flushed = (producer: Producer): Promise<unknown> =>
  called(done => {
    producer.flush(FLUSH_MS, done)
  })

/** The same, and disconnects. */
export async function finished(producer: Producer): Promise<void> {
  await flushed(producer)
  await new Promise(resolve => producer.disconnect(resolve))
}

/** A call of the client that answers with a callback. */
export function called<Answer = unknown>(start: (done: (error: unknown, answer?: Answer) => void) => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    start((error, answer) => {
      if (error instanceof Error) reject(error)
      else resolve(answer as Answer)
    })
  })
}

/** Evenly from 0 to 1, and the same in every run. */
export function randomNumbers(): () => number {
  let seed = 7
  return () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
}
