import { anyGlob } from '../../api/glob.ts'
import { isInternalTopic } from '../../api/topic-name.ts'
import type { TopicMatcher } from '../../operator/plan.ts'
import type { KafkaTopicPolicySpec } from './resource.ts'

/** Topics that the spec names one by one, whether they exist or not. */
export const namedTopics = ({ selector, topics }: KafkaTopicPolicySpec): ReadonlySet<string> =>
  new Set([...(topics ?? []).map(({ name }) => name), ...(selector?.names ?? [])])

/** Whether the policy is about a topic. Internal topics never match; `exclude` takes away from the selector, not from `topics`. */
export function selection({ selector, topics }: KafkaTopicPolicySpec): TopicMatcher {
  const created = new Set((topics ?? []).map(({ name }) => name))
  const names = new Set(selector?.names ?? [])
  const prefixes = selector?.prefixes ?? []
  const matches = anyGlob(selector?.patterns ?? [])
  const excluded = anyGlob(selector?.exclude ?? [])
  const selects = (topic: string): boolean =>
    selector?.all === true || names.has(topic) || prefixes.some(prefix => topic.startsWith(prefix)) || matches(topic)
  return topic => !isInternalTopic(topic) && (created.has(topic) || (selects(topic) && !excluded(topic)))
}
