import { anyGlob } from '../../api/glob.ts'
import type { Observed, TopicView } from '../../operator/observed.ts'
import { claimOf } from './claim.ts'
import type { Claim } from './claim.ts'
import { rivalsOf, settle } from './conflicts.ts'
import type { Conflict } from './conflicts.ts'
import type { Configs } from './desired.ts'
import type { KafkaTopicPolicy } from './resource.ts'
import { decreasesOf } from './retention.ts'
import type { Decrease } from './retention.ts'
import { namedTopics } from './selection.ts'

/** A topic that is there and that the policy is about. */
export interface Matched {
  readonly view: TopicView
  /** What this policy has a say in, once others of the same or a higher rank have been heard. */
  readonly wanted: Configs
  readonly conflicts: readonly Conflict[]
  readonly decreases: readonly Decrease[]
}

/** Topics that the policy selects and leaves to whoever sets them up: two that set one topic would set it for ever, and delete what waits in it. */
export function leftToOthers(
  policy: KafkaTopicPolicy,
  { owners = new Map() }: Observed,
): readonly (readonly [topic: string, owner: string])[] {
  const { selects } = claimOf(policy)
  return [...owners].filter(([topic]) => selects(topic))
}

/** In the order of the listing. */
export function matchedTopics(policy: KafkaTopicPolicy, observed: Observed): readonly Matched[] {
  const own = claimOf(policy)
  const rivals = rivalsOf(own, observed.siblings.map(claimOf))
  const reach = reachOf(policy, observed)
  const partitionsOf = new Map((policy.spec.topics ?? []).map(({ name, partitions }) => [name, partitions]))
  const matched: Matched[] = []
  for (const view of observed.topics.values()) {
    if (!own.selects(view.name) || !reach(view.name) || observed.owners?.has(view.name) === true) continue
    matched.push(matchTopic(own, rivals, view, Math.max(view.partitions, partitionsOf.get(view.name) ?? 0)))
  }
  return matched
}

function matchTopic(own: Claim, rivals: readonly Claim[], view: TopicView, partitions: number): Matched {
  const { configs, conflicts } = settle(own, rivals, view.name, partitions, own.wish.for(partitions))
  return { view, wanted: configs, conflicts, decreases: decreasesOf(view, configs) }
}

/** A pattern reaches as far as the connection allows; a topic named outright and not allowed is the engine's to refuse aloud. */
function reachOf({ spec }: KafkaTopicPolicy, { connection: { allowedTopics } }: Observed): (topic: string) => boolean {
  if (allowedTopics === undefined) return () => true
  const allowed = anyGlob(allowedTopics)
  const named = namedTopics(spec)
  return topic => allowed(topic) || named.has(topic)
}
