import { ConfigResourceTypes, IncrementalAlterConfigOperationTypes, incrementalAlterConfigsV1 } from '@platformatic/kafka'
import type { ConfigChange, Outcomes } from '../admin.ts'
import type { KafkaError } from '../errors.ts'
import type { Brokers } from './brokers.ts'
import { chunked } from './chunks.ts'
import { itemError, toKafkaError } from './errors.ts'
import { aboutTopic } from './topics.ts'

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
