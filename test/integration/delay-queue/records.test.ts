import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { IHeaders, Producer } from 'kafkajs'
import { QueueOnKafka, createTopic } from '../../support/delay-queue/queue-on-kafka.ts'
import { Reader, headerText } from '../../support/delay-queue/reader.ts'
import type { Received } from '../../support/delay-queue/reader.ts'
import { eventually } from '../../support/eventually.ts'
import { sharedKafka } from '../../support/kafka.ts'
import type { SharedKafka } from '../../support/kafka.ts'

jest.setTimeout(60_000)

let broker: SharedKafka
let prefix: string
let queue: QueueOnKafka
let reader: Reader
let producer: Producer
let serial = 0
const closing: (() => Promise<unknown>)[] = []

const target = (): string => `${prefix}.target`
const roomy = (): string => `${prefix}.roomy`

beforeAll(async () => {
  broker = await sharedKafka()
  closing.push(() => broker.stop())
  prefix = broker.uniquePrefix()
  const kafka = new KafkaJs({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
  queue = await QueueOnKafka.create(kafka, broker.bootstrap, prefix, {
    partitions: 2,
    maxDelay: '1h',
    tiers: ['1s'],
    target: { topic: target() },
    allowedTargets: [`${prefix}.roomy`, `${prefix}.absent`],
  })
  closing.push(() => queue.close())
  const admin = kafka.admin()
  await admin.connect()
  await createTopic(admin, roomy(), 3, { 'max.message.bytes': String(2 * 2 ** 20) })
  await admin.disconnect()
  reader = await Reader.of(kafka, `${prefix}.witness`, [target(), roomy(), queue.topic('dlq')])
  closing.push(() => reader.close())
  producer = kafka.producer()
  await producer.connect()
  closing.push(() => producer.disconnect())
  await queue.allOwned([queue.start()])
}, 90_000)

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
}, 60_000)

interface Sending {
  readonly role?: string
  readonly key?: string | null
  readonly value?: string | Buffer | null
}

/** Sends one message and answers the name under which it can be recognised wherever it ends. */
async function send(headers: IHeaders, { role = 'in', key = 'k', value = 'v' }: Sending = {}): Promise<string> {
  const name = `n${(serial += 1)}`
  await producer.send({ topic: queue.topic(role), messages: [{ key, value, headers: { name, ...headers } }] })
  return name
}

const end = (name: string): Promise<Received> =>
  eventually(`the end of ${name}`, () => reader.records.find(record => headerText(record, 'name') === name))

describe('a bad record', () => {
  test.each([
    { what: 'without a delay header', headers: {}, disposition: 'poison', code: 'MissingDelay' },
    { what: 'with an unreadable delay', headers: { 'sluice-delay': 'soon' }, disposition: 'poison', code: 'InvalidDelay' },
    {
      what: 'with invalid UTF-8 in its delay',
      headers: { 'sluice-delay': Buffer.from([0xff, 0xfe, 0x80]) },
      disposition: 'poison',
      code: 'InvalidDelay',
    },
    { what: 'with a delay above maxDelay', headers: { 'sluice-delay': '61m' }, disposition: 'poison', code: 'DelayAboveMaximum' },
    {
      what: 'with a target that is not allowed',
      headers: { 'sluice-delay': '1', 'sluice-target-topic': 'secret' },
      disposition: 'target-not-allowed',
      code: 'TargetNotAllowed',
    },
    { what: 'that cancels nothing in particular', headers: { 'sluice-op': 'cancel' }, disposition: 'poison', code: 'MissingId' },
  ])('$what should go to the dead letter topic untouched, with its reason', async ({ headers, disposition, code }) => {
    const record = await end(await send(headers))
    expect(record.topic).toBe(queue.topic('dlq'))
    expect([record.key?.toString(), record.value?.toString()]).toEqual(['k', 'v'])
    for (const [name, value] of Object.entries(headers)) expect(record.headers[name]).toEqual(Buffer.from(value))
    expect([headerText(record, 'sluice-disposition'), headerText(record, 'sluice-error-code')]).toEqual([disposition, code])
    expect(headerText(record, 'sluice-origin-topic')).toBe(queue.topic('in'))
    expect(headerText(record, 'sluice-origin-partition')).toBe(String(record.partition))
  })

  test('with a target that does not exist should go to the dead letter topic', async () => {
    const record = await end(await send({ 'sluice-delay': '1', 'sluice-target-topic': `${prefix}.absent` }))
    expect([record.topic, headerText(record, 'sluice-disposition')]).toEqual([queue.topic('dlq'), 'target-missing'])
  })
})

