import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { confluentLog } from '../../../src/kafka/confluent-log.ts'
import type { KafkaLog, LogReader, TransactionalProducer } from '../../../src/kafka/log.ts'
import { platformaticAdmin } from '../../../src/kafka/platformatic-admin.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'

jest.setTimeout(120_000)

const PARTITIONS = 4
const WORKER = fileURLToPath(new URL('../../support/worker/copy-worker.ts', import.meta.url))

let kafka: Kafka
let log: KafkaLog
let producer: TransactionalProducer
let serial = 0
const running = new Set<ChildProcess>()

beforeAll(async () => {
  kafka = await startKafka()
  log = confluentLog({ bootstrapServers: [kafka.bootstrap] }, { clientId: 'exactly-once-test' })
  producer = await log.producer({ transactionalId: 'exactly-once-test', transactionTimeoutMs: 30_000 })
  await producer.initTransactions(20_000)
})

afterEach(async () => {
  for (const child of running) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
})

afterAll(async () => {
  await producer.close()
  await kafka.stop()
})

async function topics(): Promise<string> {
  const prefix = `copy-${(serial += 1)}`
  const admin = platformaticAdmin({ bootstrapServers: [kafka.bootstrap] }, { clientId: 'exactly-once-test' })
  await admin.createTopics(['in', 'out', 'journal', 'dlq'].map(role => topic(`${prefix}.${role}`, role)))
  await admin.close()
  return prefix
}

const topic = (name: string, role: string) => ({
  name,
  partitions: PARTITIONS,
  replicationFactor: 1,
  configs: role === 'out' ? { 'max.message.bytes': '20000' } : {},
})

interface Process {
  readonly child: ChildProcess
  /** Partitions that run, or undefined while it is not ready. */
  owns(): readonly number[] | undefined
  ended(): Promise<number | null>
}

function startWorkerProcess(prefix: string, instance: string): Process {
  const child = spawn(process.execPath, ['--no-warnings', WORKER, kafka.bootstrap, `group-${prefix}`, prefix, instance], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '', UV_THREADPOOL_SIZE: '16' },
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  let owned: readonly number[] | undefined
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const last = text.split('\n').findLast(line => line.startsWith('ready '))
    if (last !== undefined) owned = last.slice('ready '.length).split(',').map(Number)
  })
  return {
    child,
    owns: () => owned,
    ended: async () => child.exitCode ?? ((await once(child, 'exit')) as [number | null])[0],
  }
}

