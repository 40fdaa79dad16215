import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Producer } from 'kafkajs'
import type { DeadLetterPipeline } from '../../../src/kinds/dead-letter-pipeline/resource.ts'
import { createTopic } from '../../support/delay-queue/queue-on-kafka.ts'
import { eventually } from '../../support/eventually.ts'
import { HttpApplication, answer } from '../../support/http-application.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'
import { conditionOf, readiness, startSluiceRun } from '../../support/sluice-run.ts'
import type { SluiceRun } from '../../support/sluice-run.ts'

jest.setTimeout(240_000)

let broker: Kafka
let run: SluiceRun
let producer: Producer
let application: HttpApplication

beforeAll(async () => {
  broker = await startKafka()
  const kafka = new KafkaJs({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  await createTopic(admin, 'orders', 2, {})
  await admin.disconnect()
  producer = kafka.producer()
  await producer.connect()
  application = await HttpApplication.start(answer(200))
  run = await startSluiceRun()
}, 60_000)

afterAll(async () => {
  await run.stop()
  await application.stop()
  await producer.disconnect()
  await broker.stop()
}, 60_000)

const settled = (reason: string): Promise<DeadLetterPipeline> =>
  run.settled<DeadLetterPipeline>('DeadLetterPipeline', 'billing', resource => readiness(resource) === reason, 90_000)
const produce = (...values: readonly string[]): Promise<unknown> =>
  producer.send({ topic: 'orders', messages: values.map(value => ({ key: value, value })) })
const heard = (value: string): Promise<unknown> => eventually(value, () => application.heard.find(({ body }) => body === value), 60_000)

test('should tell how the calls of a pipeline go, from a missing Secret to an outage and back', async () => {
  await produce('before')
  await run.apply('KafkaConnection', 'main', { bootstrapServers: [broker.bootstrap] })
  await run.apply('DeadLetterPipeline', 'billing', {
    connectionRef: { name: 'main' },
    source: { topic: 'orders', group: 'billing' },
    delivery: { http: { url: application.url(), timeout: '1s', headersSecretRef: { name: 'billing-headers' } } },
    breaker: { failureRatio: '0.5', minimum: 3, window: '10s', probeInterval: '500ms' },
    ordering: 'Key',
  })
  const missing = await settled('!SecretNotFound')
  expect(conditionOf(missing, 'Ready')?.message).toContain('Secret "billing-headers" does not exist')
  await run.applySecret('billing-headers', { Authorization: 'Bearer one' })
  await settled('Ready')
  await heard('before')
  expect(application.heard[0]).toMatchObject({
    method: 'POST',
    path: '/orders',
    headers: { authorization: 'Bearer one', 'ce-source': '/sluice/default/billing#orders' },
  })
  const { port } = application
  await application.stop()
  await produce('a', 'b', 'c', 'd', 'e', 'f')
  const open = await settled('!BreakerOpen')
  expect(open.status?.breaker).toBe('Open')
  expect(conditionOf(open, 'Ready')?.message).toMatch(/http\.(refused|reset)/)
  application = await HttpApplication.start(answer(200), { port })
  await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(heard))
  expect((await settled('Ready')).status?.breaker).toBe('Closed')
})
