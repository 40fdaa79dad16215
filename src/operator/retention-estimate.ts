import type { EpochMs } from '../api/resource.ts'
import type { KafkaAdmin, OffsetAnswer, OffsetQuery } from '../kafka/admin.ts'
import type { RetentionAnswer } from './observed.ts'
import type { RetentionQuestion } from './plan.ts'

export type SizedQuestion = RetentionQuestion & { readonly partitions: number }

/**
 * Estimates what lower retentions would delete at once: by time, the share of the offsets older than the new limit, taken of the bytes on
 * disk; by size, the bytes above the new limit; per partition the larger of the two. An estimate: records are taken to be of even size, and
 * Kafka deletes whole closed segments, so the truth comes in steps and never includes the active segment.
 */
export async function askRetention(
  admin: KafkaAdmin,
  questions: readonly SizedQuestion[],
  now: EpochMs,
): Promise<ReadonlyMap<string, RetentionAnswer>> {
  const [sizes, shares] = await Promise.all([
    admin.logDirSizes(questions.map(({ topic, partitions }) => ({ topic, partitions: range(partitions) }))),
    olderShares(admin, questions, now),
  ])
  return new Map(
    questions.flatMap(question => {
      const onDisk = sizes.get(question.topic)
      return onDisk === undefined ? [] : [[question.topic, { bytes: Math.round(lost(question, onDisk, shares)) }]]
    }),
  )
}

function lost(question: SizedQuestion, onDisk: ReadonlyMap<number, number>, shares: ReadonlyMap<string, number>): number {
  const limit = question.retentionBytesPerPartition ?? -1
  return [...onDisk].reduce((sum, [partition, bytes]) => {
    const byTime = bytes * (shares.get(at(question.topic, partition)) ?? 0)
    const bySize = limit < 0 ? 0 : Math.max(0, bytes - limit)
    return sum + Math.max(byTime, bySize)
  }, 0)
}

/** Per partition, the share of offsets whose records are older than the asked retention. */
async function olderShares(admin: KafkaAdmin, questions: readonly SizedQuestion[], now: EpochMs): Promise<ReadonlyMap<string, number>> {
  const queries = questions.flatMap(({ topic, partitions, retentionMs }) =>
    retentionMs === undefined || retentionMs < 0
      ? []
      : range(partitions).flatMap(partition => positions(topic, partition, now - retentionMs)),
  )
  if (queries.length === 0) return new Map()
  const answers = await admin.listOffsets(queries)
  const shares = new Map<string, number>()
  for (let i = 0; i + 2 < answers.length; i += 3) {
    const [earliest, kept, latest] = answers.slice(i, i + 3) as [OffsetAnswer, OffsetAnswer, OffsetAnswer]
    const failed = [earliest, kept, latest].some(({ error }) => error !== undefined)
    const records = Number(latest.offset - earliest.offset)
    if (!failed && records > 0) shares.set(at(earliest.topic, earliest.partition), clamp(Number(kept.offset - earliest.offset) / records))
  }
  return shares
}

/** Asked, and answered, in this order. */
const positions = (topic: string, partition: number, timestamp: EpochMs): readonly OffsetQuery[] => [
  { topic, partition, at: 'earliest' },
  { topic, partition, at: { timestamp: Math.max(0, timestamp) } },
  { topic, partition, at: 'latest' },
]

const at = (topic: string, partition: number) => `${topic}/${partition}`
const range = (count: number) => Array.from({ length: count }, (_, i) => i)
const clamp = (share: number) => Math.min(1, Math.max(0, share))
