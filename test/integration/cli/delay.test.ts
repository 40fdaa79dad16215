import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Producer } from 'kafkajs'
import { sluice } from '../../support/command.ts'
import { QueueOnKafka } from '../../support/delay-queue/queue-on-kafka.ts'
import type { WorkerProcess } from '../../support/delay-queue/queue-on-kafka.ts'
import { Random } from '../../support/delay-queue/random.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'

jest.setTimeout(120_000)

let broker: Kafka
let producer: Producer
let queue: QueueOnKafka
let worker: WorkerProcess
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  broker = await startKafka()
  closing.push(() => broker.stop())
  const kafka = new KafkaJs({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
  queue = await QueueOnKafka.create(kafka, broker.bootstrap, 'shop', {
    partitions: 3,
    maxDelay: '1h',
    tiers: ['5m'],
    target: { topic: 'shop.due' },
  })
  closing.push(() => queue.close())
  producer = kafka.producer({ idempotent: true })
  await producer.connect()
  closing.push(() => producer.disconnect())
  worker = queue.start()
  await queue.allOwned([worker])
}, 90_000)

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
}, 60_000)

interface Message {
  readonly id?: string
  readonly key?: string
  readonly state: string
  readonly due: string
  readonly where: string
  readonly partition: number
  readonly payload?: string
  readonly headers?: readonly { readonly name: string; readonly value: string }[]
}

const delay = (...args: readonly string[]) => sluice(['delay', ...args], { KAFKA_BOOTSTRAP: broker.bootstrap })

async function json<T>(...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await delay(...args, '-o', 'json')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout) as T
}
const pending = async (...args: readonly string[]) =>
  (await json<{ readonly messages: readonly Message[] }>('pending', 'shop/q', '--limit', '5000', ...args)).messages

const send = (role: string, messages: readonly { key?: string; value?: string | null; headers?: Record<string, string> }[]) =>
  producer.send({ topic: queue.topic(role), messages: messages.map(({ value = 'the payload', ...rest }) => ({ ...rest, value })) })
const schedule = (id: string, wait: string, more: Record<string, string> = {}) =>
  send('in', [{ key: `key-${id}`, headers: { 'sluice-id': id, 'sluice-delay': wait, ...more } }])

const named = (prefix: string, messages: readonly Message[]) => messages.filter(({ id }) => id?.startsWith(prefix))

test('should list what waits in the input, a tier and a fixed delay by due time, without payloads', async () => {
  await schedule('list-far', '10m')
  await schedule('list-near', '50s')
  await send('fixed.5m', [{ key: 'list-fixed' }])
  await eventually('the far message in its tier', async () =>
    (await pending()).some(({ id, where }) => id === 'list-far' && where === 'tier 8m32s'),
  )
  const { stdout } = await delay('pending', 'shop/q')
  const lines = stdout.split('\n').filter(line => line.includes('list-'))
  expect(lines.map(line => /list-\w+/.exec(line)?.[0])).toEqual(['list-near', 'list-fixed', 'list-far'])
  expect(lines[1]).toContain('fixed 5m')
  expect(stdout).not.toContain('payload')
  const window = await pending('--from', '2m', '--to', '8m')
  expect(window.map(({ key }) => key)).toEqual(['list-fixed'])
})

test('should see each of 3,000 messages once while workers move them', async () => {
  const random = new Random(7)
  const ids = Array.from({ length: 3_000 }, (_, i) => `move-${i}`)
  const batches = Array.from({ length: 30 }, (_, i) => ids.slice(i * 100, i * 100 + 100))
  const look = async () => named('move-', await pending()).map(({ id }) => id!)
  for (const batch of batches)
    await send(
      'in',
      batch.map(id => ({ key: id, headers: { 'sluice-id': id, 'sluice-delay': String(120_000 + random.below(3_400_000)) } })),
    )
  for (let i = 0; i < 3; i++) expect((await look()).toSorted()).toEqual(ids.toSorted())
  // What the workers commit beside their offsets is what is there.
  await eventually('the counts of the tiers', async () => {
    const { sources } = await json<{ readonly sources: readonly { readonly where: string; readonly pending: number }[] }>('stats', 'shop/q')
    const told = sources.filter(({ where }) => where.startsWith('tier')).reduce((sum, { pending }) => sum + pending, 0)
    return told >= ids.length && told === (await pending()).filter(({ where }) => where.startsWith('tier')).length
  })
})

