import { refOf, type Resource } from '../api/resource.ts'
import type { Engine } from './engine.ts'
import type { ReconciledKind } from './kind.ts'
import { connectionNameOf } from './subjects.ts'

/** Holds a resource that goes until its topics are deleted; only where its spec asks for that. */
export const TOPICS = 'sluice.dev/topics'
/** Holds a resource that goes until nothing waits in its topics any more. */
export const DRAIN = 'sluice.dev/drain'
/** Holds a connection that goes while others still drain over it. */
export const IN_USE = 'sluice.dev/in-use'

const OURS = [DRAIN, TOPICS, IN_USE]

/** Set to "true": the resource goes at once, whatever waits. */
export const FORCE_DELETE = 'sluice.dev/force-delete'

export const isHeldBy = ({ metadata }: Pick<Resource, 'metadata'>, finalizer: string): boolean =>
  metadata.finalizers?.includes(finalizer) === true

export const isForced = ({ metadata }: Pick<Resource, 'metadata'>): boolean => metadata.annotations?.[FORCE_DELETE] === 'true'

/** Deleted, and its workers are to go on until nothing waits. */
export const isDraining = (resource: Pick<Resource, 'metadata'>): boolean =>
  resource.metadata.deletionTimestamp !== undefined && isHeldBy(resource, DRAIN) && !isForced(resource)

/** The topics that go with the resource. */
export function topicsToDelete(kind: ReconciledKind, resource: Resource): readonly string[] {
  const { deletionPolicy } = resource.spec as { readonly deletionPolicy?: string }
  return deletionPolicy === 'Delete' ? (kind.deletes?.(resource) ?? []) : []
}

/** Adds the finalizers that are needed and removes those that are not any more. */
export async function keepFinalizers(engine: Engine, kind: ReconciledKind, resource: Resource): Promise<void> {
  const { store } = engine.parts
  const wanted: readonly (readonly [finalizer: string, isWanted: boolean])[] = [
    [DRAIN, kind.drains === true],
    [TOPICS, topicsToDelete(kind, resource).length > 0],
    [IN_USE, kind.definition.kind === engine.connectionKind && usersOf(engine, resource).length > 0],
  ]
  for (const [finalizer, isWanted] of wanted) {
    if (isWanted === isHeldBy(resource, finalizer)) continue
    if (isWanted) await store.addFinalizer(refOf(resource), finalizer)
    else await store.removeFinalizer(refOf(resource), finalizer)
    if (isWanted && finalizer === DRAIN) holdConnection(engine, kind, resource)
  }
}

/** At once, not with its next probe: one command may delete both. */
function holdConnection(engine: Engine, kind: ReconciledKind, resource: Resource): void {
  const name = connectionNameOf(engine, kind, resource)
  if (name === undefined) return
  const ref = { kind: engine.connectionKind, namespace: resource.metadata.namespace, name }
  const connection = engine.parts.store.get(ref)
  if (connection !== undefined && !isHeldBy(connection, IN_USE)) engine.enqueue(ref)
}

/** The resource may go. */
export async function release(engine: Engine, resource: Resource): Promise<void> {
  for (const finalizer of OURS) if (isHeldBy(resource, finalizer)) await engine.parts.store.removeFinalizer(refOf(resource), finalizer)
}

/** Resources that drain over the connection, or will when they are deleted. */
export function usersOf(engine: Engine, connection: Resource): readonly Resource[] {
  const { name, namespace } = connection.metadata
  return [...engine.kinds.values()]
    .filter(kind => kind.drains === true)
    .flatMap(kind =>
      engine.parts.store
        .list(kind.definition.kind)
        .filter(
          resource =>
            resource.metadata.namespace === namespace &&
            isHeldBy(resource, DRAIN) &&
            !isForced(resource) &&
            connectionNameOf(engine, kind, resource) === name,
        ),
    )
}
