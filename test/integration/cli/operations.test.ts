import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Admin, Consumer, Producer } from 'kafkajs'
import { sluice } from '../../support/command.ts'
import { eventually } from '../../support/eventually.ts'
import { sharedKafka } from '../../support/kafka.ts'
import type { SharedKafka } from '../../support/kafka.ts'

const TIMEOUT_MS = 60_000
const RECORDS = 100

let kafka: SharedKafka
let client: KafkaJs
let admin: Admin
let producer: Producer
let prefix: string

beforeAll(async () => {
  kafka = await sharedKafka()
  prefix = kafka.uniquePrefix()
  client = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING })
  admin = client.admin()
  producer = client.producer()
  await Promise.all([admin.connect(), producer.connect()])
}, TIMEOUT_MS)
afterAll(async () => {
  await Promise.all([admin.disconnect(), producer.disconnect()])
  await kafka.stop()
})

/** A topic of two partitions with `RECORDS` records in each; the timestamps of the second half are an hour younger. */
async function topicWithRecords(name: string, configEntries: { name: string; value: string }[] = []): Promise<string> {
  const topic = `${prefix}.${name}`
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 2, configEntries }] })
  const half = (from: number, timestamp: number) =>
    [0, 1].flatMap(partition =>
      Array.from({ length: RECORDS / 2 }, (_, i) => ({
        partition,
        key: `k${i}`,
        value: `value ${from + i}`,
        timestamp: String(timestamp),
      })),
    )
  await producer.send({ topic, messages: half(0, OLD_MS) })
  await producer.send({ topic, messages: half(RECORDS / 2, OLD_MS + 3_600_000) })
  return topic
}
const OLD_MS = Date.now() - 2 * 3_600_000
const BETWEEN = new Date(OLD_MS + 60_000).toISOString()

const json = async (...args: readonly string[]): Promise<unknown> => {
  const { code, stdout, stderr } = await sluice([...args, '-o', 'json'], { KAFKA_BOOTSTRAP: kafka.bootstrap })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}
const refused = (...args: readonly string[]) => sluice(args, { KAFKA_BOOTSTRAP: kafka.bootstrap })

const committed = async (groupId: string, topic: string): Promise<Readonly<Record<number, string>>> => {
  const [answer] = await admin.fetchOffsets({ groupId, topics: [topic] })
  return Object.fromEntries((answer?.partitions ?? []).map(({ partition, offset }) => [partition, offset]))
}

async function memberOf(groupId: string, topic: string): Promise<Consumer> {
  const consumer = client.consumer({ groupId, maxWaitTimeInMs: 50 })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic] })
  const joined = new Promise(resolve => consumer.on(consumer.events.GROUP_JOIN, resolve))
  await consumer.run({ eachMessage: () => Promise.resolve() })
  await joined
  return consumer
}

describe('sluice groups', () => {
  test(
    'should show members and lag per partition, and all groups with their sums',
    async () => {
      const topic = await topicWithRecords('lagging')
      const group = `${prefix}-lagging`
      await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: '30' }] })
      const consumer = await memberOf(group, topic)
      try {
        expect(await json('groups', '--group', group)).toMatchObject({
          group,
          protocol: 'classic',
          members: [{ assignments: [{ topic, partitions: [0, 1] }] }],
          partitions: [
            { topic, partition: 0, end: RECORDS },
            { topic, partition: 1, end: RECORDS },
          ],
        })
      } finally {
        await consumer.disconnect()
      }
      await admin.setOffsets({
        groupId: group,
        topic,
        partitions: [
          { partition: 0, offset: '30' },
          { partition: 1, offset: '100' },
        ],
      })
      const { groups } = (await json('groups')) as { readonly groups: readonly object[] }
      expect(groups).toContainEqual({ group, state: 'Empty', protocol: 'classic', members: 0, topics: 1, lag: 70 })
      const { stdout } = await refused('groups', '--group', group)
      expect(stdout).toContain(`${topic}          0         30  100   70`)
    },
    TIMEOUT_MS,
  )

  test(
    'should say that a group does not exist',
    async () => {
      expect(await refused('groups', '--group', `${prefix}-absent`)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('does not exist'),
      })
    },
    TIMEOUT_MS,
  )
})

