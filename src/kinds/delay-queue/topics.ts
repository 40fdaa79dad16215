import { formatDuration, parseDuration } from '../../api/duration.ts'
import { topicName } from '../../api/topic-name.ts'
import { HORIZON_MS, ladder } from './ladder.ts'
import type { DelayQueue } from './resource.ts'

/** A topic in which records wait for one fixed time. */
export interface WaitingTopic {
  readonly topic: string
  readonly delayMs: number
}

/** Every topic of a queue. All have the same number of partitions, and partition p of each belongs to task p. */
export interface QueueTopics {
  readonly input: string
  /** Fixed delays that the spec declares, and those that it no longer does but that still exist. */
  readonly fixed: readonly WaitingTopic[]
  readonly tiers: readonly WaitingTopic[]
  readonly journal: string
  readonly ids: string
  readonly deadLetter: string
}

export const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588
/** Room for the headers that a hop or a dead letter adds, and for a batch that the producer had compressed better than we do. */
export const GROWN_MAX_MESSAGE_BYTES = 8 * DEFAULT_MAX_MESSAGE_BYTES
export const DAY_MS = 86_400_000
/** An outage of a week loses nothing. */
export const OUTAGE_ALLOWANCE_MS = 8 * DAY_MS
export const DEFAULT_DEAD_LETTER_RETENTION_MS = 30 * DAY_MS

/** The role of a tier in the name of its topic. */
export const tierRole = (delayMs: number): string => `tier.${delayMs / 1000}s`
const fixedRole = (delayMs: number): string => `fixed.${formatDuration(delayMs)}`

/** `exists`: names of the cluster, so that a fixed delay or a tier that left the spec is served until someone deletes its topic. */
export function queueTopics(queue: DelayQueue, exists: Iterable<string> = []): QueueTopics {
  const { spec, metadata } = queue
  const name = (role: string): string => topicName(metadata, spec.topicPrefix, role)
  const waiting = (role: (delayMs: number) => string, delaysMs: Iterable<number>): readonly WaitingTopic[] =>
    [...new Set(delaysMs)].sort((a, b) => a - b).map(delayMs => ({ topic: name(role(delayMs)), delayMs }))
  const found = [...exists]
  return {
    input: name('in'),
    fixed: waiting(fixedRole, [...(spec.tiers ?? []).map(parseDuration), ...existingFixed(found, name('fixed.'))]),
    tiers: waiting(tierRole, [...ladder(parseDuration(spec.maxDelay)), ...existingTiers(found, name('tier.'))]),
    journal: name('journal'),
    ids: name('ids'),
    deadLetter: spec.deadLetter?.topic ?? name('dlq'),
  }
}

/** Before the delay in the names of fixed delays and tiers, of those that left the spec as well. */
export const waitingPrefixes = ({ spec, metadata }: DelayQueue): readonly string[] =>
  ['fixed.', 'tier.'].map(role => topicName(metadata, spec.topicPrefix, role))

function existingFixed(found: readonly string[], prefix: string): readonly number[] {
  return found
    .filter(topic => topic.startsWith(prefix))
    .flatMap(topic => {
      const text = topic.slice(prefix.length)
      try {
        const delayMs = parseDuration(text)
        return formatDuration(delayMs) === text ? [delayMs] : []
      } catch {
        return [] // somebody else's topic: not one that we could have made
      }
    })
}

/** Delays of the tiers below a prefix that exist, in the ladder or not. */
export function existingTiers(found: readonly string[], prefix: string): readonly number[] {
  const possible = new Map(ladder(Number.MAX_SAFE_INTEGER).map(delayMs => [`${prefix}${delayMs / 1000}s`, delayMs]))
  return found.flatMap(topic => possible.get(topic) ?? [])
}

export const ownTopics = (topics: QueueTopics): readonly string[] => [
  topics.input,
  ...topics.fixed.map(fixed => fixed.topic),
  ...topics.tiers.map(tier => tier.topic),
  topics.journal,
  topics.ids,
  topics.deadLetter,
]

export type Configs = Readonly<Record<string, string>>

/** How long the records of a topic are kept in which they wait so long. */
export const waitingRetentionMs = (delayMs: number): number => delayMs + OUTAGE_ALLOWANCE_MS
const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value))

/** A closed segment is what retention deletes: a quarter of the wait keeps a quiet topic small without many files. */
export const segmentMs = (delayMs: number): number => clamp(Math.round(delayMs / 4), 600_000, DAY_MS)

/** Configs of a topic of the engine's own. */
export const appended = (retentionMs: number, segmentAgeMs: number, maxMessageBytes: number): Configs => ({
  'cleanup.policy': 'delete',
  // Order of arrival is order of leaving only where the broker stamps the time; retention by a producer's clock could delete what still waits.
  'message.timestamp.type': 'LogAppendTime',
  'retention.ms': String(retentionMs),
  'retention.bytes': '-1',
  'segment.ms': String(segmentAgeMs),
  'max.message.bytes': String(maxMessageBytes),
})

/**
 * For topics that others write to and whose append times delays count from. Should somebody set `message.timestamp.type` to CreateTime, the brokers take only what a
 * producer stamped in the very millisecond: it is refused aloud, until the setting is put back, instead of being delivered early by a producer's clock. The
 * workers' client does not tell who stamped a record. Without effect under LogAppendTime. Kafka 3.6 (KIP-937).
 */
export const STAMPED_BY_BROKERS: Configs = { 'message.timestamp.before.max.ms': '0', 'message.timestamp.after.max.ms': '0' }

/** The configs of every topic of the queue, by name. */
export function topicConfigs(queue: DelayQueue, topics: QueueTopics): ReadonlyMap<string, Configs> {
  const { retention } = queue.spec.deadLetter ?? {}
  const waiting = [...topics.fixed, ...topics.tiers]
  const longestMs = Math.max(HORIZON_MS, ...waiting.map(({ delayMs }) => delayMs))
  const written = (delayMs: number): Configs => ({
    ...appended(waitingRetentionMs(delayMs), segmentMs(delayMs), DEFAULT_MAX_MESSAGE_BYTES),
    ...STAMPED_BY_BROKERS,
  })
  return new Map<string, Configs>([
    [topics.input, written(HORIZON_MS)],
    ...topics.fixed.map(({ topic, delayMs }) => [topic, written(delayMs)] as const),
    ...topics.tiers.map(
      ({ topic, delayMs }) => [topic, appended(waitingRetentionMs(delayMs), segmentMs(delayMs), GROWN_MAX_MESSAGE_BYTES)] as const,
    ),
    // Longer than any source: what it says about a record must outlive the record.
    [topics.journal, appended(waitingRetentionMs(longestMs) + DAY_MS, 6 * 3_600_000, GROWN_MAX_MESSAGE_BYTES)],
    [topics.ids, idsConfigs()],
    [
      topics.deadLetter,
      appended(retention === undefined ? DEFAULT_DEAD_LETTER_RETENTION_MS : parseDuration(retention), DAY_MS, GROWN_MAX_MESSAGE_BYTES),
    ],
  ])
}

const idsConfigs = (): Configs => ({
  'cleanup.policy': 'compact',
  'message.timestamp.type': 'LogAppendTime',
  'segment.ms': String(3_600_000),
  'min.cleanable.dirty.ratio': '0.3',
  'delete.retention.ms': String(DAY_MS),
})
