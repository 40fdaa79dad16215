import { deleteRecordsV2, listOffsetsV7 } from '@platformatic/kafka'
import type { OffsetAnswer, OffsetQuery } from '../admin.ts'
import { KafkaError } from '../errors.ts'
import type { Brokers } from './brokers.ts'
import { grouped } from './chunks.ts'
import { itemError, toKafkaError } from './errors.ts'
import { aboutPartition, keyOf, leadersOf } from './leaders.ts'
import type { Leader, Target } from './leaders.ts'

const BROKER_TIMEOUT_MS = 15_000
const READ_UNCOMMITTED = 0
const LATEST = -1n
const EARLIEST = -2n
const NOT_FOUND = -1n

export async function listOffsets(brokers: Brokers, queries: readonly OffsetQuery[]): Promise<readonly OffsetAnswer[]> {
  const answers = await toLeaders(brokers, queries, async (address, own) => {
    const topics = byTopic(own, query => ({ partitionIndex: query.partition, currentLeaderEpoch: -1, timestamp: timestampOf(query) }))
    const response = await brokers.ask(await brokers.at(address), 'listOffsets', listOffsetsV7.api, -1, READ_UNCOMMITTED, topics)
    return response.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, offset, timestamp, errorCode }) =>
        answerOf({ topic: name, partition: partitionIndex }, offset, Number(timestamp), errorCode),
      ),
    )
  })
  return pastTheEnd(brokers, queries, answers)
}

const timestampOf = ({ at }: OffsetQuery): bigint =>
  at === 'earliest' ? EARLIEST : at === 'latest' ? LATEST : BigInt(Math.max(0, Math.floor(at.timestamp)))

/** A time past the last record has no offset; callers want the end, where a record of that time would go. */
async function pastTheEnd(
  brokers: Brokers,
  queries: readonly OffsetQuery[],
  answers: readonly OffsetAnswer[],
): Promise<readonly OffsetAnswer[]> {
  const missed = queries.flatMap((query, i) =>
    typeof query.at === 'object' && answers[i]?.error === undefined && answers[i]?.offset === NOT_FOUND ? [i] : [],
  )
  if (missed.length === 0) return answers
  const ends = await listOffsets(
    brokers,
    missed.flatMap(i => {
      const query = queries[i]
      return query === undefined ? [] : [{ topic: query.topic, partition: query.partition, at: 'latest' as const }]
    }),
  )
  const filled = [...answers]
  missed.forEach((i, n) => {
    const end = ends[n]
    if (end !== undefined) filled[i] = { ...end, timestamp: -1 }
  })
  return filled
}

export async function deleteRecords(
  brokers: Brokers,
  targets: readonly (Target & { readonly offset: bigint })[],
): Promise<readonly OffsetAnswer[]> {
  return toLeaders(brokers, targets, async (address, own) => {
    const topics = byTopic(own, target => ({ partitionIndex: target.partition, offset: target.offset }))
    const response = await brokers.ask(await brokers.at(address), 'deleteRecords', deleteRecordsV2.api, topics, BROKER_TIMEOUT_MS)
    return response.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, lowWatermark, errorCode }) =>
        answerOf({ topic: name, partition: partitionIndex }, lowWatermark, -1, errorCode),
      ),
    )
  })
}

function answerOf(target: Target, offset: bigint, timestamp: number, errorCode: number): OffsetAnswer {
  const error = itemError(aboutPartition(target), errorCode)
  return { ...target, offset, timestamp, ...(error === undefined ? {} : { error }) }
}

function byTopic<T extends Target, P>(targets: readonly T[], toPartition: (target: T) => P): { name: string; partitions: P[] }[] {
  return [...grouped(targets, target => target.topic)].map(([name, own]) => ({ name, partitions: own.map(toPartition) }))
}

/**
 * Splits the items over the leaders of their partitions and answers in the order of the items. Queries for one partition twice would lose
 * one of the answers, so each round holds a partition at most once.
 */
async function toLeaders<T extends Target>(
  brokers: Brokers,
  items: readonly T[],
  ask: (leader: Leader, own: readonly T[]) => Promise<readonly OffsetAnswer[]>,
): Promise<readonly OffsetAnswer[]> {
  const leaders = await leadersOf(brokers, items)
  const answers = new Map<T, OffsetAnswer>()
  for (const round of withoutRepeats(items)) {
    const led = grouped(round, item => leaders.get(keyOf(item)))
    await Promise.all(
      [...led].map(async ([leader, own]) => {
        const found =
          leader === undefined ? own.map(noLeader) : await ask(leader, own).catch((error: unknown) => own.map(item => failed(item, error)))
        const byKey = new Map(found.map(answer => [keyOf(answer), answer]))
        for (const item of own) answers.set(item, byKey.get(keyOf(item)) ?? noLeader(item))
      }),
    )
  }
  const whole = items.map(item => answers.get(item) ?? noLeader(item))
  // When nothing was answered and nothing was a matter of the items, the call failed.
  const [first] = whole
  if (
    first?.error !== undefined &&
    leaders.size > 0 &&
    whole.every(answer => answer.error?.code === first.error?.code && answer.error?.cause !== undefined)
  )
    throw first.error
  return whole
}

const noLeader = (item: Target): OffsetAnswer => ({
  topic: item.topic,
  partition: item.partition,
  offset: NOT_FOUND,
  timestamp: -1,
  error: new KafkaError('UnknownTopic', `${aboutPartition(item)}: no such partition, or it has no leader`, { retriable: true }),
})
const failed = (item: Target, error: unknown): OffsetAnswer => ({
  topic: item.topic,
  partition: item.partition,
  offset: NOT_FOUND,
  timestamp: -1,
  error: toKafkaError(aboutPartition(item), error),
})

function withoutRepeats<T extends Target>(items: readonly T[]): readonly (readonly T[])[] {
  const rounds: T[][] = []
  const seen = new Map<string, number>()
  for (const item of items) {
    const round = seen.get(keyOf(item)) ?? 0
    seen.set(keyOf(item), round + 1)
    ;(rounds[round] ??= []).push(item)
  }
  return rounds
}
