import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { DeadLetterRedrive } from '../../../src/kinds/dead-letter-redrive/resource.ts'
import { readCommitted } from '../../support/delay-queue/java-reader.ts'
import type { Committed } from '../../support/delay-queue/java-reader.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'
import { readiness, startSluiceRun } from '../../support/sluice-run.ts'
import type { SluiceRun } from '../../support/sluice-run.ts'

const DEAD = 2_000
const KILLS = 4
const RATE = 150
const run = promisify(execFile)

jest.setTimeout(240_000)

let broker: Kafka
let kafka: KafkaJs
let sluice: SluiceRun
const closing: (() => Promise<unknown>)[] = []

/** Every fourth is another failure. */
const fingerprintOf = (id: number): string => (id % 4 === 3 ? 'bbbb' : 'aaaa')

beforeAll(async () => {
  broker = await startKafka()
  closing.push(() => broker.stop())
  kafka = new KafkaJs({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
  sluice = await startSluiceRun()
  closing.push(() => sluice.stop())
  await sluice.apply('KafkaConnection', 'main', { bootstrapServers: [broker.bootstrap] })
  await sluice.apply('KafkaTopicPolicy', 'orders', { connectionRef: { name: 'main' }, topics: [{ name: 'orders', partitions: 3 }] })
  await sluice.apply('DeadLetterPipeline', 'p', {
    connectionRef: { name: 'main' },
    source: { topic: 'orders', group: 'billing' },
    delivery: { topic: {} },
    deadLetter: { partitions: 3 },
    workers: { replicas: 0 },
  })
  await sluice.settled('DeadLetterPipeline', 'p', resource => readiness(resource) === 'Ready', 90_000)
  const producer = kafka.producer({ idempotent: true })
  await producer.connect()
  await producer.send({
    topic: 'default.p.dlq',
    messages: Array.from({ length: DEAD }, (_, id) => ({
      key: `key-${id % 50}`,
      value: `value ${id}`,
      partition: id % 3,
      headers: { id: String(id), 'sluice-attempt': '4', 'sluice-error-class': 'Timeout', 'sluice-error-fingerprint': fingerprintOf(id) },
    })),
  })
  await producer.disconnect()
}, 120_000)

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
}, 60_000)

/** The processes that `sluice run` started for a redrive. */
async function workersOf(name: string): Promise<readonly number[]> {
  const { stdout } = await run('ps', ['-e', '-o', 'pid=,args=', '-ww'])
  const lines = stdout.split('\n').filter(line => line.includes(' worker ') && line.includes(`/DeadLetterRedrive.default.${name}.json`))
  return lines.map(line => Number(line.trim().split(' ')[0]))
}

const phase = (name: string, ...wanted: readonly string[]): Promise<DeadLetterRedrive> =>
  sluice.settled<DeadLetterRedrive>('DeadLetterRedrive', name, ({ status }) => wanted.includes(status?.phase ?? ''), 120_000)

/** The judge starts slowly on a busy machine: asked until it has seen as much as there must be. */
const committed = (topic: string, count: number): Promise<readonly Committed[]> =>
  eventually(
    `${count} records in ${topic}`,
    async () => {
      const records = await readCommitted(broker.bootstrap, topic, 8_000)
      return records.length >= count ? records : undefined
    },
    90_000,
  )

/** Markers and aborted records count as well: none at all. */
async function endOf(topic: string): Promise<number> {
  const admin = kafka.admin()
  await admin.connect()
  const offsets = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  return offsets.reduce((sum, { high }) => sum + Number(high), 0)
}

const all = Array.from({ length: DEAD }, (_, id) => id)

test('should tell in a dry run what it would move, and write nothing', async () => {
  await sluice.apply('DeadLetterRedrive', 'look', { pipelineRef: { name: 'p' }, select: { all: true }, dryRun: true })
  const { status } = await phase('look', 'Completed')
  expect(status).toMatchObject({ matched: DEAD, sent: 0, skipped: 0, failed: 0 })
  expect(status?.histogram).toEqual([
    { target: 'default.p.redelivery', fingerprint: 'aaaa', count: 1_500 },
    { target: 'default.p.redelivery', fingerprint: 'bbbb', count: 500 },
  ])
  expect(await Promise.all(['redelivery', 'handled', 'audit'].map(role => endOf(`default.p.${role}`)))).toEqual([0, 0, 0])
})