describe('get and cancel', () => {
  test('should find a message by its id, with its key and without', async () => {
    await schedule('found', '40m', { 'sluice-version': '3' })
    const expected = { id: 'found', key: 'key-found', state: 'waiting', version: 3 }
    for (const args of [['--key', 'key-found'], []])
      expect(await json('get', 'shop/q', '--id', 'found', ...args)).toMatchObject({ messages: [expected] })
    expect(await delay('get', 'shop/q', '--id', 'never')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('nothing waits under id never in any partition'),
    })
  })

  test('should cancel only when told to, wait for its effect, and tell of it afterwards', async () => {
    await schedule('ended', '30m')
    const options = ['shop/q', '--id', 'ended', '--key', 'key-ended']
    expect((await delay('cancel', ...options)).stdout).toContain('dry run: nothing was written')
    expect(await json('get', ...options)).toMatchObject({ messages: [{ state: 'waiting' }], orders: [] })
    expect(await json('cancel', ...options, '--execute', '--wait')).toMatchObject({
      executed: true,
      carriedOut: true,
      messages: [{ id: 'ended' }],
    })
    const after = await json<{ readonly remembered: readonly object[]; readonly history: readonly object[] }>(
      'get',
      ...options,
      '--history',
    )
    expect(after.remembered).toEqual([expect.objectContaining({ cancelledBelow: expect.any(Number) })])
    expect(after.history).toMatchObject([{ what: 'schedule' }, { what: 'cancel' }])
    expect(named('ended', await pending())).toEqual([])
  })

  test('should say in which partition a message is whose producer did not choose it by its key', async () => {
    const [{ partition }] = (await json<{ readonly messages: readonly Message[] }>('get', 'shop/q', '--id', 'found')).messages as [Message]
    const other = String((partition + 1) % 3)
    const { stdout } = await delay('cancel', 'shop/q', '--id', 'found', '--partition', other)
    expect(stdout).toContain(`messages of this id wait in partition ${partition}`)
  })

  test('should show the reason of a dead letter in the history', async () => {
    await send('in', [{ key: 'bad', headers: { 'sluice-id': 'bad', 'sluice-delay': 'soon' } }])
    await eventually('the dead letter', async () => {
      const { stdout } = await delay('get', 'shop/q', '--id', 'bad', '--history')
      return stdout.includes('poison InvalidDelay')
    })
  })

  test('should ask for the key of the message to cancel', async () => {
    expect(await delay('cancel', 'shop/q', '--id', 'x')).toMatchObject({ code: 2, stderr: expect.stringContaining('give --key') })
  })
})

test('should peek at what is due next, with headers, and with payloads only on request', async () => {
  await schedule('peeked', '20m', { trace: 'abc' })
  const peek = async (...more: readonly string[]) =>
    (
      await json<{ readonly messages: readonly Message[] }>('peek', 'shop/q', '--limit', '1000', '--key', 'key-peeked', ...more)
    ).messages.find(({ id }) => id === 'peeked')
  expect((await peek())?.headers).toContainEqual({ name: 'trace', value: 'abc' })
  expect((await peek())?.payload).toBeUndefined()
  expect((await peek('--payload'))?.payload).toBe('the payload')
})

test('should count what waits, and what a worker adds, and what is overdue once no worker runs', async () => {
  const all = (await pending()).length
  const scanned = await json<{ readonly pending: number; readonly exact: boolean }>('stats', 'shop/q', '--scan')
  expect(scanned).toMatchObject({ exact: true, pending: all, overdue: 0 })
  expect(await json('stats', '--namespace', 'shop', '--name', 'q', '--worker', worker.url())).toMatchObject({
    group: { name: 'sluice.shop.q.dq', members: 1 },
    workers: [{ ready: true, stats: { partitions: [0, 1, 2] } }],
  })
  const refusing = await json<{ readonly workers: readonly { readonly problem?: string }[] }>('stats', 'shop/q', '-w', 'http://127.0.0.1:1')
  expect(refusing.workers[0]?.problem).toContain('does not answer')
  await worker.stop()
  await schedule('overdue', '1ms')
  const { stdout } = await delay('stats', 'shop/q')
  expect(stdout).toMatch(/^shop\/q: about \d+ pending, 1 overdue; the oldest was due .* ago; .*0 members/)
  expect(named('overdue', await pending())).toMatchObject([{ state: 'overdue', where: 'in' }])
})

test('should read the queue and its connection from manifests, and say what is missing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-delay-'))
  try {
    const manifest = (kind: string, name: string, spec: object) =>
      JSON.stringify({ apiVersion: 'sluice.dev/v1alpha1', kind, metadata: { name, namespace: 'shop' }, spec })
    await writeFile(join(folder, 'main.json'), manifest('KafkaConnection', 'main', { bootstrapServers: [broker.bootstrap] }))
    const spec = { connectionRef: { name: 'main' }, maxDelay: '1h', target: { topic: 'shop.due' } }
    await writeFile(join(folder, 'q.json'), manifest('DelayQueue', 'q', spec))
    await writeFile(join(folder, 'other.json'), manifest('DelayQueue', 'other', spec))
    const { code, stdout } = await sluice(['delay', 'stats', 'shop/q', '-f', folder])
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('shop/q: about') })
    expect(await sluice(['delay', 'stats', 'shop/other', '-f', folder])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('topic shop.other.in does not exist'),
    })
    expect(await delay('stats', 'shop')).toMatchObject({ code: 2, stderr: expect.stringContaining('NAMESPACE/NAME') })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
