import type { Resource } from '../../api/resource.ts'
import type { Kind } from '../kind.ts'
import { interest, plan, questions, samples } from './plan.ts'
import { definition } from './resource.ts'
import type { KafkaTopicPolicy } from './resource.ts'

/** The engine hands a kind only resources of that kind that its schema accepts. */
const policy = (resource: Resource): KafkaTopicPolicy => resource as KafkaTopicPolicy

export const kind: Kind = {
  definition,
  connectionOf: resource => policy(resource).spec.connectionRef.name,
  interest: resource => interest(policy(resource)),
  questions: (resource, observed) => questions(policy(resource), observed),
  samples: (resource, observed) => samples(policy(resource), observed),
  plan: (resource, observed) => plan(policy(resource), observed),
  yields: true,
  // Only what the policy itself would create: a selector may match what belongs to others.
  deletes: resource => (policy(resource).spec.topics ?? []).map(({ name }) => name),
}
