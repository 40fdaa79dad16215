import type { ClusterDescription, KafkaAdmin, KafkaAdminFactory } from './admin.ts'
import type { ConnectionSettings } from './connection.ts'
import { Brokers } from './platformatic/brokers.ts'
import type { Timeouts } from './platformatic/brokers.ts'
import { alterConfigs } from './platformatic/configs.ts'
import { DescribedConfigs } from './platformatic/described-configs.ts'
import { Descriptions } from './platformatic/descriptions.ts'
import { alterGroupOffsets, deleteGroup, describeGroup, groupOffsets, listGroups } from './platformatic/groups.ts'
import { sampleKeys } from './platformatic/key-samples.ts'
import { deleteRecords, listOffsets } from './platformatic/offsets.ts'
import { createPartitions, createTopics, deleteTopics, listTopics, logDirSizes } from './platformatic/topics.ts'

const INIT_PRODUCER_ID = 22

/** Connecting answers within 5 s; a request within 20 s, since deleting or creating thousands of topics takes the controller a while. */
const DEFAULT_TIMEOUTS: Timeouts = { connectMs: 5_000, requestMs: 20_000 }

/**
 * `KafkaAdmin` over the protocol layer of @platformatic/kafka. Needs Kafka 3.6 or newer in KRaft mode: any broker forwards what is the
 * controller's. Nothing is retried here but the search for a group's coordinator: callers work level by level and come again.
 */
export const platformaticAdmin: KafkaAdminFactory = (settings, options) => platformaticAdminWith(DEFAULT_TIMEOUTS)(settings, options)

export const platformaticAdminWith =
  (timeouts: Timeouts): KafkaAdminFactory =>
  (settings: ConnectionSettings, { clientId }): KafkaAdmin => {
    // Kafka answers the requests of one connection in order: a read must not wait behind twenty writes of the controller.
    const reads = new Brokers(settings, clientId, timeouts)
    const writes = new Brokers(settings, clientId, timeouts)
    const descriptions = new Descriptions(reads)
    const configs = new DescribedConfigs(reads)
    return {
      describeCluster: () => describeCluster(reads),
      listTopics: options => listTopics(reads, options?.includeInternal === true),
      describeTopics: names => descriptions.of(names),
      describeConfigs: (topics, keys) => configs.of(topics, keys),
      logDirSizes: topics => logDirSizes(reads, topics),
      listOffsets: queries => listOffsets(reads, queries),
      sampleKeys: topics => sampleKeys(reads, topics),
      listGroups: () => listGroups(reads),
      describeGroup: groupId => describeGroup(reads, groupId),
      groupOffsets: groupId => groupOffsets(reads, groupId),
      alterConfigs: (changes, options) => alterConfigs(writes, changes, options?.validateOnly === true),
      createTopics: (topics, options) => createTopics(writes, topics, options?.validateOnly === true),
      createPartitions: topics => createPartitions(writes, topics),
      deleteTopics: names => deleteTopics(writes, names),
      deleteRecords: targets => deleteRecords(writes, targets),
      alterGroupOffsets: (groupId, offsets) => alterGroupOffsets(writes, groupId, offsets),
      deleteGroup: groupId => deleteGroup(writes, groupId),
      close: async () => {
        await Promise.all([reads.close(), writes.close()])
      },
    }
  }

async function describeCluster(brokers: Brokers): Promise<ClusterDescription> {
  const { clusterId, controllerId, brokers: live } = await brokers.metadata([])
  const { maxVersion, features } = await brokers.abilities()
  return {
    clusterId: clusterId ?? '',
    controllerId,
    brokers: live.map(({ nodeId, host, port, rack }) => ({ id: nodeId, host, port, ...(typeof rack === 'string' ? { rack } : {}) })),
    features: {
      transactions: maxVersion.has(INIT_PRODUCER_ID),
      shareGroups: (features.get('share.version') ?? 0) >= 1,
      consumerProtocol: (features.get('group.version') ?? 0) >= 1,
    },
  }
}
