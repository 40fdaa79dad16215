import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Producer } from 'kafkajs'
import { QueueOnKafka } from '../../support/delay-queue/queue-on-kafka.ts'
import { Reader, headerText } from '../../support/delay-queue/reader.ts'
import { eventually } from '../../support/eventually.ts'
import { sharedKafka } from '../../support/kafka.ts'

jest.setTimeout(90_000)

const SKEW = /^sluice_worker_clock_skew_seconds (\S+)$/m
const MESSAGES = 60

let kafka: KafkaJs
let bootstrap = ''
let prefix = ''
let producer: Producer
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  const broker = await sharedKafka()
  closing.push(() => broker.stop())
  bootstrap = broker.bootstrap
  prefix = broker.uniquePrefix()
  kafka = new KafkaJs({ brokers: [bootstrap], logLevel: logLevel.NOTHING })
  producer = kafka.producer({ idempotent: true })
  await producer.connect()
  closing.push(() => producer.disconnect())
}, 90_000)

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
}, 60_000)

/** The broker's clock is that of this process. */
test.each([2_000, -2_000])('should deliver by the clock of the broker when that of the worker is %i ms ahead', async offsetMs => {
  const namespace = `${prefix}${offsetMs < 0 ? 'behind' : 'ahead'}`
  const target = `${namespace}.target`
  const queue = await QueueOnKafka.create(kafka, bootstrap, namespace, { partitions: 2, maxDelay: '1h', target: { topic: target } })
  closing.push(() => queue.close())
  const reader = await Reader.of(kafka, `${namespace}.witness`, [target, queue.topic('dlq')])
  closing.push(() => reader.close())
  // Before there is a worker: it knows nothing of the broker's clock when it finds them.
  await producer.send({
    topic: queue.topic('in'),
    messages: Array.from({ length: MESSAGES }, (_, i) => ({
      key: `key-${i % 10}`,
      value: 'v',
      headers: i % 2 === 0 ? { 'sluice-delay': String(4_000 + i * 100) } : { 'sluice-deliver-at': String(Date.now() + 4_000 + i * 100) },
    })),
  })
  const worker = queue.start({ clockOffsetMs: offsetMs })
  await queue.allOwned([worker])
  const told = (): Promise<number> => worker.metrics().then(text => Number(SKEW.exec(text)?.[1] ?? 0) * 1000)
  await eventually('the skew is told', async () => Math.abs((await told()) - offsetMs) < 500)
  await eventually('every message', () => reader.of(target).length === MESSAGES, 60_000)
  const latenesses = reader.of(target).map(record => record.receivedAt - Number(headerText(record, 'sluice-scheduled-for')))
  expect(Math.min(...latenesses)).toBeGreaterThanOrEqual(0)
  // One that waited for its own clock would be late by all that it is behind, always.
  expect(Math.min(...latenesses)).toBeLessThan(Math.abs(offsetMs))
  for (const record of reader.of(target))
    expect(Number(headerText(record, 'sluice-fired-at'))).toBeGreaterThanOrEqual(Number(headerText(record, 'sluice-scheduled-for')))
  expect(reader.of(queue.topic('dlq'))).toEqual([])
})
