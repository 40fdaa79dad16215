// Sends messages that are due later, as fast as it can, as a process of its own. The first four bytes of a value are its number, from 0.
//   node bench/load/backlog.ts BOOTSTRAP TOPIC PARTITIONS COUNT VALUE_BYTES FIRST_DUE_MS LAST_DUE_MS      due at random between the two, in epoch ms
import { setTimeout as pause } from 'node:timers/promises'
import confluent from '@confluentinc/kafka-javascript'
import { connected, finished, randomNumbers } from './producing.ts'

/** On their way to the broker; more would only be memory. */
const MOST_QUEUED = 200_000
const QUEUE_FULL = confluent.CODES.ERRORS.ERR__QUEUE_FULL

const [bootstrap = '', topic = '', ...numbers] = process.argv.slice(2)
const [partitions = 1, total = 1, valueBytes = 100, firstDueMs = 0, lastDueMs = 0] = numbers.map(Number)

const producer = await connected({
  'bootstrap.servers': bootstrap,
  'linger.ms': 20,
  'batch.num.messages': 10_000,
  'queue.buffering.max.messages': MOST_QUEUED,
})
const random = randomNumbers()
const value = Buffer.alloc(valueBytes, 'x')
for (let number = 0; number < total; number++) {
  value.writeUInt32BE(number)
  const headers = [{ 'sluice-deliver-at': String(Math.round(firstDueMs + random() * (lastDueMs - firstDueMs))) }]
  while (!queued(number % partitions, headers)) {
    // What was delivered stays in the queue until its report is fetched.
    producer.poll()
    await pause(1)
  }
}
await finished(producer)

/** False when the client has as much as it takes. The value is copied. */
function queued(partition: number, headers: readonly { readonly 'sluice-deliver-at': string }[]): boolean {
  try {
    producer.produce(topic, partition, value, null, undefined, undefined, [...headers])
    return true
  } catch (error) {
    if ((error as { readonly code?: number }).code === QUEUE_FULL) return false
    throw error
  }
}
