import { formatSize } from '../../api/size.ts'
import type { EpochMs } from '../../api/resource.ts'
import type { RetentionAnswer } from '../../operator/observed.ts'
import type { Problem, RetentionQuestion } from '../../operator/plan.ts'
import type { KafkaTopicPolicyStatus } from './resource.ts'
import type { Decrease } from './retention.ts'

export type PendingDeletion = NonNullable<KafkaTopicPolicyStatus['pendingDeletion']>

/** Brokers look for what to delete every five minutes by default: that long a deletion is under way after a limit was lowered. */
const UNDER_WAY_MS = 300_000
/** Between telling what will be lost and doing it. */
export const NOTICE_MS = 1_000
/** Topics grow while they are looked at: an estimate this close to the one told is the same one. */
const CLOSE_ENOUGH = 0.9

export function questionOf(topic: string, decreases: readonly Decrease[]): RetentionQuestion | undefined {
  if (decreases.length === 0) return undefined
  const time = decreases.find(({ key }) => key === 'retention.ms')
  const size = decreases.find(({ key }) => key === 'retention.bytes')
  return {
    topic,
    ...(time === undefined ? {} : { retentionMs: time.to }),
    ...(size === undefined ? {} : { retentionBytesPerPartition: size.to }),
  }
}

/** Sum of the answers; undefined when nothing will be lost. */
export function pendingDeletion(answers: ReadonlyMap<string, RetentionAnswer>): PendingDeletion | undefined {
  const losing = [...answers.values()].filter(({ bytes }) => bytes > 0)
  return losing.length === 0 ? undefined : { bytes: losing.reduce((sum, { bytes }) => sum + bytes, 0), topics: losing.length }
}

/** Whether the stored status has said what is about to be lost. Nothing is lowered before it has. */
export const wasTold = (pending: PendingDeletion, told: PendingDeletion | undefined): boolean =>
  told !== undefined && told.topics >= pending.topics && told.bytes >= pending.bytes * CLOSE_ENOUGH

export const notice = ({ bytes, topics }: PendingDeletion): Problem => ({
  severity: 'NotReady',
  reason: 'RetentionDecreasing',
  message:
    `A shorter retention is about to delete about ${formatSize(bytes)} in ${topics} ${topics === 1 ? 'topic' : 'topics'}; ` +
    'set spec.mode to Observe or spec.suspend to true to keep the data.',
})

/** How much longer a deletion that was started at `loweredAt` is shown; undefined when it is over. */
export function underWayMs(loweredAt: EpochMs | undefined, now: EpochMs): number | undefined {
  if (loweredAt === undefined || loweredAt > now) return undefined
  const leftMs = loweredAt + UNDER_WAY_MS - now
  return leftMs > 0 ? leftMs : undefined
}
