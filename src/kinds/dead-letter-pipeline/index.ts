import type { Resource } from '../../api/resource.ts'
import type { Kind } from '../kind.ts'
import { interest, plan, readings } from './plan.ts'
import { definition } from './resource.ts'
import type { DeadLetterPipeline } from './resource.ts'
import { worked } from './task-family.ts'
import { allTopics, bookTopics, pipelineTopics, taskTopics, tierPrefix, waitingTopics } from './topics.ts'

/** The engine hands a kind only resources of that kind that its schema accepts. */
const pipeline = (resource: Resource): DeadLetterPipeline => resource as DeadLetterPipeline

export const kind: Kind = {
  definition,
  connectionOf: resource => pipeline(resource).spec.connectionRef.name,
  interest: resource => interest(pipeline(resource)),
  readings: resource => readings(pipeline(resource)),
  plan: (resource, observed) => plan(pipeline(resource), observed),
  drains: true,
  deletes: resource => {
    const topics = pipelineTopics(pipeline(resource))
    // A dead letter topic that the spec names may be shared with others.
    return [
      ...taskTopics(topics),
      ...bookTopics(topics),
      ...waitingTopics(topics),
      ...(pipeline(resource).spec.deadLetter?.topic === undefined ? [topics.deadLetter] : []),
    ]
  },
  owns: resource => [...allTopics(pipelineTopics(pipeline(resource))), tierPrefix(pipeline(resource))],
  worked,
}
