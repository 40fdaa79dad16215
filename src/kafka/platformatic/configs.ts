import {
  ConfigResourceTypes,
  IncrementalAlterConfigOperationTypes,
  describeConfigsV4,
  incrementalAlterConfigsV1,
} from '@platformatic/kafka'
import type { ConfigChange, ConfigEntry, ConfigSource, Outcomes, TopicConfig } from '../admin.ts'
import type { KafkaError } from '../errors.ts'
import type { Brokers } from './brokers.ts'
import { chunked } from './chunks.ts'
import { itemError, toKafkaError } from './errors.ts'
import { aboutTopic } from './topics.ts'

const UNKNOWN_TOPIC = 3

/** Kafka's `ConfigSource` numbers. */
const SOURCES: readonly ConfigSource[] = ['Unknown', 'Topic', 'Broker', 'Cluster', 'Static', 'Default']

export async function describeConfigs(
  brokers: Brokers,
  topics: readonly string[],
  keys?: readonly string[],
): Promise<ReadonlyMap<string, TopicConfig>> {
  const described = new Map<string, TopicConfig>()
  for (const chunk of chunked(topics)) {
    const resources = chunk.map(resourceName => ({
      resourceType: ConfigResourceTypes.TOPIC,
      resourceName,
      configurationKeys: keys === undefined ? null : [...keys],
    }))
    const { results } = await brokers.ask(await brokers.any(), 'describeConfigs', describeConfigsV4.api, resources, false, false)
    for (const { resourceName, errorCode, errorMessage, configs } of results) {
      const error = itemError(aboutTopic(resourceName), errorCode, errorMessage)
      if (error === undefined) described.set(resourceName, new Map(configs.map(config => [config.name, entryOf(config)])))
      else if (errorCode !== UNKNOWN_TOPIC) throw error
    }
  }
  return described
}

interface RawConfig {
  readonly value?: string | null | undefined
  readonly configSource: number
  readonly readOnly: boolean
  readonly isSensitive: boolean
}
const entryOf = (config: RawConfig): ConfigEntry => ({
  value: config.isSensitive ? null : (config.value ?? null),
  source: SOURCES[config.configSource] ?? 'Unknown',
  readOnly: config.readOnly,
})

/** KIP-339: each key is set or removed on its own; the others keep their values whoever set them. */
export async function alterConfigs(brokers: Brokers, changes: readonly ConfigChange[], validateOnly: boolean): Promise<Outcomes> {
  const outcomes = new Map<string, KafkaError | undefined>()
  for (const chunk of chunked(changes)) {
    try {
      const { responses } = await brokers.ask(
        await brokers.any(),
        'incrementalAlterConfigs',
        incrementalAlterConfigsV1.api,
        chunk.map(resourceOf),
        validateOnly,
      )
      for (const { resourceName, errorCode, errorMessage } of responses)
        outcomes.set(resourceName, itemError(aboutTopic(resourceName), errorCode, errorMessage))
    } catch (error) {
      // What earlier requests did is done and must be told.
      if (outcomes.size === 0) throw error
      const failure = toKafkaError('incrementalAlterConfigs', error)
      for (const { topic } of chunk) outcomes.set(topic, failure)
    }
  }
  return outcomes
}

function resourceOf(change: ConfigChange): Parameters<typeof incrementalAlterConfigsV1.api.async>[1][number] {
  return {
    resourceType: ConfigResourceTypes.TOPIC,
    resourceName: change.topic,
    configs: [
      ...Object.entries(change.set).map(([name, value]) => ({ name, configOperation: IncrementalAlterConfigOperationTypes.SET, value })),
      ...change.remove.map(name => ({ name, configOperation: IncrementalAlterConfigOperationTypes.DELETE })),
    ],
  }
}
