import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Admin, Consumer, Producer } from 'kafkajs'
import type { Resource } from '../../../src/api/resource.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'
import { conditionOf, readiness, startSluiceRun } from '../../support/sluice-run.ts'
import type { SluiceRun } from '../../support/sluice-run.ts'

const TIMEOUT_MS = 240_000
/** Above the horizon of the near heap: such a message waits in a tier. */
const FAR_S = 68

let kafka: Kafka
let admin: Admin
let producer: Producer
let consumer: Consumer
let run: SluiceRun
const came: { readonly value: string; readonly at: number }[] = []

beforeAll(async () => {
  kafka = await startKafka()
  const client = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING })
  admin = client.admin()
  producer = client.producer()
  consumer = client.consumer({ groupId: 'reader', maxWaitTimeInMs: 50 })
  await Promise.all([admin.connect(), producer.connect(), consumer.connect()])
  await admin.createTopics({ topics: [{ topic: 'due' }] })
  await consumer.subscribe({ topics: ['due'], fromBeginning: true })
  await consumer.run({
    eachMessage: ({ message }) => {
      came.push({ value: message.value?.toString() ?? '', at: Date.now() })
      return Promise.resolve()
    },
  })
  run = await startSluiceRun()
  await run.apply('KafkaConnection', 'main', { bootstrapServers: [kafka.bootstrap], defaults: { replicationFactor: 1 } })
}, TIMEOUT_MS)
afterAll(async () => {
  await run.stop()
  await Promise.all([admin.disconnect(), producer.disconnect(), consumer.disconnect()])
  await kafka.stop()
})

const settled = (kind: string, name: string, wanted: (resource: Resource) => boolean) => run.settled<Resource>(kind, name, wanted)
const gone = (kind: string, name: string, withinMs: number) =>
  eventually(`${kind} ${name} to go`, async () => (await run.read(kind, name)) === undefined, withinMs)

describe('sluice run, of whose folder files are removed', () => {
  test(
    'should deliver what waits in a queue, far and near, before it and its connection go',
    async () => {
      const spec = { connectionRef: { name: 'main' }, partitions: 1, maxDelay: '1h', tiers: ['5s'], target: { topic: 'due' } }
      await run.apply('DelayQueue', 'pay', spec)
      await settled('DelayQueue', 'pay', queue => readiness(queue) === 'Ready')
      await producer.send({ topic: 'default.pay.in', messages: [{ value: 'far', headers: { 'sluice-delay': `${FAR_S}s` } }] })
      await producer.send({ topic: 'default.pay.in', messages: [{ value: 'near', headers: { 'sluice-delay': '8s' } }] })
      await producer.send({ topic: 'default.pay.fixed.5s', messages: [{ value: 'fixed' }] })
      await Promise.all([run.remove('DelayQueue', 'pay'), run.remove('KafkaConnection', 'main')])
      const draining = await settled('DelayQueue', 'pay', queue => readiness(queue) === '!Draining')
      expect(conditionOf(draining, 'Ready')?.message).toContain('wait in')
      await eventually('all three', () => came.length === 3, (FAR_S + 20) * 1_000)
      await gone('DelayQueue', 'pay', 90_000)
      await gone('KafkaConnection', 'main', 20_000)
      expect(came.map(({ value }) => value).sort()).toEqual(['far', 'fixed', 'near'])
      expect(await admin.listTopics()).toContain('default.pay.in')
      expect(run.printed()).toMatch(/Drained /)
    },
    TIMEOUT_MS,
  )

  test(
    'should hand back what waits in a pipeline, and keep what it handed back until that is read, before its topics go',
    async () => {
      await run.apply('KafkaConnection', 'main', { bootstrapServers: [kafka.bootstrap], defaults: { replicationFactor: 1 } })
      await admin.createTopics({ topics: [{ topic: 'orders', numPartitions: 1 }] })
      await run.apply('DeadLetterPipeline', 'billing', {
        connectionRef: { name: 'main' },
        source: { topic: 'orders', group: 'billing' },
        delivery: { topic: {} },
        retry: { backoff: { initial: '5s', jitter: 'None' } },
        deletionPolicy: 'Delete',
      })
      await settled('DeadLetterPipeline', 'billing', pipeline => readiness(pipeline) === 'Ready')
      await producer.send({ topic: 'default.billing.retry', messages: [{ value: 'failed' }] })
      await run.remove('DeadLetterPipeline', 'billing')
      const unread = 'group "billing" has not read'
      await settled('DeadLetterPipeline', 'billing', pipeline => conditionOf(pipeline, 'Ready')?.message.includes(unread) === true)
      const [end] = await admin.fetchTopicOffsets('default.billing.redelivery')
      const partitions = [{ partition: 0, offset: end?.high ?? '' }]
      await admin.setOffsets({ groupId: 'billing', topic: 'default.billing.redelivery', partitions })
      await gone('DeadLetterPipeline', 'billing', 60_000)
      expect((await admin.listTopics()).filter(topic => topic.startsWith('default.billing.'))).toEqual([])
    },
    TIMEOUT_MS,
  )
})
