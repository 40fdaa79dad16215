import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { KafkaAdmin } from '../../../src/kafka/admin.ts'
import { confluentLog } from '../../../src/kafka/confluent-log.ts'
import type {
  Commit,
  GroupConsumer,
  KafkaLog,
  LogReader,
  LogRecord,
  OutgoingRecord,
  TopicPartition,
  TransactionalProducer,
} from '../../../src/kafka/log.ts'
import { platformaticAdmin } from '../../../src/kafka/platformatic-admin.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'

jest.setTimeout(30_000)

let kafka: Kafka
let admin: KafkaAdmin
let log: KafkaLog
let serial = 0
const closing: (() => Promise<void>)[] = []

beforeAll(async () => {
  kafka = await startKafka()
  admin = platformaticAdmin({ bootstrapServers: [kafka.bootstrap] }, { clientId: 'log-test' })
  log = confluentLog({ bootstrapServers: [kafka.bootstrap] }, { clientId: 'log-test' })
}, 60_000)

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
  await admin.close()
  await kafka.stop()
}, 60_000)

const unique = (name: string): string => `${name}-${(serial += 1)}`

async function aTopic(partitions = 1, configs: Record<string, string> = {}): Promise<string> {
  const topic = unique('topic')
  await admin.createTopics([{ name: topic, partitions, replicationFactor: 1, configs }])
  // Created is not led yet.
  await until(async () => {
    const asked = Array.from({ length: partitions }, (_, partition) => ({ topic, partition, at: 'latest' as const }))
    const answers = await admin.listOffsets(asked).catch(() => [])
    return answers.length === partitions && answers.every(({ error }) => error === undefined)
  }, `${topic} has leaders`)
  return topic
}

async function aProducer(transactionalId = unique('producer')): Promise<TransactionalProducer> {
  const producer = await log.producer({ transactionalId, transactionTimeoutMs: 10_000 })
  closing.push(() => producer.close())
  await producer.initTransactions(10_000)
  return producer
}

async function aReader(): Promise<LogReader> {
  const reader = await log.reader()
  closing.push(() => reader.close())
  return reader
}

interface Member {
  readonly consumer: GroupConsumer
  readonly owned: Set<string>
  readonly failures: Error[]
}

async function aMember(
  groupId: string,
  topic: string,
  revoked: (partitions: readonly TopicPartition[], member: () => GroupConsumer) => Promise<void> = () => Promise.resolve(),
): Promise<Member> {
  const owned = new Set<string>()
  const failures: Error[] = []
  const consumer: GroupConsumer = await log.groupConsumer({
    groupId,
    topics: [topic],
    sessionTimeoutMs: 6000,
    assigned: async partitions => {
      partitions.forEach(({ topic: name, partition }) => owned.add(`${name}/${partition}`))
    },
    revoked: async partitions => {
      await revoked(partitions, () => consumer)
      partitions.forEach(({ topic: name, partition }) => owned.delete(`${name}/${partition}`))
    },
    failed: error => failures.push(error),
  })
  closing.push(() => consumer.close())
  return { consumer, owned, failures }
}

