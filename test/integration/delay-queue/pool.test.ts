import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import kafkajs from 'kafkajs'
import type { Consumer, Producer } from 'kafkajs'
import { PoolOnKafka } from '../../support/delay-queue/pool-on-kafka.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka, type Kafka } from '../../support/kafka.ts'
import { readiness, startSluiceRun } from '../../support/sluice-run.ts'

const PARTITIONS = 2
let kafka: Kafka
let client: kafkajs.Kafka
let producer: Producer
let pool: PoolOnKafka | undefined
let consumer: Consumer | undefined
/** Deliveries by value: how often, and how late by this machine's clock. */
let delivered: Map<string, { count: number; lateMs: number }>
let serial = 0

beforeAll(async () => {
  kafka = await startKafka()
  client = new kafkajs.Kafka({ brokers: [kafka.bootstrap], logLevel: kafkajs.logLevel.NOTHING })
  producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
  await producer.connect()
}, 120_000)
afterAll(async () => {
  await producer.disconnect()
  await kafka.stop()
}, 60_000)

async function aPool(...names: readonly string[]): Promise<PoolOnKafka> {
  serial += 1
  const made = await PoolOnKafka.create(kafka.bootstrap, { namespace: `pool${serial}`, partitions: PARTITIONS, maxDelay: '20s' })
  pool = made
  await made.prepare(names)
  delivered = new Map()
  const reader = client.consumer({ groupId: `reader-${serial}`, readUncommitted: false })
  consumer = reader
  await reader.connect()
  await reader.subscribe({ topic: made.target, fromBeginning: true })
  await reader.run({
    eachMessage: ({ message }) => {
      const value = message.value?.toString() ?? ''
      const lateMs = Date.now() - Number(message.headers?.['sluice-scheduled-for']?.toString())
      delivered.set(value, { count: (delivered.get(value)?.count ?? 0) + 1, lateMs })
      return Promise.resolve()
    },
  })
  return made
}
afterEach(async () => {
  await consumer?.disconnect()
  await pool?.close()
  consumer = pool = undefined
}, 60_000)

/** Values `<queue> <number>`, each with a delay. */
async function send(to: PoolOnKafka, queue: string, from: number, count: number, delay: string): Promise<void> {
  const messages = Array.from({ length: count }, (_, index) => ({
    key: String(from + index),
    value: `${queue} ${from + index}`,
    headers: { 'sluice-delay': delay },
  }))
  await producer.send({ topic: to.input(queue), messages })
}
const of = (queue: string) => [...delivered].filter(([value]) => value.startsWith(`${queue} `))
const arrived = (queue: string, count: number) =>
  eventually(`${count} messages of ${queue}`, () => Promise.resolve(of(queue).length >= count), 60_000)
const once = (queue: string, count: number) => {
  expect(of(queue).map(([, { count: times }]) => times)).toEqual(Array.from({ length: count }, () => 1))
}

test('should deliver of the others when a queue has lost a topic and another is flooded', async () => {
  const shared = await aPool('good', 'broken', 'flooded')
  await shared.tell(['good', 'broken', 'flooded'])
  shared.start()
  await shared.run(['good', 'broken', 'flooded'])
  await shared.deleteTopics([`${shared.namespace}.broken.tier.8s`])
  for (let from = 0; from < 20_000; from += 5_000) await send(shared, 'flooded', from, 5_000, '1ms')
  for (let round = 0; round < 20; round += 1) await send(shared, 'good', round, 1, '1s')
  await arrived('good', 20)
  await arrived('flooded', 20_000)
  once('good', 20)
  once('flooded', 20_000)
}, 120_000)

test('should take up a queue that comes and let go of one that goes, while the others deliver', async () => {
  const shared = await aPool('stays', 'comes')
  await shared.tell(['stays'])
  shared.start()
  shared.start()
  await shared.run(['stays'])
  const sending = (async () => {
    for (let round = 0; round < 60; round += 1) await send(shared, 'stays', round, 1, '500ms')
  })()
  await shared.tell(['comes'])
  await send(shared, 'comes', 0, 10, '100ms')
  await shared.settled('comes', true)
  await arrived('comes', 10)
  await shared.tell(['comes'], false)
  await shared.settled('comes', false)
  await sending
  await arrived('stays', 60)
  once('stays', 60)
  once('comes', 10)
}, 120_000)

test('should lose and double nothing of any queue when a worker is killed', async () => {
  const shared = await aPool('a', 'b')
  await shared.tell(['a', 'b'])
  const [first] = [shared.start(), shared.start()]
  await shared.run(['a', 'b'])
  await send(shared, 'a', 0, 200, '3s')
  await send(shared, 'b', 0, 200, '3s')
  await first.kill()
  await send(shared, 'a', 200, 100, '1s')
  await send(shared, 'b', 200, 100, '1s')
  await arrived('a', 300)
  await arrived('b', 300)
  once('a', 300)
  once('b', 300)
}, 120_000)

test('should run the queues of a folder that name one pool in one group, and each say that it is ready', async () => {
  const sluice = await startSluiceRun()
  try {
    await sluice.apply('KafkaConnection', 'main', { bootstrapServers: [kafka.bootstrap], defaults: { replicationFactor: 1 } })
    await sluice.apply('KafkaTopicPolicy', 'targets', {
      connectionRef: { name: 'main' },
      selector: { names: ['folder.target'] },
      topics: [{ name: 'folder.target', partitions: 1 }],
    })
    const spec = { connectionRef: { name: 'main' }, maxDelay: '20s', partitions: 1, target: { topic: 'folder.target' } }
    for (const name of ['one', 'two']) await sluice.apply('DelayQueue', name, { ...spec, workers: { pool: 'small' } })
    for (const name of ['one', 'two']) await sluice.settled('DelayQueue', name, queue => readiness(queue) === 'Ready', 60_000)
    const admin = client.admin()
    await admin.connect()
    const groups = (await admin.listGroups()).groups.map(({ groupId }) => groupId).filter(id => id.startsWith('sluice.default.'))
    await admin.disconnect()
    expect(groups).toEqual(['sluice.default.small.pool'])
    await sluice.apply('DelayQueue', 'three', { ...spec, workers: { pool: 'small' } })
    await sluice.settled('DelayQueue', 'three', queue => readiness(queue) === 'Ready', 60_000)
    expect(sluice.printed().match(/WorkerStarted/g)).toHaveLength(1)
  } finally {
    await sluice.stop()
  }
}, 180_000)
