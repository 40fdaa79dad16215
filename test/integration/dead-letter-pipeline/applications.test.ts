import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Producer } from 'kafkajs'
import { kind } from '../../../src/kinds/dead-letter-pipeline/index.ts'
import type { DeadLetterPipeline } from '../../../src/kinds/dead-letter-pipeline/resource.ts'
import { createTopic } from '../../support/delay-queue/queue-on-kafka.ts'
import type { WorkerProcess } from '../../support/delay-queue/queue-on-kafka.ts'
import { Reader, headerText } from '../../support/delay-queue/reader.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'
import { PlannedWorkers } from '../../support/planned-workers.ts'

const ROOT = join(import.meta.dirname, '../../..')
const example = (file: string) => join(ROOT, 'examples/retry', file)
const node = (file: string) => [process.execPath, '--disable-warning=ExperimentalWarning', example(file)]

/** Independent implementations of the application's side of the contract, each as its user starts it. */
const APPLICATIONS = [
  { name: 'kafkajs', command: () => node('billing.ts') },
  { name: 'confluent', command: () => node('billing-confluent.ts') },
  { name: 'python', command: () => [execFileSync(join(ROOT, 'scripts/tool'), ['python']).toString().trim(), example('billing.py')] },
] as const

jest.setTimeout(120_000)

let broker: Kafka
let kafka: KafkaJs
let producer: Producer
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  broker = await startKafka()
  closing.push(() => broker.stop())
  kafka = new KafkaJs({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
  producer = kafka.producer()
  await producer.connect()
  closing.push(() => producer.disconnect())
}, 60_000)

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
}, 60_000)

const pipelineOf = (namespace: string): DeadLetterPipeline => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DeadLetterPipeline',
  metadata: { name: 'p', namespace, generation: 1 },
  spec: {
    connectionRef: { name: 'main' },
    source: { topic: `${namespace}.orders`, group: `${namespace}-billing` },
    delivery: { topic: {} },
    retry: { maxAttempts: 3, backoff: { initial: '500ms', factor: 2, max: '1m', jitter: 'None' } },
  },
})

const ORDERS = [
  { id: 'fine', total: 1 },
  { id: 'patient', total: 2, bankAnswersAt: 3 },
  { id: 'negative', total: -1 },
  { id: 'beyond', total: 2_000_000 },
]

describe.each(APPLICATIONS)('an application on $name', ({ name, command }) => {
  let worker: WorkerProcess
  let application: ChildProcess
  let printed = ''

  beforeAll(async () => {
    const admin = kafka.admin()
    await admin.connect()
    await createTopic(admin, `${name}.orders`, 1, {})
    await admin.disconnect()
    const workers = await PlannedWorkers.create(kafka, broker.bootstrap, kind, pipelineOf(name), 1)
    closing.push(() => workers.close())
    worker = workers.start()
    await eventually('the worker ready', () => worker.ready(), 60_000)
    const [program = '', ...args] = command()
    application = spawn(program, [...args, broker.bootstrap, `${name}.orders`, `${name}-billing`, `${name}.p`])
    for (const stream of [application.stdout, application.stderr]) stream?.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    closing.push(async () => {
      if (application.exitCode === null && application.kill('SIGKILL')) await once(application, 'exit')
    })
  }, 90_000)

  test('should get back what failed when it asked for it, and see the rest die with its reason', async () => {
    const source = { topic: `${name}.orders`, messages: ORDERS.map(order => ({ key: order.id, value: JSON.stringify(order) })) }
    await producer.send(source)
    const dead = await Reader.of(kafka, `${name}-auditor`, [`${name}.p.dlq`])
    closing.push(() => dead.close())
    await eventually('two billed', () => printed.split('billed').length === 3, 60_000).catch((error: unknown) => {
      throw new Error(`${String(error)}; the application printed: ${printed}; the worker: ${worker.printed().slice(-2000)}`)
    })
    await eventually('two dead letters', () => dead.records.length === 2, 60_000)
    expect(printed).toContain('billed fine at delivery 1')
    expect(printed).toContain('billed patient at delivery 3')
    const letters = new Map(dead.records.map(record => [record.key?.toString(), record]))
    const told = (id: string, header: string) => headerText(letters.get(id)!, header)
    expect(told('negative', 'sluice-disposition')).toBe('rejected')
    expect(told('negative', 'sluice-attempt')).toBe('1')
    expect(told('negative', 'sluice-error-message')).toBe('order negative has a negative total')
    expect(told('beyond', 'sluice-disposition')).toBe('exhausted')
    expect(told('beyond', 'sluice-attempt')).toBe('3')
    expect(told('beyond', 'sluice-error-class')).toMatch(/^(RangeError|OverflowError)$/)
    expect(told('beyond', 'sluice-error-stack')).toContain('beyond the limit')
    for (const id of ['negative', 'beyond']) {
      expect(told(id, 'sluice-origin-topic')).toBe(`${name}.orders`)
      expect(told(id, 'sluice-origin-offset')).toBe(String(ORDERS.findIndex(order => order.id === id)))
      expect(told(id, 'sluice-origin-group')).toBe(`${name}-billing`)
      expect(JSON.parse(letters.get(id)?.value?.toString() ?? '')).toEqual(ORDERS.find(order => order.id === id))
    }
  })
})
