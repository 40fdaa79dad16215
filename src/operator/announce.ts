import type { Condition, Resource } from '../api/resource.ts'
import { nameTopics } from './allow-list.ts'
import { topicOf } from './diff.ts'
import type { Change } from './plan.ts'
import type { EventSink, StatusPatch } from './ports.ts'

/** Tells what was changed on the cluster, one Event per kind of change. A change to a resource that was as it should be is drift, reverted. */
export function announceChanges(events: EventSink, about: Resource, done: readonly Change[]): void {
  const say = (reason: Parameters<EventSink['emit']>[2], verb: string, changes: readonly Change[]) => {
    const topics = [...new Set(changes.map(change => topicOf(change) ?? ''))]
    if (topics.length > 0) events.emit(about, 'Normal', reason, `${verb} ${nameTopics(topics)}${detail(changes)}`)
  }
  say(
    'TopicCreated',
    'Created',
    done.filter(({ type }) => type === 'createTopic'),
  )
  say(
    'PartitionsAdded',
    'Added partitions to',
    done.filter(({ type }) => type === 'addPartitions'),
  )
  const configs = done.filter(({ type }) => type === 'setConfig' || type === 'deleteConfig')
  if (!isReady(about)) say('ConfigChanged', 'Changed configs of', configs)
  // Somebody has done this, and may do it again.
  else if (configs.length > 0) events.emit(about, 'Warning', 'DriftReverted', reverted(configs))
  say(
    'TopicsDeleted',
    'Deleted',
    done.filter(({ type }) => type === 'deleteTopic'),
  )
}

const TOLD = 5

/** What was found and what it is again, topic by topic. */
function reverted(configs: readonly Change[]): string {
  const told = configs.slice(0, TOLD).flatMap(change => {
    if (change.type === 'setConfig') return [`${change.key} of topic "${change.topic}" from ${change.from ?? '(not told)'} to ${change.to}`]
    if (change.type === 'deleteConfig')
      return [`${change.key} of topic "${change.topic}" from ${change.from ?? '(not told)'} to the default`]
    return []
  })
  const more = configs.length - told.length
  return `Set back what differed: ${told.join(', ')}${more === 0 ? '' : ` and ${more} more`}`
}

/** One change is told in full. */
function detail(changes: readonly Change[]): string {
  const [only] = changes
  if (changes.length !== 1 || only === undefined) return ''
  if (only.type === 'setConfig') return `: ${only.key} ${only.from ?? '(unset)'} -> ${only.to}`
  if (only.type === 'addPartitions') return `: ${only.from} -> ${only.to}`
  return ''
}

/** Not ready because somebody wants it so. */
const CALM: ReadonlySet<string> = new Set(['Suspended', 'Draining'])

/** Ready for the spec that it has now. */
export function isReady({ status, metadata }: Resource): boolean {
  const ready = readyOf(status?.conditions)
  return ready?.status === 'True' && ready.observedGeneration === metadata.generation
}

/** Tells when readiness changes, in either direction; the first "not known yet" is no news. */
export function announceStatus(events: EventSink, about: Resource, patch: StatusPatch): void {
  const before = readyOf(about.status?.conditions)
  const after = readyOf(patch.conditions)
  if (after === undefined || after.status === 'Unknown') return
  if (before?.status === after.status && before.reason === after.reason) return
  if (after.reason === 'Reconciling') return
  events.emit(about, after.status === 'True' || CALM.has(after.reason) ? 'Normal' : 'Warning', after.reason, after.message)
}

const readyOf = (conditions: readonly Condition[] | undefined) => conditions?.find(({ type }) => type === 'Ready')
