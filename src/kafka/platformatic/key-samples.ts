import { createAPI, fetchV12 } from '@platformatic/kafka'
import type { Reader } from '@platformatic/kafka'
import type { KafkaAdmin, KeySample, TopicPartitions } from '../admin.ts'
import { KafkaError } from '../errors.ts'
import type { Brokers } from './brokers.ts'
import { grouped } from './chunks.ts'
import { lengthOf } from './compact-array.ts'
import { keyOf, leadersOf } from './leaders.ts'
import type { Leader, Target } from './leaders.ts'
import { listOffsets } from './offsets.ts'
import { countKeys } from './record-keys.ts'

/** Looked at for which are the fullest. */
const MAX_PARTITIONS_ASKED = 50
const PARTITIONS = 3
/** The newest record may be the mark of a transaction: begin a little before it. */
const NEWEST_RECORDS = 64n
const PARTITION_BYTES = 64 * 2 ** 10
const READ_UNCOMMITTED = 0
/** Fetched once, and not remembered by the broker for a next time. */
const NO_SESSION = { id: 0, epoch: -1 }

interface Place extends Target {
  readonly offset: bigint
}

/** One request for each partition: of a batch that is larger than asked for, a broker sends the whole of the first one only. */
export async function sampleKeys(brokers: Brokers, topics: readonly TopicPartitions[]): ReturnType<KafkaAdmin['sampleKeys']> {
  const places = await fullest(brokers, topics)
  const leaders = places.length === 0 ? new Map<string, Leader>() : await leadersOf(brokers, places)
  const samples = new Map<string, KeySample>()
  for (const place of places) {
    const leader = leaders.get(keyOf(place))
    const seen = leader === undefined ? undefined : await look(brokers, leader, place)
    if (seen === undefined || seen.records === 0) continue
    const before = samples.get(place.topic)
    samples.set(place.topic, {
      records: seen.records + (before?.records ?? 0),
      withoutKey: seen.withoutKey + (before?.withoutKey ?? 0),
    })
  }
  return samples
}

/** Where to read: a little before the end of those partitions that hold the most. */
async function fullest(brokers: Brokers, topics: readonly TopicPartitions[]): Promise<readonly Place[]> {
  const asked = topics.flatMap(({ topic, partitions }) =>
    partitions.slice(0, MAX_PARTITIONS_ASKED).map(partition => ({ topic, partition })),
  )
  const answers = await listOffsets(brokers, [
    ...asked.map(target => ({ ...target, at: 'earliest' as const })),
    ...asked.map(target => ({ ...target, at: 'latest' as const })),
  ])
  const filled = asked.flatMap((target, i) => {
    const [first, end] = [answers[i], answers[asked.length + i]]
    if (first === undefined || end === undefined || first.error !== undefined || end.error !== undefined) return []
    const records = end.offset - first.offset
    return records > 0n ? [{ ...target, records, offset: records > NEWEST_RECORDS ? end.offset - NEWEST_RECORDS : first.offset }] : []
  })
  return [...grouped(filled, ({ topic }) => topic).values()].flatMap(own =>
    own.toSorted((a, b) => (a.records < b.records ? 1 : a.records > b.records ? -1 : a.partition - b.partition)).slice(0, PARTITIONS),
  )
}

/** undefined: this partition tells nothing, for lack of rights or because its leader has just changed. */
async function look(brokers: Brokers, leader: Leader, { topic, partition, offset }: Place): Promise<KeySample | undefined> {
  const partitions = [{ partition, currentLeaderEpoch: -1, fetchOffset: offset, lastFetchedEpoch: -1, partitionMaxBytes: PARTITION_BYTES }]
  const { id, epoch } = NO_SESSION
  try {
    const connection = await brokers.at(leader)
    // Version 12 goes by the name of a topic, where newer ones want its id.
    const wanted = [{ topicId: topic, partitions }]
    const log = await brokers.ask(connection, 'fetch', FETCH, 0, 0, PARTITION_BYTES, READ_UNCOMMITTED, id, epoch, wanted, [], '')
    return log === undefined ? undefined : countKeys(log)
  } catch (error) {
    if (error instanceof KafkaError) return undefined
    throw error
  }
}

/** The records of the only partition that was asked for; undefined where there are none. The library would unpack every record of it, whatever the size. */
const FETCH = createAPI<Parameters<typeof fetchV12.createRequest>, Buffer | undefined>(
  fetchV12.api.key,
  fetchV12.api.version,
  fetchV12.createRequest,
  (_correlationId, _key, _version, reader) => readRecords(reader),
)

/** https://kafka.apache.org/protocol.html#The_Messages_Fetch, version 12. Whatever is refused comes without records. */
function readRecords(reader: Reader): Buffer | undefined {
  // Throttle time, error, session.
  reader.skip(4 + 2 + 4)
  if (lengthOf(reader) === 0) return undefined
  reader.readString()
  if (lengthOf(reader) === 0) return undefined
  // Partition, error, high watermark, last stable offset, log start.
  reader.skip(4 + 2 + 8 + 8 + 8)
  for (let aborted = lengthOf(reader); aborted > 0; aborted--) {
    reader.skip(8 + 8)
    reader.readTaggedFields()
  }
  reader.skip(4)
  return reader.readNullableBytes() ?? undefined
}
