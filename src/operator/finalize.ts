import { refKey, refOf, type Resource } from '../api/resource.ts'
import { mayWrite, nameTopics } from './allow-list.ts'
import { applyChanges } from './apply.ts'
import { topicOf } from './diff.ts'
import { announceAbandoned } from './drain.ts'
import type { Engine } from './engine.ts'
import { DRAIN, isHeldBy, release, TOPICS, topicsToDelete } from './holds.ts'
import type { ReconciledKind } from './kind.ts'
import { poolKeyOf } from './pools.ts'
import type { StatusPatch } from './ports.ts'
import { StatusReport } from './status.ts'

export type Finalized = { readonly done: true } | { readonly done: false; readonly patch: StatusPatch }

/**
 * Lets a resource go that nothing waits in any more: workers first so that nothing writes to its topics, then the topics where its spec says so. Attempts are
 * bounded: brokers that stay away must not wedge a namespace, so at last the resource is let go with an Event that names what was left behind.
 * @param abandoned why it goes although something may still wait in it: its topics stay then, whatever its spec says
 */
export async function finalize(
  engine: Engine,
  kind: ReconciledKind,
  resource: Resource,
  abandoned: string | undefined,
): Promise<Finalized> {
  const { workers, events, clock } = engine.parts
  const ref = refOf(resource)
  if (!isHeldBy(resource, TOPICS) && !isHeldBy(resource, DRAIN)) return { done: true }
  const pool = poolKeyOf(engine, kind, resource)
  if (pool === undefined) await workers.remove(ref)
  else await engine.pools.leave(engine, ref, pool)
  if (abandoned !== undefined) announceAbandoned(engine, resource, kind.deletes?.(resource) ?? [], abandoned)
  const obstacle = abandoned === undefined ? await deleteTopics(engine, kind, resource) : undefined
  const remembered = engine.memory.of(resource)
  if (obstacle !== undefined && ++remembered.deletionAttempts < engine.options.deletionAttempts) {
    const left = engine.options.deletionAttempts - remembered.deletionAttempts
    return {
      done: false,
      patch: new StatusReport(resource, clock.now()).deleting(`${obstacle}; ${left} more attempts before it is let go`),
    }
  }
  if (obstacle !== undefined) {
    const topics = nameTopics(topicsToDelete(kind, resource))
    events.emit(resource, 'Warning', 'LeftBehind', `Gone, but ${topics} may still exist: ${obstacle}. Delete by hand what is not needed.`)
  }
  await release(engine, resource)
  return { done: true }
}

/** What kept the topics from being deleted; undefined when they are gone. */
async function deleteTopics(engine: Engine, kind: ReconciledKind, resource: Resource): Promise<string | undefined> {
  const topics = topicsToDelete(kind, resource)
  if (topics.length === 0) return undefined
  const ref = { kind: engine.connectionKind, namespace: resource.metadata.namespace, name: kind.connectionOf(resource) ?? '' }
  const connectionResource = engine.parts.store.get(ref)
  if (connectionResource === undefined) return `KafkaConnection "${ref.name}" does not exist`
  const probe = await engine.connections.lastProbe(connectionResource)
  const connection = engine.connections.live(ref)
  if (!probe.ok || connection === undefined)
    return `the brokers of KafkaConnection "${ref.name}" do not answer${probe.ok ? '' : `: ${probe.message}`}`
  const refused = topics.filter(topic => !mayWrite(engine.connections.view(connectionResource))(topic))
  if (refused.length > 0) return `${nameTopics(refused)} must not be deleted: outside spec.allowedTopics of KafkaConnection "${ref.name}"`
  try {
    const existing = await connection.admin.describeTopics(topics)
    const { done, failed } = await applyChanges(
      connection.admin,
      [...existing.keys()].map(topic => ({ type: 'deleteTopic', topic })),
    )
    connection.observer.written(topics)
    engine.metrics.changed(done)
    if (done.length > 0)
      engine.parts.events.emit(resource, 'Normal', 'TopicsDeleted', `Deleted ${nameTopics(done.map(change => topicOf(change) ?? ''))}`)
    return failed[0]?.error.message
  } catch (error) {
    engine.parts.logger.warn({ err: error, resource: refKey(refOf(resource)) }, 'Deleting topics failed')
    return error instanceof Error ? error.message : String(error)
  }
}
