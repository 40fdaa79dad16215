import { formatDuration, parseDuration } from '../../api/duration.ts'
import { formatSize } from '../../api/size.ts'
import type { Estimate, TopicIntent } from '../../operator/plan.ts'
import { HORIZON_MS, hops } from './ladder.ts'
import { DEFAULT_PARTITIONS } from './plan.ts'
import type { DelayQueue } from './resource.ts'
import { HEADER_OVERHEAD_BYTES, RECORD_OVERHEAD_BYTES } from './source.ts'
import { queueTopics, topicConfigs } from './topics.ts'
import type { Configs, QueueTopics } from './topics.ts'

/** What is asked of a queue: the figures are in proportion to it. */
export interface Load {
  readonly messagesPerSecond: number
  /** Key, value and headers of one message. */
  readonly messageBytes: number
}
export const EXAMPLE_LOAD: Load = { messagesPerSecond: 1_000, messageBytes: 1_024 }

export interface Cost {
  /** Tier topics, and all topics of the queue. */
  readonly tiers: number
  readonly topics: number
  /** Partitions of all topics, replicas not counted. */
  readonly partitions: number
  /** Times that a message is written to a tier. */
  readonly hops: { readonly mean: number; readonly most: number }
  /** Records written for a message, its input and its delivery included. */
  readonly writes: number
  /** Bytes written for each byte of a message, before replication and compression. */
  readonly bytesPerByte: number
  /** On disk once everything is as old as it gets, one replica: retention goes by age, whether a record was delivered or not. */
  readonly diskBytes: number
  /** Of these, what waits. */
  readonly waitingBytes: number
  /** In the memory of all workers together, if they may: near its due time a message waits there. */
  readonly nearMessages: number
  readonly nearBytes: number
}

export interface Subject {
  readonly maxDelayMs: number
  readonly topics: QueueTopics
  readonly configs: ReadonlyMap<string, Configs>
  readonly partitions: number
}

/** A queue as planned; topics that left its spec and still exist are counted. */
export function subjectOf(queue: DelayQueue, intents: readonly TopicIntent[]): Subject {
  const topics = queueTopics(
    queue,
    intents.map(({ name }) => name),
  )
  return {
    maxDelayMs: parseDuration(queue.spec.maxDelay),
    topics,
    configs: topicConfigs(queue, topics),
    partitions: intents[0]?.create?.partitions ?? queue.spec.partitions ?? DEFAULT_PARTITIONS,
  }
}

/** Delays at which the ladder is looked at. */
const SAMPLES = 4_096
/** `sluice-hop`, and the headers that delivery adds, with a topic name of 20 characters; a few bytes in the journal for each end. */
const HOP_HEADER_BYTES = 50
const DELIVERY_HEADER_BYTES = 200
const JOURNAL_BYTES = 3
/** Headers of a delayed message that are counted in memory. */
const HEADERS = 2
/** Kafka's `segment.bytes`. A segment goes when all of it is old enough. */
const SEGMENT_BYTES = 2 ** 30

/** How often each tier is written for one message, and how long the message waits in memory at last, when delays are spread evenly up to the longest. */
function paths(tiersMs: readonly number[], maxDelayMs: number) {
  const writes = new Map(tiersMs.map(delayMs => [delayMs, 0]))
  let [total, most, nearMs] = [0, 0, 0]
  for (let i = 0; i < SAMPLES; i++) {
    const delayMs = (maxDelayMs * (i + 0.5)) / SAMPLES
    const path = hops(tiersMs, delayMs, HORIZON_MS)
    for (const tierMs of path) writes.set(tierMs, (writes.get(tierMs) ?? 0) + 1 / SAMPLES)
    total += path.length
    most = Math.max(most, path.length)
    nearMs += delayMs - path.reduce((sum, tierMs) => sum + tierMs, 0)
  }
  return { writes, mean: total / SAMPLES, most, nearMs: nearMs / SAMPLES }
}

/** What a queue costs under a load of evenly spread delays, all of them asked for by header. Compression by the producer divides bytes on disk. */
export function costOf({ maxDelayMs, topics, configs, partitions }: Subject, { messagesPerSecond, messageBytes }: Load): Cost {
  const tiersMs = topics.tiers.map(({ delayMs }) => delayMs)
  const path = paths(tiersMs, maxDelayMs)
  const [perMs, hopBytes] = [messagesPerSecond / 1_000, messageBytes + HOP_HEADER_BYTES]
  const journalBytes = JOURNAL_BYTES * (path.mean + 1)
  const written = messageBytes + path.mean * hopBytes + messageBytes + DELIVERY_HEADER_BYTES + journalBytes
  const kept = (topic: string, bytesPerMs: number): number => {
    const { 'retention.ms': retention = '0', 'segment.ms': segment = '0' } = configs.get(topic) ?? {}
    const rollMs = Math.min(Number(segment), (SEGMENT_BYTES * partitions) / bytesPerMs)
    return bytesPerMs === 0 ? 0 : bytesPerMs * (Number(retention) + rollMs)
  }
  const tiers = topics.tiers.map(({ topic, delayMs }) => ({
    topic,
    delayMs,
    bytesPerMs: perMs * (path.writes.get(delayMs) ?? 0) * hopBytes,
  }))
  const disk = tiers.map(({ topic, bytesPerMs }) => kept(topic, bytesPerMs))
  const nearMessages = perMs * path.nearMs
  return {
    tiers: tiersMs.length,
    topics: configs.size,
    partitions: configs.size * partitions,
    hops: { mean: path.mean, most: path.most },
    writes: 2 + path.mean,
    bytesPerByte: written / messageBytes,
    diskBytes: sum([...disk, kept(topics.input, perMs * messageBytes), kept(topics.journal, perMs * journalBytes)]),
    waitingBytes: sum([...tiers.map(({ delayMs, bytesPerMs }) => delayMs * bytesPerMs), nearMessages * messageBytes]),
    nearMessages,
    nearBytes: nearMessages * (messageBytes + RECORD_OVERHEAD_BYTES + HEADERS * HEADER_OVERHEAD_BYTES),
  }
}

const sum = (figures: readonly number[]): number => figures.reduce((total, figure) => total + figure, 0)

const size = (bytes: number): string => formatSize(Math.round(bytes))

/** For `sluice plan`. */
export function estimateOf(subject: Subject): Estimate {
  const cost = costOf(subject, EXAMPLE_LOAD)
  const { messagesPerSecond, messageBytes } = EXAMPLE_LOAD
  const { tiers, topics, partitions, hops: steps, writes, bytesPerByte, diskBytes, waitingBytes, nearBytes } = cost
  return {
    data: { assumed: EXAMPLE_LOAD, ...cost },
    lines: [
      `${topics} topics with ${partitions} partitions, ${tiers} of them tiers; a message is written ${writes.toFixed(1)} times (${steps.most + 2} at most), ${bytesPerByte.toFixed(1)} bytes for each of its bytes`,
      `for every ${messagesPerSecond} messages/s of ${formatSize(messageBytes)}, delays spread up to ${formatDuration(subject.maxDelayMs)}: ` +
        `${size(diskBytes)} on disk before replication and compression, of which ${size(waitingBytes)} wait; ${size(nearBytes)} in memory if there is so much`,
    ],
  }
}
