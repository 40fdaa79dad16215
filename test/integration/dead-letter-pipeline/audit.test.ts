import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Consumer, Producer } from 'kafkajs'
import { kind } from '../../../src/kinds/dead-letter-pipeline/index.ts'
import type { DeadLetterPipeline } from '../../../src/kinds/dead-letter-pipeline/resource.ts'
import { createTopic } from '../../support/delay-queue/queue-on-kafka.ts'
import { readCommitted } from '../../support/delay-queue/java-reader.ts'
import type { Committed } from '../../support/delay-queue/java-reader.ts'
import { Reader, headerText } from '../../support/delay-queue/reader.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'
import { PlannedWorkers } from '../../support/planned-workers.ts'

/** Of each, a worker of both pipelines is killed. */
const ROUNDS = 10
const FAILURES_A_ROUND = 60
const FAILURES = ROUNDS * FAILURES_A_ROUND
const ORDERS_A_ROUND = 15
const ORDERS = ROUNDS * ORDERS_A_ROUND
const PARTITIONS = 4
const WAITS_MS = [500, 1_000, 2_000]

jest.setTimeout(300_000)

const pipelineOf = (name: string, source: string, group: string): DeadLetterPipeline => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DeadLetterPipeline',
  metadata: { name, namespace: 'shop', generation: 1 },
  spec: {
    connectionRef: { name: 'main' },
    source: { topic: source, group },
    delivery: { topic: {} },
    retry: { maxAttempts: WAITS_MS.length + 1, backoff: { initial: '500ms', factor: 2, max: '1m', jitter: 'None' } },
  },
})

let broker: Kafka
let kafka: KafkaJs
let workers: PlannedWorkers
let pythonWorkers: PlannedWorkers
let producer: Producer
let application: Consumer
let deadLetters: Reader
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  broker = await startKafka()
  closing.push(() => broker.stop())
  kafka = new KafkaJs({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
  workers = await PlannedWorkers.create(kafka, broker.bootstrap, kind, pipelineOf('p', 'orders', 'billing'), PARTITIONS)
  closing.push(() => workers.close())
  pythonWorkers = await PlannedWorkers.create(kafka, broker.bootstrap, kind, pipelineOf('q', 'shop.orders', 'python'), PARTITIONS)
  closing.push(() => pythonWorkers.close())
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

/** The example in Python: it knows nothing but the headers, and fails each of these orders at every delivery. */
async function startPython(): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await createTopic(admin, 'shop.orders', PARTITIONS, {})
  await admin.disconnect()
  const root = join(import.meta.dirname, '../../..')
  const program = execFileSync(join(root, 'scripts/tool'), ['python']).toString().trim()
  const python = spawn(program, [join(root, 'examples/retry/billing.py'), broker.bootstrap, 'shop.orders', 'python', 'shop.q'], {
    stdio: 'ignore',
  })
  closing.push(async () => {
    if (python.exitCode === null && python.kill('SIGKILL')) await once(python, 'exit')
  })
}

const orders = (round: number) =>
  Array.from({ length: ORDERS_A_ROUND }, (_, i) => {
    const id = `order-${round * ORDERS_A_ROUND + i}`
    return { key: id, value: JSON.stringify({ id, total: 2_000_000 }) }
  })

test('should redeliver or dead-letter every failure once and never early through twenty kills', async () => {
  const running = [workers, workers, pythonWorkers, pythonWorkers].map(planned => planned.start())
  await eventually('workers ready', async () => (await Promise.all(running.map(worker => worker.ready()))).every(Boolean), 60_000)
  application = await startApplication()
  closing.push(() => application.disconnect())
  await startPython()
  for (let round = 0; round < ROUNDS; round++) {
    const before = deadLetters.records.length
    const first = round * FAILURES_A_ROUND
    await producer.send({
      topic: 'shop.p.retry',
      messages: Array.from({ length: FAILURES_A_ROUND }, (_, i) => failed(String(first + i))),
    })
    await producer.send({ topic: 'shop.orders', messages: orders(round) })
    const [mine, pythons] = [round % 2, 2 + (round % 2)]
    await Promise.all([running[mine]!.kill(), running[pythons]!.kill()])
    running[mine] = workers.start()
    running[pythons] = pythonWorkers.start()
    await eventually('a survivor at work', () => deadLetters.records.length > before || everyOneDead(), 60_000)
  }
  await eventually('every failure dead in the end', everyOneDead, 90_000)
  await audit()
  await auditPython()
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
      // A reader that starts slowly takes a quiet moment for the end.
      return retry!.length >= FAILURES * (WAITS_MS.length + 1) && ends.length >= retry!.length ? ([retry!, ends] as const) : undefined
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

/** An application that nobody has taught to name its writes: an order and the number of its delivery do. */
async function auditPython(): Promise<void> {
  const of = (role: string, least: number): Promise<readonly Committed[]> =>
    eventually(
      `${least} records on shop.q.${role}`,
      async () => {
        const records = await readCommitted(broker.bootstrap, `shop.q.${role}`)
        return records.length >= least ? records : undefined
      },
      90_000,
    )
  const dead = await of('dlq', ORDERS)
  const attempts = (records: readonly Committed[]): readonly string[] =>
    records.map(({ key, headers }) => `${key} ${headers.get('sluice-attempt') ?? '1'}`).toSorted()
  const all = Array.from({ length: ORDERS }, (_, i) => `order-${i}`)
  const made = (numbers: readonly number[]): readonly string[] => all.flatMap(id => numbers.map(attempt => `${id} ${attempt}`)).toSorted()
  expect(attempts(await of('retry', 4 * ORDERS))).toEqual(made([1, 2, 3, 4]))
  expect(attempts(await of('redelivery', 3 * ORDERS))).toEqual(made([2, 3, 4]))
  expect(attempts(dead)).toEqual(made([4]))
  for (const { headers } of dead) {
    expect(headers.get('sluice-disposition')).toBe('exhausted')
    expect(headers.get('sluice-error-class')).toBe('OverflowError')
  }
}
