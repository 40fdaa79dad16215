import { setTimeout as pause } from 'node:timers/promises'
import confluent from '@confluentinc/kafka-javascript'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import { readCommitted } from '../../support/delay-queue/java-reader.ts'
import { QueueOnKafka } from '../../support/delay-queue/queue-on-kafka.ts'
import { Random } from '../../support/delay-queue/random.ts'
import { Reader, headerText, percentile } from '../../support/delay-queue/reader.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'

const MESSAGES = 20_000
const LONGEST_DELAY_MS = 20_000
const SENDING_MS = 20_000
const PARTITIONS = 6

jest.setTimeout(240_000)

let broker: Kafka
let kafka: KafkaJs
let queue: QueueOnKafka
let reader: Reader
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  broker = await startKafka()
  closing.push(() => broker.stop())
  kafka = new KafkaJs({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
  queue = await QueueOnKafka.create(kafka, broker.bootstrap, 'audit', {
    partitions: PARTITIONS,
    maxDelay: '1h',
    target: { topic: 'audit.target' },
  })
  closing.push(() => queue.close())
  reader = await Reader.of(kafka, 'auditor', ['audit.target', queue.topic('dlq')])
  closing.push(() => reader.close())
}, 60_000)

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
}, 60_000)

interface Sender {
  send(messages: readonly { readonly id: number; readonly delayMs: number }[]): Promise<void>
  close(): Promise<void>
}

async function kafkajsSender(): Promise<Sender> {
  const producer = kafka.producer({ idempotent: true })
  await producer.connect()
  return {
    send: async messages => {
      await producer.send({
        topic: queue.topic('in'),
        messages: messages.map(({ id, delayMs }) => ({
          key: `key-${id % 100}`,
          value: `value ${id}`,
          headers: { id: String(id), 'sluice-delay': String(delayMs) },
        })),
      })
    },
    close: () => producer.disconnect(),
  }
}

/** Transactional, so that the input has markers and partitions of open transactions as well. */
async function confluentSender(): Promise<Sender> {
  const producer = new confluent.KafkaJS.Kafka({ 'bootstrap.servers': broker.bootstrap, log_level: 0 }).producer({
    'transactional.id': 'audit-sender',
  })
  await producer.connect()
  return {
    send: async messages => {
      const transaction = await producer.transaction()
      await transaction.send({
        topic: queue.topic('in'),
        messages: messages.map(({ id, delayMs }) => ({
          key: `key-${id % 100}`,
          value: `value ${id}`,
          headers: { id: String(id), 'sluice-deliver-at': String(Date.now() + delayMs) },
        })),
      })
      await transaction.commit()
    },
    close: () => producer.disconnect(),
  }
}

/** Half of the messages by each client, spread over the time of the disturbances. */
async function sendAll(senders: readonly Sender[]): Promise<void> {
  const random = new Random(3)
  const batch = 50
  const gapMs = (SENDING_MS / MESSAGES) * batch
  const beganAt = performance.now()
  for (let id = 0; id < MESSAGES; id += batch) {
    const messages = Array.from({ length: batch }, (_, i) => ({ id: id + i, delayMs: random.below(LONGEST_DELAY_MS) }))
    await senders[(id / batch) % senders.length]!.send(messages)
    await pause(Math.max(0, beganAt + (id / batch + 1) * gapMs - performance.now()))
  }
}

test('should deliver 20,000 messages once and never early through two kills and scaling 3, 2, 4', async () => {
  const workers = [queue.start(), queue.start(), queue.start()]
  await queue.allOwned(workers)
  const senders = [await kafkajsSender(), await confluentSender()]
  const sending = sendAll(senders)

  await delivered(1_000)
  await workers[0]!.kill()
  workers[0] = queue.start()
  await delivered(5_000)
  await workers[1]!.kill()
  workers[1] = queue.start()
  await queue.allOwned(workers)
  expect(await workers.pop()!.stop()).toBe(0) // 3 -> 2
  await delivered(9_000)
  workers.push(queue.start(), queue.start()) // 2 -> 4
  await sending
  await eventually('every message', () => new Set(reader.records.map(record => headerText(record, 'id'))).size === MESSAGES, 90_000)
  for (const sender of senders) await sender.close()
  // Nothing comes any more: duplicates would have to.
  expect(await Promise.all(workers.map(worker => worker.stop()))).toEqual([0, 0, 0, 0])
  const settled = reader.records.length
  await pause(1_000)
  expect(reader.records).toHaveLength(settled)
  await auditAll()
})

const delivered = (count: number): Promise<boolean> => eventually(`${count} delivered`, () => reader.records.length >= count, 60_000)

async function auditAll(): Promise<void> {
  expect(reader.of(queue.topic('dlq'))).toEqual([])
  const committed = await readCommitted(broker.bootstrap, 'audit.target')
  const times = new Map<string, string[]>()
  for (const { partition, offset, headers } of committed) {
    const id = headers.get('id') ?? '?'
    const dueAt = Number(headers.get('sluice-scheduled-for'))
    expect(Number(headers.get('sluice-fired-at'))).toBeGreaterThanOrEqual(dueAt)
    times.set(id, [...(times.get(id) ?? []), `${partition}/${offset}: ${[...headers].join(' ')}`])
  }
  const twice = [...times.values()].filter(records => records.length > 1)
  const lost = Array.from({ length: MESSAGES }, (_, id) => String(id)).filter(id => !times.has(id))
  expect({ twice, lost, all: committed.length }).toEqual({ twice: [], lost: [], all: MESSAGES })
  auditSeen(new Set(committed.map(({ partition, offset }) => `${partition}/${offset}`)))
}

/** What reached a consumer, and when. */
function auditSeen(committed: ReadonlySet<string>): void {
  const seen = reader.of('audit.target').filter(({ partition, offset }) => committed.has(`${partition}/${offset}`))
  expect(seen).toHaveLength(MESSAGES)
  const latenesses = seen.map(record => {
    const dueAt = Number(headerText(record, 'sluice-scheduled-for'))
    expect(record.receivedAt).toBeGreaterThanOrEqual(dueAt)
    expect(record.value?.toString()).toBe(`value ${headerText(record, 'id')}`)
    expect(record.headers['sluice-delay'] ?? record.headers['sluice-deliver-at']).toBeUndefined()
    return record.receivedAt - dueAt
  })
  const [p50, p99, max] = [percentile(latenesses, 0.5), percentile(latenesses, 0.99), percentile(latenesses, 1)]
  console.log(`lateness of ${MESSAGES} messages through two kills: p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`)
}
