// Sends records with a key each, as fast as it can or at a rate, as a process of its own.
//   node bench/load/keyed.ts BOOTSTRAP TOPIC PARTITIONS COUNT VALUE_BYTES PER_SECOND      0 a second: as fast as it can
import { setTimeout as pause } from 'node:timers/promises'
import { connected, finished } from './producing.ts'

const [bootstrap = '', topic = '', ...numbers] = process.argv.slice(2)
const [partitions = 1, total = 1, valueBytes = 100, perSecond = 0] = numbers.map(Number)

const producer = await connected({
  'bootstrap.servers': bootstrap,
  'linger.ms': perSecond > 0 ? 0 : 20,
  'queue.buffering.max.messages': 200_000,
})
const value = Buffer.alloc(valueBytes, 'x')
const beganMs = performance.now()
for (let number = 0; number < total; number++) {
  while (perSecond > 0 && number >= ((performance.now() - beganMs) * perSecond) / 1_000) await pause(1)
  producer.produce(topic, number % partitions, value, Buffer.from(`key-${number}`), Date.now())
  if (number % 10_000 === 9_999) await pause(20)
  producer.poll()
}
await finished(producer)