async function until(condition: () => boolean | Promise<boolean>, what: string, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`timed out waiting until ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

const aRecord = (topic: string, part: Partial<OutgoingRecord> = {}): OutgoingRecord => ({
  topic,
  partition: 0,
  key: null,
  value: Buffer.from('v'),
  headers: [],
  ...part,
})

async function write(producer: TransactionalProducer, records: readonly OutgoingRecord[]): Promise<void> {
  await producer.begin()
  records.forEach(record => {
    producer.send(record)
  })
  await producer.commit(10_000)
}

async function writeOffsets(producer: TransactionalProducer, consumer: GroupConsumer, offsets: readonly Commit[]): Promise<void> {
  await producer.begin()
  await producer.sendOffsets(offsets, consumer, 5000)
  await producer.commit(10_000)
}

async function read(reader: LogReader, count: number): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  await until(async () => {
    records.push(...(await reader.poll(500, 20)).records)
    return records.length >= count
  }, `${count} records were read, got ${records.length}`)
  return records
}

async function highOf(reader: LogReader, topic: string): Promise<number | undefined> {
  const [answer] = await reader.watermarks([{ topic, partition: 0 }])
  return answer !== undefined && 'high' in answer ? answer.high : undefined
}

const values = (records: readonly LogRecord[]): (string | undefined)[] => records.map(({ value }) => value?.toString())

describe('reading', () => {
  test('should keep key, value and headers byte for byte, in order, with duplicates', async () => {
    const topic = await aTopic()
    const producer = await aProducer()
    const bytes = Buffer.from([0, 255, 1])
    const headers = [
      ['b', bytes],
      ['a', Buffer.from('1')],
      ['a', Buffer.from('2')],
      ['7', bytes],
      ['__proto__', bytes],
      ['empty', Buffer.alloc(0)],
    ] as const
    await write(producer, [
      aRecord(topic, { key: bytes, value: bytes, headers }),
      aRecord(topic, { key: null, value: null }),
      aRecord(topic, { key: Buffer.alloc(0), value: Buffer.alloc(0) }),
    ])
    const reader = await aReader()
    await reader.assign([{ topic, partition: 0, offset: 0 }])
    const [full, nulls, empties] = await read(reader, 3)
    expect(full).toMatchObject({ topic, partition: 0, offset: 0, key: bytes, value: bytes })
    expect(full?.headers).toEqual(headers)
    expect(nulls).toMatchObject({ key: null, value: null, headers: [] })
    expect(empties).toMatchObject({ key: Buffer.alloc(0), value: Buffer.alloc(0) })
  })

  test('should write a null header value as null', async () => {
    const topic = await aTopic()
    const producer = await aProducer()
    await write(producer, [
      aRecord(topic, {
        headers: [
          ['none', null],
          ['empty', Buffer.alloc(0)],
        ],
      }),
    ])
    const consumer = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).consumer({ groupId: unique('second-opinion') })
    await consumer.connect()
    closing.push(() => consumer.disconnect())
    await consumer.subscribe({ topic, fromBeginning: true })
    const headers = await new Promise(resolve => {
      void consumer.run({
        eachMessage: async ({ message }) => {
          resolve(message.headers)
        },
      })
    })
    expect(headers).toEqual({ none: null, empty: Buffer.alloc(0) })
  })

  test('should pass over aborted records and report the end behind the markers', async () => {
    const topic = await aTopic()
    const producer = await aProducer()
    await write(producer, [aRecord(topic, { value: Buffer.from('seen') })])
    await producer.begin()
    producer.send(aRecord(topic, { value: Buffer.from('aborted') }))
    const reader = await aReader()
    await until(async () => (await highOf(reader, topic)) === 3, 'the record has reached the log')
    await producer.abort(10_000)
    await reader.assign([{ topic, partition: 0, offset: 0 }])
    const seen: LogRecord[] = []
    let end: number | undefined
    await until(async () => {
      const batch = await reader.poll(10, 20)
      seen.push(...batch.records)
      end = batch.ends[0]?.offset ?? end
      return end !== undefined
    }, 'the end was reached')
    expect(values(seen)).toEqual(['seen'])
    expect(end).toBe(4)
    expect(reader.positions([{ topic, partition: 0 }])).toEqual([4])
    expect(await reader.watermarks([{ topic, partition: 0 }])).toEqual([{ low: 0, high: 4, lastStable: 4 }])
  })

  test('should tell the last stable offset from the high watermark', async () => {
    const topic = await aTopic()
    const producer = await aProducer()
    await write(producer, [aRecord(topic)])
    await producer.begin()
    producer.send(aRecord(topic))
    const reader = await aReader()
    await until(async () => (await highOf(reader, topic)) === 3, 'the open transaction has reached the log')
    expect(await reader.watermarks([{ topic, partition: 0 }])).toEqual([{ low: 0, high: 3, lastStable: 2 }])
    await producer.abort(10_000)
  })

  test('should go on at the wanted offset after a pause, with no gap and nothing twice', async () => {
    const topic = await aTopic(2)
    const producer = await aProducer()
    const numbered = Array.from({ length: 400 }, (_, index) => aRecord(topic, { partition: index % 2, value: Buffer.from(`${index}`) }))
    await write(producer, numbered)
    const reader = await aReader()
    await reader.assign([
      { topic, partition: 0, offset: 0 },
      { topic, partition: 1, offset: 0 },
    ])
    const next = [0, 0]
    const seen: LogRecord[] = []
    for (let round = 0; seen.length < 400; round += 1) {
      const { records } = await reader.poll(7, 20)
      for (const record of records) {
        expect(record.offset).toBe(next[record.partition])
        next[record.partition] = record.offset + 1
      }
      seen.push(...records)
      const partition = round % 2
      reader.pause([{ topic, partition }])
      await reader.resume([{ topic, partition, offset: next[partition]! }])
    }
    expect(seen).toHaveLength(400)
  })

  test('should name the partition whose position lies below the log start, and keep reading the others', async () => {
    const topic = await aTopic(2)
    const producer = await aProducer()
    await write(
      producer,
      [0, 1].flatMap(partition => ['a', 'b', 'c'].map(text => aRecord(topic, { partition, value: Buffer.from(text) }))),
    )
    await admin.deleteRecords([{ topic, partition: 0, offset: 2n }])
    const reader = await aReader()
    await reader.assign([
      { topic, partition: 0, offset: 0 },
      { topic, partition: 1, offset: 0 },
    ])
    const stopped: unknown[] = []
    const seen: LogRecord[] = []
    await until(async () => {
      const batch = await reader.poll(10, 20)
      seen.push(...batch.records)
      stopped.push(...batch.stopped.map(({ partition, error }) => ({ partition, code: error.code, message: error.message })))
      return stopped.length > 0 && seen.length >= 3
    }, 'the partition was reported')
    expect(stopped).toEqual([
      {
        partition: 0,
        code: 'OffsetOutOfRange',
        message: `the next offset of ${topic}[0] is 0, but its log starts at 2: 2 offsets were deleted unread`,
      },
    ])
    expect(values(seen)).toEqual(['a', 'b', 'c'])
    expect(new Set(seen.map(({ partition }) => partition))).toEqual(new Set([1]))
  })

  test('should answer per partition when one topic does not exist', async () => {
    const topic = await aTopic()
    const reader = await aReader()
    const [missing, present] = await reader.watermarks([
      { topic: 'nowhere', partition: 0 },
      { topic, partition: 0 },
    ])
    expect(missing).toMatchObject({ code: 'UnknownTopic' })
    expect(present).toEqual({ low: 0, high: 0, lastStable: 0 })
  })
})

describe('transactions', () => {
  test('should name a topic that refuses a record, and go on after the abort', async () => {
    const small = await aTopic(1, { 'max.message.bytes': '2000' })
    const producer = await aProducer()
    await producer.begin()
    producer.send(aRecord(small, { value: Buffer.alloc(10_000) }))
    await expect(producer.commit(10_000)).rejects.toMatchObject({ code: 'MessageTooLarge', retriable: true })
    await producer.abort(10_000)
    expect(producer.refusals()).toMatchObject([{ topic: small, partition: 0, code: 'MessageTooLarge' }])
    // librdkafka skips the refused sequence numbers: the first transaction after it fails as well, and renews the epoch.
    await producer.begin()
    producer.send(aRecord(small))
    await expect(producer.commit(10_000)).rejects.toMatchObject({ retriable: true })
    await producer.abort(10_000)
    expect(producer.refusals()).toEqual([])
    await write(producer, [aRecord(small, { value: Buffer.from('fits') })])
    const reader = await aReader()
    await reader.assign([{ topic: small, partition: 0, offset: 0 }])
    expect(values(await read(reader, 1))).toEqual(['fits'])
  })

  test('should tell when the broker appended a record, where the topic has its time', async () => {
    const [broker, writer] = [await aTopic(1, { 'message.timestamp.type': 'LogAppendTime' }), await aTopic()]
    const producer = await aProducer()
    const stamps = new Map<string, number>()
    const sentAt = Date.now()
    await producer.begin()
    for (const topic of [writer, broker]) producer.send(aRecord(topic), at => stamps.set(topic, at))
    await producer.commit(10_000)
    await until(() => Promise.resolve(stamps.size > 0), 'the stamp has come')
    expect([...stamps.keys()]).toEqual([broker])
    expect(stamps.get(broker)).toBeGreaterThanOrEqual(sentAt)
    expect(stamps.get(broker)).toBeLessThanOrEqual(Date.now())
  })

  test('should name a topic that does not exist', async () => {
    const producer = await aProducer()
    await producer.begin()
    producer.send(aRecord('nowhere'))
    await expect(producer.commit(15_000)).rejects.toMatchObject({ code: 'UnknownTopic', retriable: true })
    await producer.abort(10_000)
    expect(producer.refusals()).toMatchObject([{ topic: 'nowhere', code: 'UnknownTopic' }])
    expect(await producer.partitionsOf('nowhere')).toBeUndefined()
    expect(await producer.partitionsOf(await aTopic(3))).toBe(3)
  })

  test('should refuse at once a partition that does not exist', async () => {
    const topic = await aTopic()
    const producer = await aProducer()
    await producer.partitionsOf(topic)
    await write(producer, [aRecord(topic)])
    await producer.begin()
    expect(() => {
      producer.send(aRecord(topic, { partition: 7 }))
    }).toThrow(expect.objectContaining({ code: 'UnknownTopic' }))
    await producer.abort(10_000)
  })

  test('should fence the producer whose transactional id another one takes', async () => {
    const topic = await aTopic()
    const old = await aProducer('same-id')
    await old.begin()
    old.send(aRecord(topic, { value: Buffer.from('zombie') }))
    await aProducer('same-id')
    await expect(old.commit(10_000)).rejects.toMatchObject({ code: 'Fenced', retriable: false })
  })
})

describe('group', () => {
  test('should carry the generation for offsets while no partition is fetched, and return their metadata', async () => {
    const topic = await aTopic(2)
    const producer = await aProducer()
    const { consumer, owned, failures } = await aMember(unique('group'), topic)
    await until(() => owned.size === 2, 'both partitions are assigned')
    const partition = { topic, partition: 1 }
    expect(await consumer.committed(partition, { timeoutMs: 5000 })).toBeUndefined()
    const commit: Commit = { ...partition, offset: 5, metadata: '{"t":"é"}' }
    await writeOffsets(producer, consumer, [commit])
    expect(await consumer.committed(partition, { timeoutMs: 5000 })).toEqual(commit)
    expect(await consumer.committedNow(partition)).toEqual(commit)
    expect(failures).toEqual([])
  })

  test('should hold back unstable offsets until their transaction is fenced', async () => {
    const topic = await aTopic()
    const { consumer, owned } = await aMember(unique('group'), topic)
    await until(() => owned.size === 1, 'the partition is assigned')
    const partition = { topic, partition: 0 }
    await writeOffsets(await aProducer(), consumer, [{ ...partition, offset: 1, metadata: 'before' }])
    const predecessor = await aProducer('predecessor')
    await predecessor.begin()
    await predecessor.sendOffsets([{ ...partition, offset: 9, metadata: 'open' }], consumer, 5000)
    await expect(consumer.committed(partition, { timeoutMs: 500 })).rejects.toMatchObject({ code: 'UnstableOffsets', retriable: true })
    expect(await consumer.committedNow(partition)).toMatchObject({ offset: 1, metadata: 'before' })
    await aProducer('predecessor')
    expect(await consumer.committed(partition, { timeoutMs: 5000 })).toMatchObject({ offset: 1, metadata: 'before' })
  })

  test('should let a member that leaves commit in `revoked`, and give its partitions to the other', async () => {
    const topic = await aTopic(4)
    const group = unique('group')
    const producer = await aProducer()
    const first = await aMember(group, topic, async (partitions, member) => {
      const offsets = partitions.map(partition => ({ ...partition, offset: 3, metadata: 'released' }))
      await writeOffsets(producer, member(), offsets)
    })
    await until(() => first.owned.size === 4, 'the first member owns all')
    const second = await aMember(group, topic)
    await until(() => first.owned.size === 2 && second.owned.size === 2, 'the partitions are shared')
    await first.consumer.close()
    await until(() => second.owned.size === 4, 'the second member owns all')
    for (const partition of [0, 1, 2, 3]) {
      expect(await second.consumer.committedNow({ topic, partition })).toMatchObject({ offset: 3, metadata: 'released' })
    }
    expect([...first.failures, ...second.failures]).toEqual([])
  }, 30_000)

  test('should refuse offsets with a generation that is no longer current', async () => {
    const topic = await aTopic()
    const producer = await aProducer()
    const { consumer, owned } = await aMember(unique('group'), topic)
    await until(() => owned.size === 1, 'the partition is assigned')
    await consumer.close()
    await producer.begin()
    await expect(producer.sendOffsets([{ topic, partition: 0, offset: 1, metadata: '' }], consumer, 5000)).rejects.toMatchObject({
      code: 'RebalanceInProgress',
      retriable: true,
    })
    await producer.abort(10_000)
  })
})

test('should go on polling while no broker answers, and read on when one does', async () => {
  const topic = await aTopic()
  const reader = await aReader()
  await reader.assign([{ topic, partition: 0, offset: 0 }])
  await until(async () => (await reader.poll(10, 20)).ends.length > 0, 'the end was reached')
  await kafka.pause()
  try {
    // Longer than silence is suspicious, and than a question then waits for its answer.
    const until = performance.now() + 9000
    while (performance.now() < until) expect(await reader.poll(10, 20)).toMatchObject({ records: [], stopped: [] })
  } finally {
    kafka.resume()
  }
  await write(await aProducer(), [aRecord(topic)])
  expect(values(await read(reader, 1))).toEqual(['v'])
}, 60_000)

test('should say why it could not connect', async () => {
  const nobody = confluentLog({ bootstrapServers: ['127.0.0.1:1'] }, { clientId: 'log-test' })
  await expect(nobody.reader()).rejects.toMatchObject({
    name: 'KafkaError',
    code: 'BrokerUnreachable',
    message: expect.stringContaining('127.0.0.1:1'),
  })
}, 30_000)