describe('sluice offsets reset', () => {
  test(
    'should write nothing without --execute, and every kind of target with it',
    async () => {
      const topic = await topicWithRecords('moved')
      const group = `${prefix}-moved`
      await admin.setOffsets({
        groupId: group,
        topic,
        partitions: [
          { partition: 0, offset: '30' },
          { partition: 1, offset: '80' },
        ],
      })
      const reset = (...to: readonly string[]) => json('offsets', 'reset', '-g', group, '-t', topic, '--to', ...to)
      expect(await reset('earliest')).toMatchObject({
        written: false,
        offsets: [
          { partition: 0, from: 30, to: 0 },
          { partition: 1, from: 80, to: 0 },
        ],
      })
      expect(await committed(group, topic)).toEqual({ 0: '30', 1: '80' })
      await reset('shift-by', '-20', '--execute')
      expect(await committed(group, topic)).toEqual({ 0: '10', 1: '60' })
      await reset('datetime', BETWEEN, '--execute')
      expect(await committed(group, topic)).toEqual({ 0: String(RECORDS / 2), 1: String(RECORDS / 2) })
      await reset('latest', '--execute')
      expect(await committed(group, topic)).toEqual({ 0: String(RECORDS), 1: String(RECORDS) })
      await json('offsets', 'reset', '-g', group, '-t', `${topic}:1`, '--to', 'offset=7', '--execute')
      expect(await committed(group, topic)).toEqual({ 0: String(RECORDS), 1: '7' })
    },
    TIMEOUT_MS,
  )

  test(
    'should refuse an active group, naming its members',
    async () => {
      const topic = await topicWithRecords('active')
      const group = `${prefix}-active`
      const consumer = await memberOf(group, topic)
      try {
        const { code, stderr } = await refused('offsets', 'reset', '-g', group, '-t', topic, '--to', 'earliest', '--execute')
        expect({ code, stderr }).toEqual({
          code: 1,
          stderr: expect.stringMatching(`refused: group ${group} is active with 1 members \\(kafkajs at .*stop them and run this again`),
        })
      } finally {
        await consumer.disconnect()
      }
    },
    TIMEOUT_MS,
  )
})

describe('sluice sizes', () => {
  test(
    'should sort topics by bytes on disk',
    async () => {
      const large = await topicWithRecords('large')
      const small = `${prefix}.small`
      await admin.createTopics({ waitForLeaders: true, topics: [{ topic: small }] })
      const sizes = (await eventually('bytes on disk', async () => {
        const answer = (await json('sizes', '--topic', `${prefix}.large`, '--topic', `${prefix}.sm*`)) as { readonly totalBytes: number }
        return answer.totalBytes > 0 && answer
      })) as unknown as {
        readonly topics: readonly { readonly topic: string; readonly bytes: number; readonly partitions: readonly object[] }[]
      }
      expect(sizes.topics.map(({ topic }) => topic)).toEqual([large, small])
      expect(sizes.topics[0]?.partitions).toHaveLength(2)
      expect(sizes.topics[0]?.bytes).toBeGreaterThan(RECORDS * 2)
      const { stdout } = await refused('sizes', '--topic', large, '--partitions', '--top', '1')
      expect(stdout).toMatch(new RegExp(`^TOPIC .*\\n${large} .*\\n\\n1 topics, `))
    },
    TIMEOUT_MS,
  )
})

describe('sluice clean', () => {
  const starts = async (topic: string) =>
    Object.fromEntries((await admin.fetchTopicOffsets(topic)).map(({ partition, low }) => [partition, low]))

  test(
    'should delete only with --execute, by offset and by time',
    async () => {
      const topic = await topicWithRecords('cleaned')
      expect(await json('clean', '-t', topic, '--before', 'offset', '10')).toMatchObject({ executed: false, records: 20 })
      expect(await starts(topic)).toEqual({ 0: '0', 1: '0' })
      expect(await json('clean', '-t', `${topic}:1`, '--before', 'offset', '10', '--execute')).toMatchObject({
        executed: true,
        records: 10,
      })
      expect(await starts(topic)).toEqual({ 0: '0', 1: '10' })
      expect(await json('clean', '-t', topic, '--before', 'datetime', BETWEEN, '--execute')).toMatchObject({ records: RECORDS - 10 })
      expect(await starts(topic)).toEqual({ 0: String(RECORDS / 2), 1: String(RECORDS / 2) })
      // Beyond the end: everything, and not an error.
      await json('clean', '-t', topic, '--before', 'offset', '100000', '--execute')
      expect(await starts(topic)).toEqual({ 0: String(RECORDS), 1: String(RECORDS) })
    },
    TIMEOUT_MS,
  )

  test(
    'should refuse what brokers refuse, before it tries',
    async () => {
      const topic = await topicWithRecords('compacted', [{ name: 'cleanup.policy', value: 'compact' }])
      const cases: readonly (readonly [string, string])[] = [
        [topic, 'cleanup.policy=compact'],
        ['__consumer_offsets', 'internal topic'],
        [`${prefix}.absent`, 'does not exist'],
        [`${topic}:9`, 'has no partition 9'],
      ]
      for (const [argument, message] of cases) {
        expect(await refused('clean', '-t', argument, '--before', 'offset', '1', '--execute')).toMatchObject({
          code: 2,
          stderr: expect.stringContaining(message),
        })
      }
    },
    TIMEOUT_MS,
  )
})
