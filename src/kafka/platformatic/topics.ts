import { createPartitionsV3, createTopicsV7, deleteTopicsV6, describeLogDirsV4 } from '@platformatic/kafka'
import type { KafkaAdmin, NewTopic, Outcomes, TopicPartitions } from '../admin.ts'
import { KafkaError } from '../errors.ts'
import type { Brokers } from './brokers.ts'
import { chunked } from './chunks.ts'
import { itemError, toKafkaError } from './errors.ts'

/** What the broker may take to do the work, apart from our own wait for the answer. */
const BROKER_TIMEOUT_MS = 15_000
/** The controller refuses a request that makes too many partitions at once (10,000 records by default). */
const MAX_PARTITIONS_PER_REQUEST = 4_000

export const aboutTopic = (topic: string): string => `topic "${topic}"`

export async function listTopics(brokers: Brokers, includeInternal: boolean): Promise<readonly string[]> {
  const { topics } = await brokers.metadata(null)
  const names = topics.flatMap(topic => (typeof topic.name === 'string' ? [topic.name] : []))
  return names.filter(name => includeInternal || !name.startsWith('__')).sort()
}

export async function createTopics(brokers: Brokers, topics: readonly NewTopic[], validateOnly: boolean): Promise<Outcomes> {
  const outcomes = new Map<string, KafkaError | undefined>()
  for (const chunk of chunked(topics, topic => Math.max(1, topic.partitions), MAX_PARTITIONS_PER_REQUEST)) {
    const wanted = chunk.map(topic => ({
      name: topic.name,
      numPartitions: topic.partitions,
      replicationFactor: topic.replicationFactor,
      assignments: [],
      configs: Object.entries(topic.configs).map(([name, value]) => ({ name, value })),
    }))
    await perItem(outcomes, chunk, async () => {
      const { topics: results } = await brokers.ask(
        await brokers.any(),
        'createTopics',
        createTopicsV7.api,
        wanted,
        BROKER_TIMEOUT_MS,
        validateOnly,
      )
      return results
    })
  }
  return outcomes
}

export async function createPartitions(
  brokers: Brokers,
  topics: readonly { readonly name: string; readonly count: number }[],
): Promise<Outcomes> {
  const outcomes = new Map<string, KafkaError | undefined>()
  for (const chunk of chunked(topics, topic => topic.count, MAX_PARTITIONS_PER_REQUEST)) {
    const wanted = chunk.map(({ name, count }) => ({ name, count, assignments: null }))
    await perItem(outcomes, chunk, async () => {
      const { results } = await brokers.ask(
        await brokers.any(),
        'createPartitions',
        createPartitionsV3.api,
        wanted,
        BROKER_TIMEOUT_MS,
        false,
      )
      return results
    })
  }
  return outcomes
}

export async function deleteTopics(brokers: Brokers, names: readonly string[]): Promise<Outcomes> {
  const outcomes = new Map<string, KafkaError | undefined>()
  for (const chunk of chunked(names.map(name => ({ name })))) {
    await perItem(outcomes, chunk, async () => {
      const wanted = chunk.map(({ name }) => ({ name }))
      const { responses } = await brokers.ask(await brokers.any(), 'deleteTopics', deleteTopicsV6.api, wanted, BROKER_TIMEOUT_MS)
      return responses
    })
  }
  return outcomes
}

interface ItemResult {
  readonly name?: string | null | undefined
  readonly errorCode: number
  readonly errorMessage?: string | null | undefined
}

/**
 * Notes the outcome of each item of one request. When a later request fails as a whole, earlier ones have been applied: their outcomes stand
 * and the rest carry the error. Only a failure of the very first rejects.
 */
async function perItem(
  outcomes: Map<string, KafkaError | undefined>,
  chunk: readonly { readonly name: string }[],
  ask: () => Promise<readonly ItemResult[]>,
): Promise<void> {
  try {
    const results = new Map((await ask()).map(result => [result.name ?? '', result]))
    for (const { name } of chunk) {
      const result = results.get(name)
      // Matched by name: the order of a response is the broker's.
      outcomes.set(name, result === undefined ? missing(name) : itemError(aboutTopic(name), result.errorCode, result.errorMessage))
    }
  } catch (error) {
    if (outcomes.size === 0) throw error
    const failure = toKafkaError('request', error)
    for (const { name } of chunk) outcomes.set(name, failure)
  }
}

const missing = (name: string): KafkaError =>
  new KafkaError('Unexpected', `${aboutTopic(name)}: the broker's answer does not mention it`, { retriable: true })

export async function logDirSizes(brokers: Brokers, topics: readonly TopicPartitions[]): ReturnType<KafkaAdmin['logDirSizes']> {
  const sizes = new Map<string, Map<number, number>>()
  if (topics.length === 0) return sizes
  const { brokers: live } = await brokers.metadata([])
  for (const chunk of chunked(topics)) {
    const wanted = chunk.map(({ topic, partitions }) => ({ name: topic, partitions: [...partitions] }))
    const answers = await Promise.allSettled(
      live.map(async address => brokers.ask(await brokers.at(address), 'describeLogDirs', describeLogDirsV4.api, wanted)),
    )
    const heard = answers.flatMap(answer => (answer.status === 'fulfilled' ? answer.value.results : []))
    // A broker that is down hides its replicas; their leaders are elsewhere. All down is a failure.
    const failed = answers.find(answer => answer.status === 'rejected')
    if (heard.length === 0 && failed !== undefined) throw toKafkaError('describeLogDirs', failed.reason)
    for (const { name, partitions } of heard.flatMap(dir => dir.topics)) {
      for (const partition of partitions)
        if (!partition.isFutureKey) keepLargest(sizes, name, partition.partitionIndex, Number(partition.partitionSize))
    }
  }
  return sizes
}

function keepLargest(sizes: Map<string, Map<number, number>>, topic: string, partition: number, bytes: number): void {
  const own = sizes.get(topic) ?? new Map<number, number>()
  sizes.set(topic, own.set(partition, Math.max(bytes, own.get(partition) ?? 0)))
}
