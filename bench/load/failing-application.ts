// An application on `sluice/retry` that fails every record of its source once and handles it when it comes back, as a process of its own. Prints RUNNING
// when it reads, and one line of JSON when all records have come back. Hands over in batches: what failed is on the retry topic before positions are committed.
//   node bench/load/failing-application.ts BOOTSTRAP SOURCE PIPELINE GROUP TOTAL WAIT_MS      PIPELINE: `<namespace>.<name>` of the DeadLetterPipeline
import confluent from '@confluentinc/kafka-javascript'
import type { Message, MessageHeader } from '@confluentinc/kafka-javascript'
import { failureHeaders } from '../../src/retry/index.ts'
import type { Headers } from '../../src/retry/index.ts'
import { called, connected, flushed, offered } from './producing.ts'

const MOST = 2_000

const [bootstrap = '', source = '', pipeline = '', group = '', ...numbers] = process.argv.slice(2)
const [total = 1, waitMs = 1_000] = numbers.map(Number)
const producer = await connected({ 'bootstrap.servers': bootstrap, 'linger.ms': 5 })
const consumer = new confluent.KafkaConsumer(
  {
    'bootstrap.servers': bootstrap,
    'group.id': group,
    'enable.auto.commit': false,
    'isolation.level': 'read_committed',
    'fetch.wait.max.ms': 50,
    'queued.min.messages': 20_000,
  },
  { 'auto.offset.reset': 'earliest' },
)
await called(done => {
  consumer.connect({}, done)
})
consumer.setDefaultConsumeTimeout(20)
consumer.subscribe([source, `${pipeline}.redelivery`])
console.log('RUNNING')

const latenessMs = new Float64Array(total)
let count = 0
let beganMs = 0
while (count < total) {
  const messages = await called<readonly Message[]>(done => {
    consumer.consume(MOST, done)
  })
  if (messages.length === 0) continue
  const nowMs = Date.now()
  for (const message of messages) {
    try {
      handle(message, nowMs)
    } catch (error) {
      await handOver(message, error)
    }
  }
  await flushed(producer)
  consumer.commit()
}
const lastMs = Date.now()
latenessMs.sort()
const early = latenessMs.findIndex(late => late >= 0)
const [p50Ms, maxMs] = [latenessMs[count >> 1], latenessMs[count - 1]]
console.log(JSON.stringify({ count, beganMs, lastMs, p50Ms, maxMs, early: early === -1 ? count : early }))
process.exit()

function handle(message: Message, nowMs: number): void {
  if (beganMs === 0) beganMs = nowMs
  if (message.topic === source) throw new Error(`order ${message.offset} failed`)
  if (count < total) latenessMs[count] = nowMs - Number(String(headerOf(message, 'sluice-last-failure-at'))) - waitMs
  count += 1
}

async function handOver({ topic, partition, offset, timestamp, key, value, headers = [] }: Message, error: unknown): Promise<void> {
  const message = {
    key: null,
    value,
    headers: Object.assign({}, ...headers) as Headers,
    offset: String(offset),
    timestamp: String(timestamp),
  }
  const told = Object.entries(failureHeaders({ topic, partition, message }, error, group)).map(
    ([name, text]) => ({ [name]: text }) as MessageHeader,
  )
  await offered(producer, () => producer.produce(`${pipeline}.retry`, partition, value, key, undefined, undefined, told) as unknown)
}

function headerOf({ headers = [] }: Message, name: string): unknown {
  return headers.findLast(header => Object.hasOwn(header, name))?.[name]
}
