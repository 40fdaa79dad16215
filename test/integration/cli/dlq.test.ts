import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import { sluice } from '../../support/command.ts'
import type { Outcome } from '../../support/command.ts'
import { readCommitted } from '../../support/delay-queue/java-reader.ts'
import type { Committed } from '../../support/delay-queue/java-reader.ts'
import { createTopic } from '../../support/delay-queue/queue-on-kafka.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'

const DEAD = 300
const SLUICE = join(import.meta.dirname, '../../../bin/sluice')
jest.setTimeout(120_000)

let broker: Kafka
beforeAll(async () => {
  broker = await startKafka()
  const kafka = new KafkaJs({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  for (const role of ['dlq', 'handled', 'audit', 'redelivery'])
    await createTopic(admin, `shop.p.${role}`, 2, { 'message.timestamp.type': 'LogAppendTime' })
  for (const role of ['dlq', 'handled', 'audit', 'redelivery']) await createTopic(admin, `shop.q.${role}`, 2, {})
  await admin.disconnect()
  const producer = kafka.producer({ idempotent: true })
  await producer.connect()
  await producer.send({
    topic: 'shop.p.dlq',
    messages: Array.from({ length: DEAD }, (_, id) => ({
      key: `key-${id % 10}`,
      value: id === 7 ? Buffer.from([0xff, 0xfe]) : `secret ${id}`,
      partition: id % 2,
      headers: {
        id: String(id),
        'sluice-error-class': id % 3 === 0 ? 'Refused' : 'Timeout',
        'sluice-error-message': `order ${id} failed`,
        'sluice-error-fingerprint': id % 3 === 0 ? 'f0' : 'f1',
      },
    })),
  })
  await producer.send({
    topic: 'shop.q.dlq',
    messages: Array.from({ length: DEAD }, (_, id) => ({ value: 'x', partition: id % 2, headers: { id: String(id) } })),
  })
  await producer.disconnect()
}, 60_000)

afterAll(() => broker.stop())

const dlq = (...args: readonly string[]): Promise<Outcome> => sluice(['dlq', ...args], { KAFKA_BOOTSTRAP: broker.bootstrap })
async function json<T>(...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await dlq(...args, '-o', 'json')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout) as T
}
interface Groups {
  readonly total: number
  readonly groups: readonly { readonly fingerprint: string; readonly count: number; readonly unhandled: number }[]
}
interface Moved {
  readonly executed: boolean
  readonly matched: number
  readonly sent: number
  readonly skipped: number
  readonly histogram: readonly { readonly fingerprint: string; readonly count: number }[]
}
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

describe('sluice dlq', () => {
  test('should group, list and show dead letters, payloads only on request', async () => {
    expect(await json<Groups>('groups', 'shop/p')).toMatchObject({
      total: DEAD,
      groups: [
        { fingerprint: 'f1', count: 200, unhandled: 200 },
        { fingerprint: 'f0', count: 100, unhandled: 100 },
      ],
    })
    const { stdout } = await dlq('list', 'shop/p', '--class', 'Refused', '--limit', '3')
    expect(
      stdout
        .trim()
        .split('\n')
        .filter(line => line.includes('Refused')),
    ).toHaveLength(3)
    expect(stdout).not.toContain('secret')
    expect((await dlq('show', 'shop/p', '--partition', '1', '--offset', '0')).stdout).toMatch(/sluice-error-message\s+order 1 failed/)
    const shown = await dlq('show', 'shop/p', '--partition', '1', '--offset', '0', '--payload')
    expect(shown.stdout).toContain('secret 1')
    expect(await dlq('show', 'shop/p', '--partition', '1', '--offset', '999')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no dead letter'),
    })
  })

  test('should export one JSON document a line, bytes in Base64', async () => {
    const { stdout, stderr, code } = await dlq('export', 'shop/p', '--header', 'id=7')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '1 dead letters were written\n' })
    expect(JSON.parse(stdout)).toMatchObject({ key: 'key-7', valueBase64: '//4=', fingerprint: 'f1' })
    expect((await dlq('export', 'shop/p')).stdout.trim().split('\n')).toHaveLength(DEAD)
  })

  test('should move nothing without --execute, and each dead letter once with it', async () => {
    expect(await json<Moved>('redrive', 'shop/p', '--class', 'Refused')).toMatchObject({ executed: false, matched: 100, sent: 0, histogram: [{ fingerprint: 'f0', count: 100 }] }) // prettier-ignore
    expect(await json<Moved>('discard', 'shop/p', '--key', 'key-0', '--execute')).toMatchObject({ executed: true, sent: 30 })
    expect(await json<Moved>('redrive', 'shop/p', '--class', 'Refused', '--execute')).toMatchObject({ matched: 100, sent: 90, skipped: 10 })
    expect(await json<Moved>('redrive', 'shop/p', '--all', '--execute')).toMatchObject({ matched: DEAD, sent: 180, skipped: 120 })
    const wanted = Array.from({ length: DEAD }, (_, id) => id).filter(id => id % 10 !== 0)
    const moved = await committed('shop.p.redelivery', wanted.length)
    expect(moved.map(({ headers }) => Number(headers.get('id'))).sort((a, b) => a - b)).toEqual(wanted)
    expect(await json<Groups>('groups', 'shop/p', '--unhandled')).toMatchObject({ total: 0, groups: [] })
    expect(await json<Moved>('redrive', 'shop/p', '--all')).toMatchObject({ matched: DEAD, skipped: DEAD, histogram: [] })
    const audit = (await committed('shop.p.audit', 12)).map(({ value }) => JSON.parse(value) as { event: string; by: string })
    expect(audit.map(({ event }) => event).sort()).toEqual([
      ...Array.from({ length: 2 }, () => 'DiscardFinished'),
      ...Array.from({ length: 2 }, () => 'DiscardStarted'),
      ...Array.from({ length: 4 }, () => 'RedriveFinished'),
      ...Array.from({ length: 4 }, () => 'RedriveStarted'),
    ])
    expect(audit[0]?.by).toMatch(/.+@.+/)
  })

  test('should move each dead letter once when it is killed and run again', async () => {
    const args = ['dlq', 'redrive', 'shop/q', '--all', '--rate', '60', '--execute']
    const child = spawn(SLUICE, args, { stdio: 'ignore', env: { ...process.env, NODE_OPTIONS: '', KAFKA_BOOTSTRAP: broker.bootstrap } })
    const gone = new Promise(resolve => child.once('exit', resolve))
    const unhandled = async (): Promise<number> => (await json<Groups>('groups', 'shop/q', '--unhandled')).total
    await eventually('some moved', async () => (await unhandled()) < DEAD, 60_000)
    child.kill('SIGKILL')
    await gone
    const left = await unhandled()
    expect(left).toBeGreaterThan(0)
    expect(await json<Moved>('redrive', 'shop/q', '--all', '--execute')).toMatchObject({ matched: DEAD, sent: left, skipped: DEAD - left })
    const moved = await committed('shop.q.redelivery', DEAD)
    expect(moved.map(({ headers }) => Number(headers.get('id'))).sort((a, b) => a - b)).toEqual(Array.from({ length: DEAD }, (_, id) => id))
  })

  test.each([
    { args: ['redrive', 'shop/p'], says: 'which dead letters?' },
    { args: ['redrive', 'shop/p', '--all', '--topic', 'shop.p.dlq'], says: 'a topic of the pipeline itself' },
    { args: ['redrive', 'shop/p', '--all', '--key', 'x'], says: '--all selects everything' },
    { args: ['redrive', 'shop/p', '--all', '--topic', 'absent'], says: 'absent does not exist' },
    { args: ['groups', 'shop/absent'], says: 'topic shop.absent.dlq does not exist' },
    { args: ['groups', 'p'], says: 'Write NAMESPACE/NAME' },
  ])('should refuse $args and say why', async ({ args, says }) => {
    expect(await dlq(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(says) })
  })
})
