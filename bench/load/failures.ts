// Writes failures to the retry topic of a pipeline as fast as it can, with the headers that `sluice/retry` writes, as a process of its own.
//   node bench/load/failures.ts BOOTSTRAP RETRY_TOPIC PARTITIONS COUNT VALUE_BYTES
import type { MessageHeader } from '@confluentinc/kafka-javascript'
import { failureHeaders } from '../../src/retry/index.ts'
import { connected, finished, offered } from './producing.ts'

const [bootstrap = '', topic = '', ...numbers] = process.argv.slice(2)
const [partitions = 1, total = 1, valueBytes = 100] = numbers.map(Number)

const producer = await connected({
  'bootstrap.servers': bootstrap,
  'linger.ms': 20,
  'batch.num.messages': 10_000,
  'queue.buffering.max.messages': 200_000,
})
const value = Buffer.alloc(valueBytes, 'x')
const error = new Error('the order could not be booked')
for (let number = 0; number < total; number++) {
  value.writeUInt32BE(number)
  const message = { value, offset: String(number), timestamp: String(Date.now()) }
  const told = failureHeaders({ topic: 'orders', partition: number % partitions, message }, error, 'billing')
  const headers = Object.entries(told).map(([name, text]) => ({ [name]: text }) as MessageHeader)
  await offered(producer, () => producer.produce(topic, number % partitions, value, null, undefined, undefined, headers) as unknown)
}
await finished(producer)
