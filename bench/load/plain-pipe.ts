// The plain exactly-once pipe: what the client of the workers does when nothing is decided, as a process of its own. One consumer of the group, one
// transactional producer, records and offsets in one transaction, at most 1,000 records each; runs until it is killed.
//   node bench/load/plain-pipe.ts BOOTSTRAP FROM_TOPIC TO_TOPIC
import confluent from '@confluentinc/kafka-javascript'
import type { Message } from '@confluentinc/kafka-javascript'
import { called } from './producing.ts'

const MOST = 1_000
const TIMEOUT_MS = 10_000

const [bootstrap = '', from = '', to = ''] = process.argv.slice(2)
const producer = new confluent.Producer({
  'bootstrap.servers': bootstrap,
  'transactional.id': `pipe.${from}`,
  'transaction.timeout.ms': TIMEOUT_MS,
  'linger.ms': 0,
  'retry.backoff.ms': 2,
  'retry.backoff.max.ms': 10,
})
await called(done => {
  producer.connect({}, done)
})
producer.setPollInterval(5)
await called(done => {
  producer.initTransactions(TIMEOUT_MS, done)
})
const consumer = new confluent.KafkaConsumer(
  {
    'bootstrap.servers': bootstrap,
    'group.id': `pipe.${from}`,
    'enable.auto.commit': false,
    'isolation.level': 'read_committed',
    'fetch.wait.max.ms': 50,
    'fetch.queue.backoff.ms': 10,
    'queued.min.messages': 20_000,
  },
  { 'auto.offset.reset': 'earliest' },
)
await called(done => {
  consumer.connect({}, done)
})
consumer.setDefaultConsumeTimeout(50)
consumer.subscribe([from])
for (;;) {
  const messages = await called<readonly Message[]>(done => {
    consumer.consume(MOST, done)
  })
  await pass(messages)
}

async function pass(messages: readonly Message[]): Promise<void> {
  if (messages.length === 0) return
  await called(done => {
    producer.beginTransaction(done)
  })
  const next = new Map<number, number>()
  for (const { partition, value, key, headers, offset } of messages) {
    producer.produce(to, partition, value, key, undefined, undefined, headers)
    next.set(partition, offset + 1)
  }
  const offsets = [...next].map(([partition, offset]) => ({ topic: from, partition, offset }))
  await called(done => {
    producer.sendOffsetsToTransaction(offsets, consumer, TIMEOUT_MS, done)
  })
  await called(done => {
    producer.commitTransaction(TIMEOUT_MS, done)
  })
}
