import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Producer } from 'kafkajs'
import { QueueOnKafka } from '../../support/delay-queue/queue-on-kafka.ts'
import { Reader, headerText } from '../../support/delay-queue/reader.ts'
import { eventually } from '../../support/eventually.ts'
import { sharedKafka } from '../../support/kafka.ts'

jest.setTimeout(90_000)

let queue: QueueOnKafka
let reader: Reader
let producer: Producer
let target = ''
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  const broker = await sharedKafka()
  closing.push(() => broker.stop())
  const prefix = broker.uniquePrefix()
  target = `${prefix}.target`
  const kafka = new KafkaJs({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
  queue = await QueueOnKafka.create(kafka, broker.bootstrap, prefix, {
    partitions: 1,
    maxDelay: '1h',
    tiers: ['30m'],
    target: { topic: target },
  })
  closing.push(() => queue.close())
  reader = await Reader.of(kafka, `${prefix}.witness`, [target, queue.topic('dlq')])
  closing.push(() => reader.close())
  producer = kafka.producer()
  await producer.connect()
  closing.push(() => producer.disconnect())
}, 90_000)

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
}, 60_000)

const send = (role: string, name: string, headers: Readonly<Record<string, string>>): Promise<unknown> =>
  producer.send({ topic: queue.topic(role), messages: [{ key: 'k', value: name, headers: { name, ...headers } }] })
const fillers = (role: string, count: number): Promise<unknown> =>
  producer.send({
    topic: queue.topic(role),
    messages: Array.from({ length: count }, () => ({ key: 'k', value: 'filler', headers: { 'sluice-delay': '30m' } })),
  })
const received = (): readonly string[] => reader.of(target).map(record => headerText(record, 'name'))

test('should reach messages far behind what is read of a tier and of a fixed delay, once, also when its worker dies meanwhile', async () => {
  const first = queue.start()
  await queue.allOwned([first])
  for (const role of ['in', 'fixed.30m']) {
    await fillers(role, 3_000)
    await send(role, role, { 'sluice-delay': '30m', 'sluice-id': role })
    await fillers(role, 10)
  }
  await eventually('all moved to a tier', async () =>
    (await first.metrics()).includes('sluice_delay_queue_tier_writes_total{queue="' + `${queue.namespace}/q"} 3011`),
  )
  await send('in', '', { 'sluice-op': 'fire', 'sluice-id': 'in' })
  await first.kill()
  const second = queue.start()
  await eventually('the message of the tier', () => received().includes('in'), 60_000)
  await send('in', '', { 'sluice-op': 'fire', 'sluice-id': 'fixed.30m' })
  await eventually('the message of the fixed delay', () => received().includes('fixed.30m'))
  await send('in', '', { 'sluice-op': 'fire', 'sluice-id': 'in' })
  await eventually('a fire that finds nothing more', async () => /fires_unmatched_total\{[^}]*\} 1/.test(await second.metrics()))
  expect(received()).toEqual(['in', 'fixed.30m'])
  expect(reader.of(queue.topic('dlq'))).toEqual([])
})
