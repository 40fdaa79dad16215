import { commitOf, failure, record, write } from './stage.ts'
import type { Stage } from './stage.ts'

/** A script and what must be seen, whoever plays Kafka. */
export interface Scenario {
  readonly name: string
  readonly play: (stage: Stage) => Promise<unknown>
  readonly sees: unknown
}

const TIMEOUT_MS = 10_000

const transactions: readonly Scenario[] = [
  {
    name: 'commits, aborts, and the offsets that markers take',
    async play(stage) {
      const topic = await stage.topic()
      const producer = await stage.producer()
      await write(producer, [record(topic, 'a'), record(topic, 'b')])
      await producer.begin()
      producer.send(record(topic, 'aborted'))
      await stage.until(async () => (await stage.marks({ topic, partition: 0 })).high === 4, 'the record is there')
      await producer.abort(TIMEOUT_MS)
      await write(producer, [record(topic, 'c')])
      await stage.until(async () => (await stage.marks({ topic, partition: 0 })).lastStable === 7, 'the last marker is there')
      return { ...(await stage.read(topic)), ...(await stage.marks({ topic, partition: 0 })) }
    },
    // a b marker aborted marker c marker
    sees: { values: ['a', 'b', 'c'], position: 7, low: 0, high: 7, lastStable: 7 },
  },
  {
    name: 'an open transaction hides what others commit behind it',
    async play(stage) {
      const topic = await stage.topic()
      const slow = await stage.producer()
      const quick = await stage.producer()
      await slow.begin()
      slow.send(record(topic, 'slow'))
      await stage.until(async () => (await stage.marks({ topic, partition: 0 })).high === 1, 'the record is there')
      await write(quick, [record(topic, 'quick')])
      await stage.until(async () => (await stage.marks({ topic, partition: 0 })).high === 3, 'the marker is there')
      const before = { ...(await stage.read(topic)), ...(await stage.marks({ topic, partition: 0 })) }
      await slow.commit(TIMEOUT_MS)
      await stage.until(async () => (await stage.marks({ topic, partition: 0 })).lastStable === 4, 'both are stable')
      return { before, after: await stage.read(topic) }
    },
    sees: {
      before: { values: [], position: 0, low: 0, high: 3, lastStable: 0 },
      after: { values: ['slow', 'quick'], position: 4 },
    },
  },
  {
    name: 'initialising an id ends what its last producer left open, and fences it',
    async play(stage) {
      const topic = await stage.topic()
      const id = stage.unique()
      const zombie = await stage.producer(id)
      await zombie.begin()
      zombie.send(record(topic, 'zombie'))
      await stage.until(async () => (await stage.marks({ topic, partition: 0 })).high === 1, 'the record is there')
      const successor = await stage.producer(id)
      const { lastStable, high } = await stage.marks({ topic, partition: 0 })
      const commits = await failure(zombie.commit(TIMEOUT_MS))
      await write(successor, [record(topic, 'successor')])
      await stage.until(async () => (await stage.marks({ topic, partition: 0 })).lastStable === 4, 'the marker is there')
      return { lastStable, high, commits, ...(await stage.read(topic)) }
    },
    sees: { lastStable: 2, high: 2, commits: { code: 'Fenced', retriable: false }, values: ['successor'], position: 4 },
  },
  {
    name: 'brokers end a transaction that is older than its timeout, and fence its producer',
    async play(stage) {
      const topic = await stage.topic()
      const producer = await stage.producer(stage.unique(), 1_000)
      await producer.begin()
      producer.send(record(topic, 'late'))
      await stage.until(async () => (await stage.marks({ topic, partition: 0 })).lastStable === 2, 'it was ended')
      return { commits: await failure(producer.commit(TIMEOUT_MS)), ...(await stage.read(topic)) }
    },
    sees: { commits: { code: 'Fenced', retriable: false }, values: [], position: 2 },
  },
  {
    name: 'a record that is too large aborts its transaction, and only that',
    async play(stage) {
      const topic = await stage.topic({ maxMessageBytes: 1_000 })
      const producer = await stage.producer()
      await producer.begin()
      producer.send(record(topic, 'x'.repeat(5_000)))
      const commits = await failure(producer.commit(TIMEOUT_MS))
      const refusals = producer.refusals().map(({ code, partition }) => ({ code, partition }))
      await producer.abort(TIMEOUT_MS)
      // librdkafka fails the transaction after a refused one once, to renew its epoch.
      if ((await failure(write(producer, [record(topic, 'small')]))) !== 'fine') {
        await producer.abort(TIMEOUT_MS)
        await write(producer, [record(topic, 'small')])
      }
      await stage.until(async () => (await stage.marks({ topic, partition: 0 })).lastStable >= 2, 'the small one is stable')
      return { commits, refusals, values: (await stage.read(topic)).values }
    },
    sees: {
      commits: { code: 'MessageTooLarge', retriable: true },
      refusals: [{ code: 'MessageTooLarge', partition: 0 }],
      values: ['small'],
    },
  },
]

