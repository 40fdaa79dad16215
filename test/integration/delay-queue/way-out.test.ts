import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Producer } from 'kafkajs'
import type { KafkaAdmin } from '../../../src/kafka/admin.ts'
import { platformaticAdmin } from '../../../src/kafka/platformatic-admin.ts'
import { stoppedBecause } from '../../../src/worker/contract.ts'
import { sluice } from '../../support/command.ts'
import { QueueOnKafka } from '../../support/delay-queue/queue-on-kafka.ts'
import { Reader, headerText } from '../../support/delay-queue/reader.ts'
import { eventually } from '../../support/eventually.ts'
import { sharedKafka } from '../../support/kafka.ts'

jest.setTimeout(120_000)

let bootstrap = ''
let group = ''
let queue: QueueOnKafka
let reader: Reader
let producer: Producer
let admin: KafkaAdmin
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  const broker = await sharedKafka()
  bootstrap = broker.bootstrap
  closing.push(() => broker.stop())
  const prefix = broker.uniquePrefix()
  group = `sluice.${prefix}.q.dq`
  const kafka = new KafkaJs({ brokers: [bootstrap], logLevel: logLevel.NOTHING })
  const target = { topic: `${prefix}.target` }
  queue = await QueueOnKafka.create(kafka, bootstrap, prefix, { partitions: 1, maxDelay: '1h', target })
  closing.push(() => queue.close())
  reader = await Reader.of(kafka, `${prefix}.witness`, [target.topic, queue.topic('dlq')])
  closing.push(() => reader.close())
  producer = kafka.producer()
  await producer.connect()
  closing.push(() => producer.disconnect())
  admin = platformaticAdmin({ bootstrapServers: [bootstrap] }, { clientId: 'way-out' })
  closing.push(() => admin.close())
}, 90_000)

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
}, 60_000)

const send = (name: string, delay: string): Promise<unknown> =>
  producer.send({
    topic: queue.topic('in'),
    messages: [{ key: 'k', value: name, headers: { name, 'sluice-delay': delay, 'sluice-id': name } }],
  })
const received = (): readonly string[] => reader.of(`${queue.namespace}.target`).map(record => headerText(record, 'name'))

/** A worker runs until it has noted why it stopped; then it is ended, and what it says is done, word for word. */
async function followTheMessage(): Promise<string> {
  const worker = queue.start()
  const message = await eventually('the reason beside an offset', async () => {
    const offsets = await admin.groupOffsets(group)
    return offsets.flatMap(({ metadata }) => stoppedBecause(metadata)?.message ?? [])[0]
  })
  await worker.stop()
  const commands = [...message.matchAll(/`sluice ([^`]+)`/g)].map(([, command = '']) => command.split(' '))
  expect(commands.length).toBeGreaterThan(0)
  for (const command of commands) {
    const { code, stdout, stderr } = await sluice([...command, '--bootstrap', bootstrap])
    expect({ command, code, stdout, stderr }).toMatchObject({ code: 0 })
  }
  return message
}

async function atWork(work: () => Promise<unknown>): Promise<void> {
  const worker = queue.start()
  await queue.allOwned([worker])
  await work()
  expect(await worker.stop()).toBe(0)
}

test('should go on past records that were deleted unread when the command of the message is run, and still know what waited', async () => {
  await atWork(async () => {
    await send('waits', '1h')
    for (const name of ['a', 'b', 'c']) await send(name, '1ms')
    await eventually('the first ones', () => received().length === 3)
  })
  await send('deleted', '1ms')
  await admin.deleteRecords([{ topic: queue.topic('in'), partition: 0, offset: -1n }])
  await send('kept', '1ms')
  expect(await followTheMessage()).toContain('1 offsets were deleted unread')
  await atWork(async () => {
    await eventually('what was kept', () => received().includes('kept'))
    await producer.send({
      topic: queue.topic('in'),
      messages: [{ key: 'k', value: '', headers: { 'sluice-op': 'fire', 'sluice-id': 'waits' } }],
    })
    await eventually('what waited before', () => received().includes('waits'))
  })
  expect(received()).toEqual(['a', 'b', 'c', 'kept', 'waits'])
})
