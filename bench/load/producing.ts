import confluent from '@confluentinc/kafka-javascript'
import type { Producer, ProducerGlobalConfig } from '@confluentinc/kafka-javascript'

const FLUSH_MS = 60_000

/** A producer that is ready, without delivery reports: whoever reads the other end counts. */
export async function connected(config: ProducerGlobalConfig): Promise<Producer> {
  const producer = new confluent.Producer({ 'enable.idempotence': true, ...config })
  await new Promise<void>((resolve, reject) =>
    producer.connect({}, (error: unknown) => {
      if (error instanceof Error) reject(error)
      else resolve()
    }),
  )
  return producer
}

/** Resolves when the broker has everything. */
export async function finished(producer: Producer): Promise<void> {
  await new Promise<void>((resolve, reject) =>
    producer.flush(FLUSH_MS, (error: unknown) => {
      if (error instanceof Error) reject(error)
      else resolve()
    }),
  )
  await new Promise(resolve => producer.disconnect(resolve))
}

/** Evenly from 0 to 1, and the same in every run. */
export function randomNumbers(): () => number {
  let seed = 7
  return () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
}