const offsets: readonly Scenario[] = [
  {
    name: 'offsets of an open transaction make a stable read wait, and the other see the last ones',
    async play(stage) {
      const topic = await stage.topic()
      const place = { topic, partition: 0 }
      const { consumer, owned } = await stage.member(stage.unique(), topic)
      await stage.until(() => owned.size === 1, 'it owns the partition')
      const producer = await stage.producer()
      const none = (await consumer.committed(place, { timeoutMs: 5_000 })) ?? 'none'
      await producer.begin()
      await producer.sendOffsets([commitOf(topic, 5, 'first')], consumer, TIMEOUT_MS)
      await producer.commit(TIMEOUT_MS)
      const first = await consumer.committed(place, { timeoutMs: 5_000 })
      await producer.begin()
      await producer.sendOffsets([commitOf(topic, 7, 'second')], consumer, TIMEOUT_MS)
      const unstable = await failure(consumer.committed(place, { timeoutMs: 500 }))
      const now = await consumer.committedNow(place)
      await producer.abort(TIMEOUT_MS)
      const aborted = await consumer.committed(place, { timeoutMs: 5_000 })
      return { none, first: first?.metadata, unstable, now: now?.metadata, aborted: aborted?.offset }
    },
    sees: { none: 'none', first: 'first', unstable: { code: 'UnstableOffsets', retriable: true }, now: 'first', aborted: 5 },
  },
  {
    name: 'a fenced owner cannot commit the offsets that it has handed over',
    async play(stage) {
      const topic = await stage.topic()
      const place = { topic, partition: 0 }
      const { consumer, owned } = await stage.member(stage.unique(), topic)
      await stage.until(() => owned.size === 1, 'it owns the partition')
      const id = stage.unique()
      const zombie = await stage.producer(id)
      await zombie.begin()
      await zombie.sendOffsets([commitOf(topic, 9, 'zombie')], consumer, TIMEOUT_MS)
      await stage.producer(id)
      const found = (await consumer.committed(place, { timeoutMs: 5_000 })) ?? 'none'
      return { found, commits: await failure(zombie.commit(TIMEOUT_MS)) }
    },
    sees: { found: 'none', commits: { code: 'Fenced', retriable: false } },
  },
  {
    name: 'of two producers in turn the later offsets count',
    async play(stage) {
      const topic = await stage.topic()
      const place = { topic, partition: 0 }
      const { consumer, owned } = await stage.member(stage.unique(), topic)
      await stage.until(() => owned.size === 1, 'it owns the partition')
      const pair = [await stage.producer(), await stage.producer()]
      const found: (number | undefined)[] = []
      for (let offset = 1; offset <= 6; offset += 1) {
        const producer = pair[offset % 2]!
        await producer.begin()
        producer.send(record(topic, String(offset)))
        await producer.sendOffsets([commitOf(topic, offset)], consumer, TIMEOUT_MS)
        await producer.commit(TIMEOUT_MS)
        found.push((await consumer.committed(place, { timeoutMs: 5_000 }))?.offset)
      }
      return found
    },
    sees: [1, 2, 3, 4, 5, 6],
  },
  {
    name: 'a member that left cannot send offsets',
    async play(stage) {
      const topic = await stage.topic()
      const { consumer, owned } = await stage.member(stage.unique(), topic)
      await stage.until(() => owned.size === 1, 'it owns the partition')
      const producer = await stage.producer()
      await producer.begin()
      await consumer.close()
      return await failure(producer.sendOffsets([commitOf(topic, 1)], consumer, TIMEOUT_MS))
    },
    sees: { code: 'RebalanceInProgress', retriable: true },
  },
  {
    name: 'a second member is given its share, and nothing else moves',
    async play(stage) {
      const topic = await stage.topic({ partitions: 4 })
      const group = stage.unique()
      const first = await stage.member(group, topic)
      await stage.until(() => first.owned.size === 4, 'the first owns all')
      const second = await stage.member(group, topic)
      await stage.until(() => second.owned.size === 2, 'the second owns its share')
      const apart = [...second.owned].every(partition => !first.owned.has(partition))
      const moved = first.revoked.length
      await second.consumer.close()
      await stage.until(() => first.owned.size === 4, 'the first owns all again')
      return { apart, moved }
    },
    sees: { apart: true, moved: 2 },
  },
]

