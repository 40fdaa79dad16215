// Sends messages that are due later, as fast as it can, as a process of its own. The first four bytes of a value are its number, from 0.
//   node bench/load/backlog.ts BOOTSTRAP TOPIC PARTITIONS COUNT VALUE_BYTES FIRST_DUE_MS LAST_DUE_MS      due at random between the two, in epoch ms
import { connected, finished, offered, randomNumbers } from './producing.ts'

/** On their way to the broker; more would only be memory. */
const MOST_QUEUED = 200_000

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
  // The value is copied.
  await offered(producer, () => producer.produce(topic, number % partitions, value, null, undefined, undefined, headers) as unknown)
}
await finished(producer)