describe('an unusual record', () => {
  test('due in the past should be delivered at once', async () => {
    const record = await end(await send({ 'sluice-deliver-at': '2001-01-01T00:00:00Z' }))
    expect([record.topic, headerText(record, 'sluice-scheduled-for')]).toEqual([target(), '978307200000'])
  })

  test.each([
    { what: 'a null key', sending: { key: null }, want: [null, 'v'] },
    { what: 'a null value', sending: { value: null }, want: ['k', null] },
    { what: 'neither', sending: { key: null, value: null }, want: [null, null] },
    { what: 'an empty value', sending: { value: '' }, want: ['k', ''] },
  ])('with $what should be delivered as it is', async ({ sending, want }) => {
    const record = await end(await send({ 'sluice-delay': '1' }, sending))
    expect(record.topic).toBe(target())
    expect([record.key?.toString() ?? null, record.value?.toString() ?? null]).toEqual(want)
  })

  test('with 1,000 headers, some of invalid UTF-8, should keep every one of them', async () => {
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`h${i}`, Buffer.from([0xff, i & 0xff, 0x00])]))
    const record = await end(await send({ ...many, 'sluice-delay': '1' }))
    expect(record.topic).toBe(target())
    expect(Object.keys(record.headers).filter(name => name.startsWith('h'))).toEqual(Object.keys(many))
    for (const [name, value] of Object.entries(many)) expect(record.headers[name]).toEqual(value)
  })

  test('at the size limit of the input should be delivered where there is room, and be a dead letter where there is none', async () => {
    const value = Buffer.alloc(1_048_588 - 250, 'x')
    const [fits, tooLarge, after] = [
      await send({ 'sluice-delay': '1', 'sluice-target-topic': roomy() }, { value }),
      await send({ 'sluice-delay': '1' }, { value }),
      await send({ 'sluice-delay': '1' }),
    ]
    expect((await end(fits)).topic).toBe(roomy())
    const letter = await end(tooLarge)
    expect([letter.topic, headerText(letter, 'sluice-disposition')]).toEqual([queue.topic('dlq'), 'too-large'])
    expect(letter.value?.equals(value)).toBe(true)
    expect((await end(after)).topic).toBe(target())
  })
})

describe('steering', () => {
  test('should not deliver what was cancelled, and deliver a later schedule of the id', async () => {
    const cancelled = await send({ 'sluice-delay': '2s', 'sluice-id': 'order-1' })
    await send({ 'sluice-op': 'cancel', 'sluice-id': 'order-1' }, { value: null })
    const again = await send({ 'sluice-delay': '2500', 'sluice-id': 'order-1' })
    expect((await end(again)).topic).toBe(target())
    expect(reader.records.map(record => headerText(record, 'name'))).not.toContain(cancelled)
  })

  test('should deliver the highest version only', async () => {
    const first = await send({ 'sluice-delay': '1s', 'sluice-id': 'order-2', 'sluice-version': '1' })
    const second = await send({ 'sluice-delay': '2s', 'sluice-id': 'order-2', 'sluice-version': '2' })
    expect((await end(second)).topic).toBe(target())
    expect(reader.records.map(record => headerText(record, 'name'))).not.toContain(first)
  })

  test('should send a message to the target and partition that it names', async () => {
    const record = await end(await send({ 'sluice-delay': '1', 'sluice-target-topic': roomy(), 'sluice-target-partition': '2' }))
    expect([record.topic, record.partition]).toEqual([roomy(), 2])
  })

  test('should put a message into the partition that a producer would have chosen for its key', async () => {
    const record = await end(await send({ 'sluice-delay': '1' }, { key: 'some key' }))
    expect(String(record.partition)).toBe(headerText(record, 'sluice-origin-partition'))
  })

  test('should deliver what was written to a fixed delay after just that', async () => {
    const record = await end(await send({ 'sluice-delay': 'nonsense' }, { role: 'fixed.1s' }))
    expect(record.topic).toBe(target())
    const [appended, fired] = [Number(headerText(record, 'sluice-origin-timestamp')), Number(headerText(record, 'sluice-fired-at'))]
    expect(fired).toBeGreaterThanOrEqual(appended + 1_000)
  })
})
