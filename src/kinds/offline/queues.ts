import { topicName } from '../../api/topic-name.ts'
import type { DelayQueue } from '../delay-queue/resource.ts'
import { error, isKind } from './finding.ts'
import type { OfflineCheck } from './finding.ts'

const inputOf = ({ metadata, spec }: DelayQueue): string => topicName(metadata, spec.topicPrefix, 'in')

/** A queue that delivers into itself delays its messages for ever. */
export const queueLeavesItself: OfflineCheck = resource => {
  if (!isKind(resource, 'DelayQueue')) return []
  const queue = resource as DelayQueue
  const own = inputOf(queue).slice(0, -'in'.length)
  const roles = /^(in|journal|ids|dlq|(fixed|tier)\..+)$/
  const target = queue.spec.target?.topic
  if (target === undefined || !target.startsWith(own) || !roles.test(target.slice(own.length))) return []
  return [error(queue, 'spec.target.topic', `${target} is a topic of this queue itself: choose a topic that an application reads`)]
}

/** Two queues that share their topics would deliver each other's messages. */
export const queuesKeepApart: OfflineCheck = (resource, all) => {
  if (!isKind(resource, 'DelayQueue')) return []
  const queue = resource as DelayQueue
  const earlier = all.slice(0, all.indexOf(resource)).filter(other => isKind(other, 'DelayQueue')) as readonly DelayQueue[]
  return earlier
    .filter(other => inputOf(other) === inputOf(queue) && other.spec.connectionRef.name === queue.spec.connectionRef.name)
    .map(other =>
      error(
        queue,
        'spec.topicPrefix',
        `DelayQueue ${other.metadata.namespace}/${other.metadata.name} has the same topics (${inputOf(queue)}): choose another prefix`,
      ),
    )
}