const logs: readonly Scenario[] = [
  {
    name: 'positions outside of the log are reported, not moved',
    async play(stage) {
      const topic = await stage.topic()
      const place = { topic, partition: 0 }
      const producer = await stage.producer()
      for (let i = 0; i < 3; i += 1) await write(producer, [record(topic, String(i))])
      await stage.until(async () => (await stage.marks(place)).lastStable === 6, 'all is stable')
      await stage.kafka.deleteBefore(place, 4)
      const stops = async (offset: number): Promise<string> => {
        const reader = await stage.reader()
        await reader.assign([{ ...place, offset }])
        let code = 'none'
        await stage.until(async () => {
          const { stopped, records } = await reader.poll(10, 20)
          code = stopped[0]?.error.code ?? (records.length > 0 ? `read ${records[0]!.offset}` : code)
          return code !== 'none'
        }, 'something is said')
        return code
      }
      return { below: await stops(2), at: await stops(4), above: await stops(9), low: (await stage.marks(place)).low }
    },
    sees: { below: 'OffsetOutOfRange', at: 'read 4', above: 'OffsetOutOfRange', low: 4 },
  },
  {
    name: 'compaction keeps the last of each key, tombstones included, and its offsets',
    async play(stage) {
      const topic = await stage.topic({ compacted: true })
      const producer = await stage.producer()
      await write(producer, [record(topic, 'old', 'k'), record(topic, 'gone', 'g'), record(topic, 'only', 'o')])
      await write(producer, [record(topic, 'new', 'k'), record(topic, null, 'g')])
      await stage.kafka.compact({ topic, partition: 0 })
      const { values } = await stage.read(topic)
      return values.filter(value => value !== 'filler')
    },
    sees: ['only', 'new', 'null'],
  },
  {
    name: 'a topic that was made again knows nothing of the old one',
    async play(stage) {
      const topic = await stage.topic()
      const place = { topic, partition: 0 }
      const producer = await stage.producer()
      for (let i = 0; i < 3; i += 1) await write(producer, [record(topic, String(i))])
      await stage.until(async () => (await stage.marks(place)).lastStable === 6, 'all is stable')
      await stage.kafka.deleteTopic(topic)
      await stage.kafka.createTopic(topic, {})
      await stage.until(async () => (await stage.marks(place)).high === 0, 'it is empty')
      return await stage.marks(place)
    },
    sees: { low: 0, high: 0, lastStable: 0 },
  },
  {
    name: 'a topic that is missing has no partitions and no watermarks',
    async play(stage) {
      const producer = await stage.producer()
      const reader = await stage.reader()
      const [answer] = await reader.watermarks([{ topic: 'never-made', partition: 0 }])
      return { partitions: (await producer.partitionsOf('never-made')) ?? 'none', watermarks: (answer as { code?: string }).code }
    },
    sees: { partitions: 'none', watermarks: 'UnknownTopic' },
  },
]

export const scenarios: readonly Scenario[] = [...transactions, ...offsets, ...logs]
