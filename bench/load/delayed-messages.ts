// Sends delayed messages at a steady rate, as a process of its own so that it does not share the event loop of what is measured.
//   node bench/load/delayed-messages.ts BOOTSTRAP TOPIC PARTITIONS RATE SECONDS SHORTEST_MS LONGEST_MS
import confluent from '@confluentinc/kafka-javascript'

const TICK_MS = 5
const VALUE = Buffer.alloc(1024, 'x')

const [bootstrap = '', topic = '', ...numbers] = process.argv.slice(2)
const [partitions = 1, perSecond = 1, seconds = 1, shortestMs = 0, longestMs = 0] = numbers.map(Number)
const total = perSecond * seconds

const producer = new confluent.Producer({
  'bootstrap.servers': bootstrap,
  'linger.ms': 2,
  'queue.buffering.max.messages': 1_000_000,
  'enable.idempotence': true,
})
await new Promise<void>((resolve, reject) =>
  producer.connect({}, (error: unknown) => {
    if (error instanceof Error) reject(error)
    else resolve()
  }),
)

/** The same delays in every run. */
let seed = 7
const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647

const beganMs = performance.now()
let sent = 0
const timer = setInterval(() => {
  const owed = Math.min(total, Math.floor(((performance.now() - beganMs) * perSecond) / 1000))
  for (; sent < owed; sent++) {
    const delayMs = Math.round(shortestMs + random() * (longestMs - shortestMs))
    producer.produce(topic, sent % partitions, VALUE, null, undefined, undefined, [{ 'sluice-delay': String(delayMs) }])
  }
  if (sent < total) return
  clearInterval(timer)
  producer.flush(30_000, () => {
    const tookMs = Math.round(performance.now() - beganMs)
    process.stdout.write(`${JSON.stringify({ sent, tookMs })}\n`)
    producer.disconnect(() => process.exit(0))
  })
}, TICK_MS)
