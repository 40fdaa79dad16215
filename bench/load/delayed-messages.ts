// Sends delayed messages at a steady rate, as a process of its own so that it does not share the event loop of what is measured.
// The first four bytes of a value are its number, from 0.
//   node bench/load/delayed-messages.ts BOOTSTRAP TOPIC PARTITIONS RATE SECONDS SHORTEST_MS LONGEST_MS
import { setTimeout as pause } from 'node:timers/promises'
import { connected, finished, randomNumbers } from './producing.ts'

const TICK_MS = 5
const value = Buffer.alloc(1024, 'x')

const [bootstrap = '', topic = '', ...numbers] = process.argv.slice(2)
const [partitions = 1, perSecond = 1, seconds = 1, shortestMs = 0, longestMs = 0] = numbers.map(Number)
const total = perSecond * seconds

// Delays count from the append time, so lingering adds nothing to the lateness; it spares the broker a request for every message.
const producer = await connected({ 'bootstrap.servers': bootstrap, 'linger.ms': 10, 'queue.buffering.max.messages': 1_000_000 })
const random = randomNumbers()
const beganMs = performance.now()
for (let sent = 0; sent < total;) {
  const owed = Math.min(total, Math.floor(((performance.now() - beganMs) * perSecond) / 1000))
  for (; sent < owed; sent++) {
    const delayMs = Math.round(shortestMs + random() * (longestMs - shortestMs))
    value.writeUInt32BE(sent)
    // The value is copied.
    producer.produce(topic, sent % partitions, value, null, undefined, undefined, [{ 'sluice-delay': String(delayMs) }])
  }
  await pause(TICK_MS)
}
await finished(producer)