test('should move what is selected once through kills and a rest, at its rate, then leave it alone in another redrive', async () => {
  const wanted = all.filter(id => fingerprintOf(id) === 'aaaa')
  const heal = { pipelineRef: { name: 'p' }, select: { fingerprint: 'aaaa' }, ratePerSecond: RATE }
  await sluice.apply('DeadLetterRedrive', 'heal', heal)
  await phase('heal', 'Running')
  await suspendAndResume(heal)
  await sluice.apply('DeadLetterRedrive', 'rest', { pipelineRef: { name: 'p' }, select: { all: true } })
  let sent = -1
  for (let kill = 0; kill < KILLS; kill++) {
    await eventually(
      'a worker that moves records',
      async () => {
        const seen = (await sluice.read<DeadLetterRedrive>('DeadLetterRedrive', 'heal'))?.status?.sent ?? 0
        if (seen <= sent && seen < wanted.length) return false
        sent = seen
        return (await workersOf('heal')).length > 0 || seen >= wanted.length
      },
      60_000,
    )
    for (const pid of await workersOf('heal')) process.kill(pid, 'SIGKILL')
    if (kill === 0) expect((await sluice.read<DeadLetterRedrive>('DeadLetterRedrive', 'rest'))?.status?.phase ?? 'Pending').toBe('Pending')
  }
  expect((await phase('heal', 'Completed')).status).toMatchObject({ matched: 1_500, sent: 1_500, skipped: 0, failed: 0 })
  const rest = await phase('rest', 'Completed')
  expect(rest.status).toMatchObject({ matched: DEAD, sent: 500, skipped: 1_500 })
  expect(readiness(rest)).toBe('Ready')
  const moved = await committed('default.p.redelivery', DEAD)
  expect(moved.map(({ headers }) => Number(headers.get('id'))).sort((a, b) => a - b)).toEqual(all)
  for (const { headers } of moved) {
    const first = fingerprintOf(Number(headers.get('id'))) === 'aaaa'
    expect(headers.get('sluice-redrive-id')).toMatch(first ? /^default\/heal\// : /^default\/rest\//)
    expect(headers.get('sluice-attempt')).toBeUndefined()
    expect(headers.get('sluice-redrive-count')).toBe('1')
  }
  // The source belongs to other groups as well.
  expect(await endOf('orders')).toBe(0)
  await eventually('no worker left', async () => (await workersOf('heal')).length + (await workersOf('rest')).length === 0, 30_000)
  const audit = (await committed('default.p.audit', 12)).map(({ value }) => JSON.parse(value) as { event: string; by: string })
  expect(audit.filter(({ event }) => event === 'RedriveFinished')).toHaveLength(6)
  expect(audit[0]?.by).toMatch(/^DeadLetterRedrive default\/(heal|rest)/)
})

/** While it is suspended it has no worker and nothing moves; then it goes on where it was. */
async function suspendAndResume(spec: object): Promise<void> {
  await sluice.apply('DeadLetterRedrive', 'heal', { ...spec, suspend: true })
  const suspended = await phase('heal', 'Suspended')
  expect(readiness(suspended)).toBe('!Suspended')
  await eventually('its worker to be gone', async () => (await workersOf('heal')).length === 0, 30_000)
  const moved = await endOf('default.p.redelivery')
  await sluice.apply('DeadLetterRedrive', 'heal', spec)
  const { status } = await phase('heal', 'Running', 'Completed')
  expect(status?.startedAt).toBe(suspended.status?.startedAt)
  await eventually('it to go on', async () => (await endOf('default.p.redelivery')) > moved, 60_000)
}

test('should complete at once where nothing is selected, and refuse to write dead letters to themselves', async () => {
  await sluice.apply('DeadLetterRedrive', 'none', { pipelineRef: { name: 'p' }, select: { key: 'nobody' } })
  expect((await phase('none', 'Completed')).status).toMatchObject({ matched: 0, sent: 0 })
  await sluice.apply('DeadLetterRedrive', 'circle', {
    pipelineRef: { name: 'p' },
    select: { all: true },
    to: 'Topic',
    topic: 'default.p.dlq',
  })
  const circle = await sluice.settled('DeadLetterRedrive', 'circle', resource => readiness(resource) === '!InvalidSpec')
  expect(JSON.stringify(circle.status?.conditions)).toContain('default.p.dlq is a topic of DeadLetterPipeline p itself')
})
