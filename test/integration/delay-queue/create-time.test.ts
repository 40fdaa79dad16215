import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Producer } from 'kafkajs'
import type { KafkaAdmin } from '../../../src/kafka/admin.ts'
import { platformaticAdmin } from '../../../src/kafka/platformatic-admin.ts'
import { QueueOnKafka } from '../../support/delay-queue/queue-on-kafka.ts'
import { Reader, headerText } from '../../support/delay-queue/reader.ts'
import { eventually } from '../../support/eventually.ts'
import { sharedKafka } from '../../support/kafka.ts'

jest.setTimeout(120_000)

const DELAY_MS = 2_000
const HOUR_MS = 3_600_000
const TYPE = 'message.timestamp.type'

let queue: QueueOnKafka
let reader: Reader
let producer: Producer
let admin: KafkaAdmin
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  const broker = await sharedKafka()
  closing.push(() => broker.stop())
  const prefix = broker.uniquePrefix()
  const kafka = new KafkaJs({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
  queue = await QueueOnKafka.create(kafka, broker.bootstrap, prefix, {
    partitions: 1,
    maxDelay: '1h',
    tiers: ['2s'],
    target: { topic: `${prefix}.target` },
  })
  closing.push(() => queue.close())
  reader = await Reader.of(kafka, `${prefix}.witness`, [`${prefix}.target`, queue.topic('dlq')])
  closing.push(() => reader.close())
  producer = kafka.producer({ retry: { retries: 0 } })
  await producer.connect()
  closing.push(() => producer.disconnect())
  admin = platformaticAdmin({ bootstrapServers: [broker.bootstrap] }, { clientId: 'create-time' })
  closing.push(() => admin.close())
}, 90_000)

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
}, 60_000)

/** When each message that a broker took was sent. */
const sentAt = new Map<string, number>()
const refusals: string[] = []

/** By a producer whose clock is behind. */
async function send(role: string, name: string, behindMs: number): Promise<void> {
  const before = Date.now()
  const headers = { name, ...(role === 'in' && { 'sluice-delay': `${DELAY_MS}ms` }) }
  try {
    await producer.send({ topic: queue.topic(role), messages: [{ key: 'k', value: name, headers, timestamp: String(before - behindMs) }] })
    sentAt.set(name, before)
  } catch (error) {
    refusals.push((error as Error).message)
  }
}

async function sendAll(when: string): Promise<void> {
  for (const role of ['in', 'fixed.2s']) for (let i = 0; i < 10; i++) await send(role, `${when}-${role}-${i}`, i % 2 === 0 ? HOUR_MS : 0)
}

async function stamp(by: 'CreateTime' | 'LogAppendTime'): Promise<void> {
  const topics = ['in', 'fixed.2s'].map(role => queue.topic(role))
  await admin.alterConfigs(topics.map(topic => ({ topic, set: { [TYPE]: by }, remove: [] })))
  await eventually(`the brokers to stamp by ${by}`, async () => {
    const configs = await admin.describeConfigs(topics, [TYPE])
    return topics.every(topic => configs.get(topic)?.get(TYPE)?.value === by)
  })
}

test('should deliver nothing early while somebody has the input stamped by producers, and have that refused instead', async () => {
  const worker = queue.start()
  await queue.allOwned([worker])
  await sendAll('before')
  await stamp('CreateTime')
  await sendAll('during')
  await stamp('LogAppendTime')
  await sendAll('after')
  await eventually('all that was taken', () => reader.of(`${queue.namespace}.target`).length >= sentAt.size)
  const arrived = reader.of(`${queue.namespace}.target`)
  expect(arrived.map(record => headerText(record, 'name')).toSorted()).toEqual([...sentAt.keys()].toSorted())
  const waits = arrived.map(record => Number(headerText(record, 'sluice-fired-at')) - (sentAt.get(headerText(record, 'name')) ?? Infinity))
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(DELAY_MS)
  // One that its producer stamped in the very millisecond is taken, and rightly so.
  expect([...sentAt.keys()].filter(name => name.startsWith('during')).length + refusals.length).toBe(20)
  expect(refusals.length).toBeGreaterThanOrEqual(10)
  expect([...new Set(refusals)]).toEqual([expect.stringMatching(/timestamp/i)])
  expect(reader.of(queue.topic('dlq'))).toEqual([])
})
