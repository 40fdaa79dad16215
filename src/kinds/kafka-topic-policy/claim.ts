import type { Resource } from '../../api/resource.ts'
import type { TopicMatcher } from '../../operator/plan.ts'
import { wishOf } from './desired.ts'
import type { Wish } from './desired.ts'
import type { KafkaTopicPolicy } from './resource.ts'
import { selection } from './selection.ts'

export const DEFAULT_PRIORITY = 100

/** A policy reduced to what counts where several meet on one topic. */
export interface Claim {
  /** `namespace/name`, for messages. */
  readonly by: string
  readonly priority: number
  readonly enforces: boolean
  readonly selects: TopicMatcher
  readonly wish: Wish
}

/** The engine hands over the same spec object until it changes: what was worked out for it is kept that long. */
const known = new WeakMap<object, Claim>()

export function claimOf(resource: Resource): Claim {
  const { spec, metadata } = resource as KafkaTopicPolicy
  const before = known.get(spec)
  if (before !== undefined) return before
  const claim: Claim = {
    by: `${metadata.namespace}/${metadata.name}`,
    priority: spec.priority ?? DEFAULT_PRIORITY,
    enforces: spec.mode !== 'Observe',
    selects: selection(spec),
    wish: wishOf(spec),
  }
  known.set(spec, claim)
  return claim
}