async function until(condition: () => boolean | Promise<boolean>, what: string, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`timed out waiting until ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** Writes `count` records, spread over the partitions, named `<from>`, `<from + 1>`, ... */
async function write(prefix: string, from: number, count: number): Promise<void> {
  await producer.begin()
  for (let i = from; i < from + count; i += 1) {
    producer.send({
      topic: `${prefix}.in`,
      partition: i % PARTITIONS,
      key: Buffer.from(`k${i}`),
      value: Buffer.from(String(i)),
      headers: [],
    })
  }
  await producer.commit(20_000)
}

/** Reads what a read_committed consumer sees, from the beginning to the end. */
class Outcome {
  readonly #reader: LogReader
  readonly values: string[] = []
  readonly perPartition: string[][] = Array.from({ length: PARTITIONS }, () => [])

  readonly #name: string

  private constructor(reader: LogReader, name: string) {
    this.#reader = reader
    this.#name = name
  }

  static async of(name: string): Promise<Outcome> {
    const reader = await log.reader()
    await reader.assign(Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: name, partition, offset: 0 })))
    return new Outcome(reader, name)
  }

  async read(count: number): Promise<void> {
    await until(async () => {
      for (const { partition, value } of (await this.#reader.poll(1000, 50)).records) {
        this.values.push(String(value))
        this.perPartition[partition]!.push(String(value))
      }
      return this.values.length >= count
    }, `${count} records were seen, got ${this.values.length}`)
  }

  /** Nothing more comes: every worker has ended, so what is not there by the end of the log never will be. */
  async drain(): Promise<void> {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)
    const ended = new Set<number>()
    const name = this.#name
    const ends = await this.#reader.watermarks(partitions.map(partition => ({ topic: name, partition })))
    await until(async () => {
      await this.read(this.values.length)
      this.#reader.positions(partitions.map(partition => ({ topic: name, partition }))).forEach((position, partition) => {
        const end = ends[partition]
        if (end !== undefined && 'high' in end && (end.high === 0 || (position ?? 0) >= end.high)) ended.add(partition)
      })
      return ended.size === PARTITIONS
    }, 'the end was reached')
  }

  async close(): Promise<void> {
    await this.#reader.close()
  }
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i))
const sorted = (values: readonly string[]): string[] => values.toSorted((a, b) => Number(a) - Number(b))

async function expectOnce(outcome: Outcome, count: number): Promise<void> {
  await outcome.drain()
  expect(sorted(outcome.values)).toEqual(numbers(count))
  // Per partition in the order of the input.
  for (const values of outcome.perPartition) expect(values).toEqual(sorted(values))
  await outcome.close()
}

const outcomeOf = (prefix: string): Promise<Outcome> => Outcome.of(`${prefix}.out`)

describe('exactly once', () => {
  test('should lose and double nothing when a worker is killed in the middle', async () => {
    const prefix = await topics()
    const outcome = await outcomeOf(prefix)
    const first = startWorkerProcess(prefix, 'first')
    await until(() => first.owns()?.length === PARTITIONS, 'the first worker runs all tasks')
    await write(prefix, 0, 3000)
    await outcome.read(1)
    first.child.kill('SIGKILL')
    await write(prefix, 3000, 1000)
    const second = startWorkerProcess(prefix, 'second')
    await outcome.read(4000)
    second.child.kill('SIGTERM')
    expect(await second.ended()).toBe(0)
    await expectOnce(outcome, 4000)
  })

  test('should lose and double nothing while workers join and leave', async () => {
    const prefix = await topics()
    const outcome = await outcomeOf(prefix)
    const first = startWorkerProcess(prefix, 'first')
    await until(() => first.owns()?.length === PARTITIONS, 'the first worker runs all tasks')
    await write(prefix, 0, 2000)
    const second = startWorkerProcess(prefix, 'second')
    await write(prefix, 2000, 2000)
    await until(() => second.owns()?.length === 2, 'the second worker runs its half')
    await write(prefix, 4000, 1000)
    first.child.kill('SIGTERM')
    expect(await first.ended()).toBe(0)
    await write(prefix, 5000, 1000)
    await outcome.read(6000)
    second.child.kill('SIGTERM')
    expect(await second.ended()).toBe(0)
    await expectOnce(outcome, 6000)
  })

  test('should keep out a worker that was frozen and comes back', async () => {
    const prefix = await topics()
    const outcome = await outcomeOf(prefix)
    const frozen = startWorkerProcess(prefix, 'frozen')
    await until(() => frozen.owns()?.length === PARTITIONS, 'the first worker runs all tasks')
    await write(prefix, 0, 3000)
    await outcome.read(1)
    frozen.child.kill('SIGSTOP')
    const other = startWorkerProcess(prefix, 'other')
    await until(() => other.owns()?.length === PARTITIONS, 'the other worker took over')
    await write(prefix, 3000, 500)
    frozen.child.kill('SIGCONT')
    await until(() => other.owns()?.length === 2, 'the frozen one came back and shares')
    await write(prefix, 3500, 500)
    await outcome.read(4000)
    for (const each of [frozen, other]) {
      each.child.kill('SIGTERM')
      expect(await each.ended()).toBe(0)
    }
    await expectOnce(outcome, 4000)
  })

  test('should dead-letter the one record that the broker refuses, and deliver all others', async () => {
    const prefix = await topics()
    const outcome = await outcomeOf(prefix)
    const dead = await Outcome.of(`${prefix}.dlq`)
    await write(prefix, 0, 400)
    await producer.begin()
    producer.send({ topic: `${prefix}.in`, partition: 0, key: null, value: Buffer.alloc(50_000), headers: [] })
    await producer.commit(20_000)
    await write(prefix, 400, 400)
    const worker = startWorkerProcess(prefix, 'only')
    await dead.read(1)
    await outcome.read(800)
    worker.child.kill('SIGTERM')
    expect(await worker.ended()).toBe(0)
    expect(dead.values).toEqual(['MessageTooLarge'])
    await dead.close()
    await expectOnce(outcome, 800)
  })
})
