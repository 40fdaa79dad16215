import type { Resource } from '../../api/resource.ts'
import { sameConfigValue } from '../../operator/config-value.ts'
import { wishOf } from '../kafka-topic-policy/desired.ts'
import type { Configs } from '../kafka-topic-policy/desired.ts'
import type { KafkaTopicPolicy, KafkaTopicPolicySpec } from '../kafka-topic-policy/resource.ts'
import { namedTopics, selection } from '../kafka-topic-policy/selection.ts'
import { error, isKind, sameNamespace } from './finding.ts'
import type { Finding, OfflineCheck } from './finding.ts'

const DEFAULT_PRIORITY = 100

/**
 * Of two policies of one priority that want different values for one key of one topic, neither is applied. Said where it can be known without
 * a cluster: a topic that one of them names, or the same words in both selectors.
 */
export const policiesAgree: OfflineCheck = (resource, all) => {
  if (!isEnforcing(resource)) return []
  const earlier = all.slice(0, all.indexOf(resource)).filter(isEnforcing)
  return earlier.filter(other => compete(resource, other)).flatMap(other => conflicts(resource, other))
}

const isEnforcing = (resource: Resource): resource is KafkaTopicPolicy => {
  if (!isKind(resource, 'KafkaTopicPolicy')) return false
  const { mode, suspend } = (resource as KafkaTopicPolicy).spec
  return mode !== 'Observe' && suspend !== true
}

const compete = (a: KafkaTopicPolicy, b: KafkaTopicPolicy): boolean =>
  sameNamespace(a, b) &&
  a.spec.connectionRef.name === b.spec.connectionRef.name &&
  (a.spec.priority ?? DEFAULT_PRIORITY) === (b.spec.priority ?? DEFAULT_PRIORITY)

function conflicts(policy: KafkaTopicPolicy, other: KafkaTopicPolicy): readonly Finding[] {
  const shared = sharedTopics(policy.spec, other.spec)
  if (shared === undefined) return []
  const [ours, theirs] = [comparable(policy.spec, shared), comparable(other.spec, shared)]
  return Object.entries(ours).flatMap(([key, value]) => {
    const otherValue = theirs[key]
    if (otherValue === undefined || sameConfigValue(key, value, otherValue)) return []
    const message = `wants ${key}=${value} for ${shared.text}, KafkaTopicPolicy ${other.metadata.name} of the same priority wants ${otherValue}: neither would apply; give one a higher priority`
    return [error(policy, fieldOf(policy.spec, key), message)]
  })
}

interface Shared {
  readonly text: string
  /** Partitions of the topic, where one of the two says. */
  readonly partitions: number | undefined
}

function sharedTopics(a: KafkaTopicPolicySpec, b: KafkaTopicPolicySpec): Shared | undefined {
  const [inA, inB] = [selection(a), selection(b)]
  const name = [...namedTopics(a), ...namedTopics(b)].find(topic => inA(topic) && inB(topic))
  if (name !== undefined) {
    const partitions = [...(a.topics ?? []), ...(b.topics ?? [])].find(topic => topic.name === name)?.partitions
    return { text: `topic ${name}`, partitions }
  }
  const text = sharedWords(a.selector, b.selector)
  return text === undefined ? undefined : { text, partitions: undefined }
}

function sharedWords(a: KafkaTopicPolicySpec['selector'] = {}, b: KafkaTopicPolicySpec['selector'] = {}): string | undefined {
  // What one excludes may be all that they share.
  if (a.exclude?.length || b.exclude?.length) return undefined
  if (a.all && b.all) return 'all topics'
  const pattern = a.patterns?.find(own => b.patterns?.includes(own))
  if (pattern !== undefined) return `topics ${pattern}`
  const prefix = a.prefixes?.find(own => b.prefixes?.some(theirs => own.startsWith(theirs) || theirs.startsWith(own)))
  return prefix === undefined ? undefined : `topics ${prefix}*`
}

/** A share of a total can be compared only where the number of partitions is known. */
function comparable(spec: KafkaTopicPolicySpec, { partitions }: Shared): Configs {
  const configs = wishOf(spec).for(partitions ?? 1)
  if (partitions !== undefined || spec.retention?.sizeTotal === undefined) return configs
  const { 'retention.bytes': _share, ...others } = configs
  return others
}

/** The field of the spec that sets a key of Kafka. */
function fieldOf({ config, retention }: KafkaTopicPolicySpec, key: string): string {
  if (config && Object.hasOwn(config, key)) return `spec.config.${key}`
  const bytes = retention?.sizeTotal === undefined ? 'retention.sizePerPartition' : 'retention.sizeTotal'
  return `spec.${key === 'retention.bytes' ? bytes : (FIELDS[key] ?? 'config')}`
}

const FIELDS: Readonly<Record<string, string>> = {
  'retention.ms': 'retention.time',
  'cleanup.policy': 'cleanup',
  'min.cleanable.dirty.ratio': 'compaction.minDirtyRatio',
  'min.compaction.lag.ms': 'compaction.minLag',
  'max.compaction.lag.ms': 'compaction.maxLag',
  'delete.retention.ms': 'compaction.tombstoneRetention',
  'segment.ms': 'segment.time',
  'segment.bytes': 'segment.bytes',
}
