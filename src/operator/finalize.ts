import { refKey, refOf, type Resource } from '../api/resource.ts'
import { mayWrite, nameTopics } from './allow-list.ts'
import { applyChanges } from './apply.ts'
import { topicOf } from './diff.ts'
import type { Engine } from './engine.ts'
import type { ReconciledKind } from './kind.ts'
import { poolKeyOf } from './pools.ts'
import type { StatusPatch } from './ports.ts'
import { StatusReport } from './status.ts'

/** Holds a resource that goes until its topics are deleted; only where its spec asks for that. */
export const FINALIZER = 'sluice.dev/topics'

export const isHeld = ({ metadata }: Resource): boolean => metadata.finalizers?.includes(FINALIZER) === true

/** The topics that go with the resource. */
export function topicsToDelete(kind: ReconciledKind, resource: Resource): readonly string[] {
  const { deletionPolicy } = resource.spec as { readonly deletionPolicy?: string }
  return deletionPolicy === 'Delete' ? (kind.deletes?.(resource) ?? []) : []
}

/** Adds the finalizer where it is needed and removes it where it is not any more; answers whether it wrote. */
export async function keepFinalizer(engine: Engine, kind: ReconciledKind, resource: Resource): Promise<void> {
  const wanted = topicsToDelete(kind, resource).length > 0
  if (wanted === isHeld(resource)) return
  if (wanted) await engine.parts.store.addFinalizer(refOf(resource), FINALIZER)
  else await engine.parts.store.removeFinalizer(refOf(resource), FINALIZER)
}

export type Finalized = { readonly done: true } | { readonly done: false; readonly patch: StatusPatch }

/**
 * Deletes the topics of a resource that goes, workers first so that nothing writes to them. Attempts are bounded: brokers that stay away
 * must not wedge a namespace, so at last the resource is let go with an Event that names what was left behind.
 */
export async function finalize(engine: Engine, kind: ReconciledKind, resource: Resource): Promise<Finalized> {
  const { store, workers, events, clock } = engine.parts
  const ref = refOf(resource)
  if (!isHeld(resource)) return { done: true }
  const pool = poolKeyOf(engine, kind, resource)
  if (pool === undefined) await workers.remove(ref)
  else await engine.pools.leave(engine, ref, pool)
  const obstacle = await deleteTopics(engine, kind, resource)
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
  await store.removeFinalizer(ref, FINALIZER)
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
