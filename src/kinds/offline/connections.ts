import { anyGlob } from '../../api/glob.ts'
import type { Resource } from '../../api/resource.ts'
import { topicName } from '../../api/topic-name.ts'
import type { DeadLetterPipeline } from '../dead-letter-pipeline/resource.ts'
import type { DelayQueue } from '../delay-queue/resource.ts'
import type { KafkaConnection } from '../kafka-connection/resource.ts'
import type { KafkaTopicPolicy } from '../kafka-topic-policy/resource.ts'
import type { SagaDefinition } from '../saga-definition/resource.ts'
import { error, isKind, sameNamespace, warning } from './finding.ts'
import type { Finding, OfflineCheck } from './finding.ts'

const connectionName = (resource: Resource): string | undefined =>
  (resource.spec as { readonly connectionRef?: { readonly name: string } }).connectionRef?.name

/** The connection may be in the cluster already, so its absence here is a warning. */
export const connectionExists: OfflineCheck = (resource, all) => {
  const wanted = connectionName(resource)
  if (wanted === undefined) return []
  const there = all.filter(other => isKind(other, 'KafkaConnection') && sameNamespace(other, resource)).map(other => other.metadata.name)
  if (there.includes(wanted)) return []
  const hint = there.length === 0 ? '' : `; there ${there.length === 1 ? 'is' : 'are'} ${there.join(', ')}`
  return [
    warning(
      resource,
      'spec.connectionRef.name',
      `no KafkaConnection ${wanted} in namespace ${resource.metadata.namespace} among these files${hint}: it must exist in the cluster, or be corrected`,
    ),
  ]
}

/** A topic that the spec names in so many words, and where. */
interface NamedTopic {
  readonly field: string
  readonly topic: string
}

/** Topics outside the list of the connection would be refused as soon as the resource is applied. */
export const topicsAreAllowed: OfflineCheck = (resource, all) => {
  const connection = all.find(
    other => isKind(other, 'KafkaConnection') && sameNamespace(other, resource) && other.metadata.name === connectionName(resource),
  ) as KafkaConnection | undefined
  const allowed = connection?.spec.allowedTopics
  if (connection === undefined || allowed === undefined) return []
  const isAllowed = anyGlob(allowed)
  return namedTopics(resource)
    .filter(({ topic }) => !isAllowed(topic))
    .map(({ field, topic }): Finding =>
      error(
        resource,
        field,
        `topic ${topic} is outside allowedTopics of KafkaConnection ${connection.metadata.name}: add it there, or choose another name`,
      ),
    )
}

function namedTopics(resource: Resource): readonly NamedTopic[] {
  switch (resource.kind) {
    case 'KafkaTopicPolicy':
      return ((resource as KafkaTopicPolicy).spec.topics ?? []).map(({ name }, i) => ({ field: `spec.topics[${i}].name`, topic: name }))
    case 'DelayQueue':
      return queueTopics(resource as DelayQueue)
    case 'DeadLetterPipeline':
      return given('spec.deadLetter.topic', (resource as DeadLetterPipeline).spec.deadLetter?.topic)
    case 'SagaDefinition':
      return (resource as SagaDefinition).spec.steps.flatMap((step, i) => given(`spec.steps[${i}].topic`, step.topic))
    default:
      return []
  }
}

const queueTopics = ({ metadata, spec }: DelayQueue): readonly NamedTopic[] => [
  { field: spec.topicPrefix === undefined ? 'metadata.name' : 'spec.topicPrefix', topic: topicName(metadata, spec.topicPrefix, 'in') },
  ...given('spec.target.topic', spec.target?.topic),
  ...given('spec.deadLetter.topic', spec.deadLetter?.topic),
]

const given = (field: string, topic: string | undefined): readonly NamedTopic[] => (topic === undefined ? [] : [{ field, topic }])
