import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Consumer, Producer } from 'kafkajs'
import { kind } from '../../../src/kinds/dead-letter-pipeline/index.ts'
import type { DeadLetterPipeline } from '../../../src/kinds/dead-letter-pipeline/resource.ts'
import { readCommitted } from '../../support/delay-queue/java-reader.ts'
import type { Committed } from '../../support/delay-queue/java-reader.ts'
import { Reader, headerText } from '../../support/delay-queue/reader.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'
import { PlannedWorkers } from '../../support/planned-workers.ts'

const FAILURES = 600
const KILLS = 5
const PARTITIONS = 4
const WAITS_MS = [500, 1_000, 2_000]

jest.setTimeout(180_000)

const pipeline: DeadLetterPipeline = {
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DeadLetterPipeline',
  metadata: { name: 'p', namespace: 'shop', generation: 1 },
  spec: {
    connectionRef: { name: 'main' },
    source: { topic: 'orders', group: 'billing' },
    delivery: { topic: {} },
    retry: { maxAttempts: WAITS_MS.length + 1, backoff: { initial: '500ms', factor: 2, max: '1m', jitter: 'None' } },
  },
}

let broker: Kafka
let kafka: KafkaJs
let workers: PlannedWorkers
let producer: Producer
let application: Consumer
let deadLetters: Reader
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  broker = await startKafka()
  closing.push(() => broker.stop())
  kafka = new KafkaJs({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
  workers = await PlannedWorkers.create(kafka, broker.bootstrap, kind, pipeline, PARTITIONS)
  closing.push(() => workers.close())
  producer = kafka.producer({ idempotent: true })
  await producer.connect()
  closing.push(() => producer.disconnect())
  deadLetters = await Reader.of(kafka, 'auditor', ['shop.p.dlq'])
  closing.push(() => deadLetters.close())
}, 60_000)

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
}, 60_000)

let entries = 0
/** What the application writes when it fails; `entry` names the write, whatever Sluice makes of it. */
const failed = (id: string, headers: Readonly<Record<string, string>> = {}) => ({
  key: `key-${Number(id) % 50}`,
  value: `value ${id}`,
  headers: {
    ...headers,
    id,
    entry: String(entries++),
    'sluice-error-class': 'TimeoutError',
    'sluice-error-message': `order ${id} timed out`,
  },
})

/** When the application had a redelivered failure in hand: its append time tells nothing, it is staged before it is due and visible once committed. */
const seenAt = new Map<string, number>()

/** An application that fails every delivery: it hands each record back as it got it. */
async function startApplication(): Promise<Consumer> {
  const consumer = kafka.consumer({ groupId: 'billing', maxWaitTimeInMs: 20, readUncommitted: false })
  await consumer.connect()
  await consumer.subscribe({ topics: ['shop.p.redelivery'], fromBeginning: true })
  await consumer.run({
    eachBatch: async ({ batch }) => {
      const messages = batch.messages.map(({ headers = {} }) => {
        const texts = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
        seenAt.set(texts.entry ?? '?', Date.now())
        return failed(texts.id ?? '?', texts)
      })
      await producer.send({ topic: 'shop.p.retry', messages })
    },
  })
  return consumer
}

test('should redeliver or dead-letter every failure once and never early through five kills', async () => {
  const running = [workers.start(), workers.start()]
  await eventually('workers ready', async () => (await Promise.all(running.map(worker => worker.ready()))).every(Boolean), 60_000)
  application = await startApplication()
  closing.push(() => application.disconnect())
  const half = FAILURES / 2
  await producer.send({ topic: 'shop.p.retry', messages: Array.from({ length: half }, (_, id) => failed(String(id))) })
  for (let kill = 0; kill < KILLS; kill++) {
    const before = deadLetters.records.length
    await running[kill % 2]!.kill()
    running[kill % 2] = workers.start()
    if (kill === 2)
      await producer.send({ topic: 'shop.p.retry', messages: Array.from({ length: half }, (_, id) => failed(String(half + id))) })
    await eventually('a survivor at work', () => deadLetters.records.length > before || everyOneDead(), 60_000)
  }
  await eventually('every failure dead in the end', everyOneDead, 90_000)
  await audit()
  for (const worker of running) expect(await worker.stop()).toBe(0)
})

const everyOneDead = (): boolean => new Set(deadLetters.records.map(record => headerText(record, 'id'))).size === FAILURES

async function audit(): Promise<void> {
  const [written, outputs] = await eventually(
    'an end for every failure',
    async () => {
      const [retry, redelivery, dead] = await Promise.all(
        ['shop.p.retry', 'shop.p.redelivery', 'shop.p.dlq'].map(topic => readCommitted(broker.bootstrap, topic)),
      )
      const ends = [...redelivery!, ...dead!]
      return ends.length >= retry!.length ? ([retry!, ends] as const) : undefined
    },
    60_000,
  )
  const ends = new Map<string, Committed[]>()
  for (const record of outputs) {
    const entry = record.headers.get('entry') ?? '?'
    ends.set(entry, [...(ends.get(entry) ?? []), record])
  }
  const notOnce = written.filter(({ headers }) => ends.get(headers.get('entry') ?? '')?.length !== 1)
  expect({ notOnce, outputs: outputs.length }).toEqual({ notOnce: [], outputs: written.length })
  for (const failure of written) judge(failure, ends.get(failure.headers.get('entry') ?? '')![0]!)
}

function judge(failure: Committed, end: Committed): void {
  const attempt = Number(failure.headers.get('sluice-attempt') ?? 1)
  expect({ key: end.key, value: end.value }).toEqual({ key: failure.key, value: failure.value })
  if (end.topic === 'shop.p.dlq') {
    expect(attempt).toBe(WAITS_MS.length + 1)
    expect(end.headers.get('sluice-disposition')).toBe('exhausted')
    expect(end.headers.get('sluice-attempt')).toBe(String(attempt))
    return
  }
  expect(end.headers.get('sluice-attempt')).toBe(String(attempt + 1))
  const redeliveredAt = seenAt.get(failure.headers.get('entry') ?? '?') ?? NaN
  expect(redeliveredAt - failure.appendedMs).toBeGreaterThanOrEqual(WAITS_MS[attempt - 1]!)
}
