import { parseDuration } from '../../api/duration.ts'
import { topicName } from '../../api/topic-name.ts'
import { HORIZON_MS, ladder } from '../delay-queue/ladder.ts'
import {
  DAY_MS,
  DEFAULT_DEAD_LETTER_RETENTION_MS,
  GROWN_MAX_MESSAGE_BYTES,
  STAMPED_BY_BROKERS,
  appended,
  existingTiers,
  segmentMs,
  tierRole,
  waitingRetentionMs,
} from '../delay-queue/topics.ts'
import type { Configs, WaitingTopic } from '../delay-queue/topics.ts'
import type { DeadLetterPipeline } from './resource.ts'
import { longestWaitMs } from './waits.ts'

/** Every topic of a pipeline. All but the dead letter topics have the same number of partitions, and partition p of each belongs to task p. */
export interface PipelineTopics {
  /** The application writes what failed. */
  readonly retry: string
  /** The application reads what is to be tried again. */
  readonly redelivery: string
  readonly tiers: readonly WaitingTopic[]
  readonly journal: string
  readonly deadLetter: string
  /** Which dead letters were redriven or discarded, and who did it: partition p is about partition p of the dead letter topics. */
  readonly handled: string
  readonly audit: string
  /** With `ordering: Key`: what failed and waits, its key behind it. As many partitions as the source. */
  readonly waiting?: string
  /** Dead letter topics that rules name. */
  readonly ruled: readonly string[]
}

/** `exists`: names of the cluster, so that a tier that a shorter back-off no longer needs is served until someone deletes its topic. */
export function pipelineTopics({ spec, metadata }: DeadLetterPipeline, exists: Iterable<string> = []): PipelineTopics {
  const name = (role: string): string => topicName(metadata, spec.topicPrefix, role)
  const deadLetter = spec.deadLetter?.topic ?? name('dlq')
  const tiersMs = new Set([...ladder(longestWaitMs(spec)), ...existingTiers([...exists], name('tier.'))])
  const ruled = (spec.rules ?? []).flatMap(({ deadLetterTopic }) => deadLetterTopic ?? [])
  return {
    retry: name('retry'),
    redelivery: name('redelivery'),
    tiers: [...tiersMs].sort((a, b) => a - b).map(delayMs => ({ topic: name(tierRole(delayMs)), delayMs })),
    journal: name('journal'),
    deadLetter,
    handled: name('handled'),
    audit: name('audit'),
    ...(spec.ordering === 'Key' && { waiting: name('waiting') }),
    ruled: [...new Set(ruled)].filter(topic => topic !== deadLetter),
  }
}

/** The pipeline's own dead letter topic, then those that its rules name. */
export const deadLetterTopics = ({ deadLetter, ruled }: PipelineTopics): readonly string[] => [deadLetter, ...ruled]

export const tierPrefix = ({ spec, metadata }: DeadLetterPipeline): string => topicName(metadata, spec.topicPrefix, 'tier.')

/** Topics whose partition p belongs to task p. */
export const taskTopics = ({ retry, redelivery, tiers, journal }: PipelineTopics): readonly string[] => [
  retry,
  redelivery,
  ...tiers.map(({ topic }) => topic),
  journal,
]

/** Topics whose partition p is about partition p of the dead letter topics. */
export const bookTopics = ({ handled, audit }: PipelineTopics): readonly string[] => [handled, audit]

export const allTopics = (topics: PipelineTopics): readonly string[] => [
  ...taskTopics(topics),
  ...bookTopics(topics),
  ...waitingTopics(topics),
  topics.deadLetter,
  ...topics.ruled,
]

/** Topics whose partition p is about partition p of the source. */
export const waitingTopics = ({ waiting }: PipelineTopics): readonly string[] => (waiting === undefined ? [] : [waiting])

/** How long a dead letter stays. */
export const deadLetterRetentionMs = ({ deadLetter }: DeadLetterPipeline['spec']): number =>
  deadLetter?.retention === undefined ? DEFAULT_DEAD_LETTER_RETENTION_MS : parseDuration(deadLetter.retention)

/** The configs of every topic of the pipeline, by name. Records grow by their context: the limits leave room for it. */
export function topicConfigs({ spec }: DeadLetterPipeline, topics: PipelineTopics): ReadonlyMap<string, Configs> {
  const retentionMs = deadLetterRetentionMs(spec)
  const deadLetter = appended(retentionMs, DAY_MS, GROWN_MAX_MESSAGE_BYTES)
  const waiting = (delayMs: number): Configs => appended(waitingRetentionMs(delayMs), segmentMs(delayMs), GROWN_MAX_MESSAGE_BYTES)
  const longestMs = Math.max(HORIZON_MS, ...topics.tiers.map(({ delayMs }) => delayMs))
  return new Map<string, Configs>([
    // With HTTP delivery only workers write there, by their own clocks.
    [topics.retry, { ...waiting(HORIZON_MS), ...(spec.delivery.topic && STAMPED_BY_BROKERS) }],
    [topics.redelivery, waiting(HORIZON_MS)],
    ...topics.tiers.map(({ topic, delayMs }) => [topic, waiting(delayMs)] as const),
    // Longer than any source: what it says about a record must outlive the record.
    [topics.journal, appended(waitingRetentionMs(longestMs) + DAY_MS, DAY_MS / 4, GROWN_MAX_MESSAGE_BYTES)],
    ...[topics.deadLetter, ...topics.ruled].map(topic => [topic, deadLetter] as const),
    // A marker must outlive its dead letter, or that would be redriven twice.
    [topics.handled, { ...appended(retentionMs + BOOKS_LONGER_MS, DAY_MS, GROWN_MAX_MESSAGE_BYTES), 'cleanup.policy': 'compact,delete' }],
    ...waitingTopics(topics).map(topic => [topic, COMPACTED] as const),
    [topics.audit, appended(Math.max(AUDIT_RETENTION_MS, retentionMs), 7 * DAY_MS, GROWN_MAX_MESSAGE_BYTES)],
  ])
}

/** Read as a whole when a partition moves: what no longer waits is to be gone soon. */
const COMPACTED: Configs = {
  'cleanup.policy': 'compact',
  'message.timestamp.type': 'LogAppendTime',
  'segment.ms': String(3_600_000),
  'segment.bytes': String(16 * 1_048_576),
  'min.cleanable.dirty.ratio': '0.3',
  'delete.retention.ms': String(DAY_MS),
}
const BOOKS_LONGER_MS = 30 * DAY_MS
const AUDIT_RETENTION_MS = 365 * DAY_MS
