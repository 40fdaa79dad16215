import type { Observed } from '../../operator/observed.ts'
import type { Problem } from '../../operator/plan.ts'
import type { Matched } from './matching.ts'
import type { KafkaTopicPolicy } from './resource.ts'
import type { Pace } from './steps.ts'

/** With steps, the policy is on its way until the last one is taken. */
export function stepsLeft(matched: readonly Matched[], pace: Pace): Problem | undefined {
  if (pace.type === 'AtOnce') return undefined
  const falling = matched.filter(({ decreases }) => decreases.length > 0)
  const [first] = falling
  const [limit] = first?.decreases ?? []
  if (first === undefined || limit === undefined) return undefined
  const others = falling.length === 1 ? '' : ` (and ${falling.length - 1} more topics)`
  return {
    severity: 'NotReady',
    reason: 'RetentionDecreasing',
    message: `${limit.key} of topic "${first.view.name}" is being lowered in steps from ${limit.from} to ${limit.to}${others}.`,
  }
}

/** What Kafka or Sluice cannot do to a topic that exists. */
export function topicProblems({ spec }: KafkaTopicPolicy, observed: Observed): readonly Problem[] {
  return (spec.topics ?? []).flatMap(({ name, partitions, replicationFactor }, i): readonly Problem[] => {
    const view = observed.topics.get(name)
    if (view === undefined) return []
    const problems: Problem[] = []
    if (partitions !== undefined && partitions < view.partitions)
      problems.push({
        severity: 'Stalled',
        reason: 'PartitionsDecreased',
        message: `spec.topics[${i}].partitions: topic "${name}" has ${view.partitions} partitions and the spec asks for ${partitions}: Kafka cannot remove partitions; write ${view.partitions}, or make a new topic and move the data`,
      })
    if (replicationFactor !== undefined && replicationFactor !== view.replicationFactor)
      problems.push({
        severity: 'Stalled',
        reason: 'ReplicationFactorDiffers',
        message: `spec.topics[${i}].replicationFactor: topic "${name}" has ${view.replicationFactor} replicas and the spec asks for ${replicationFactor}: Sluice does not move replicas; reassign them with Kafka's own tool, or write ${view.replicationFactor}`,
      })
    return problems
  })
}

/** One message for all: the first conflict, and how many more there are. */
export function conflictProblems(matched: readonly Matched[]): readonly Problem[] {
  const conflicts = matched.flatMap(topic => topic.conflicts)
  const [first] = conflicts
  if (first === undefined) return []
  const { topic, key, value, other, otherValue } = first
  const others = conflicts.length === 1 ? '' : ` (and ${conflicts.length - 1} more)`
  const message = `topic "${topic}": ${key} is ${value} here and ${otherValue} in KafkaTopicPolicy ${other} of the same priority${others}; neither is applied: give one a higher spec.priority`
  return [{ severity: 'Stalled', reason: 'PolicyConflict', message }]
}
