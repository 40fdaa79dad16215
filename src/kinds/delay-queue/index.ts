import type { Resource } from '../../api/resource.ts'
import type { Kind } from '../kind.ts'
import { estimateOf, subjectOf } from './cost.ts'
import { interest, plan, poolOf } from './plan.ts'
import { definition } from './resource.ts'
import type { DelayQueue } from './resource.ts'
import { worked } from './task-family.ts'
import { ownTopics, queueTopics, waitingPrefixes } from './topics.ts'

/** The engine hands a kind only resources of that kind that its schema accepts. */
const queue = (resource: Resource): DelayQueue => resource as DelayQueue

export const kind: Kind = {
  definition,
  connectionOf: resource => queue(resource).spec.connectionRef.name,
  interest: resource => interest(queue(resource)),
  poolOf: resource => poolOf(queue(resource)),
  plan: (resource, observed) => plan(queue(resource), observed),
  drains: true,
  estimate: (resource, { topics }) => estimateOf(subjectOf(queue(resource), topics)),
  deletes: resource => {
    const topics = queueTopics(queue(resource))
    // A dead letter topic that the spec names may be shared with others.
    return ownTopics(topics).filter(topic => topic !== queue(resource).spec.deadLetter?.topic)
  },
  owns: resource => [...ownTopics(queueTopics(queue(resource))), ...waitingPrefixes(queue(resource))],
  worked,
}
