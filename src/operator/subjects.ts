import type { Resource } from '../api/resource.ts'
import type { Engine } from './engine.ts'
import type { ReconciledKind } from './kind.ts'

/** The resource that another one is about; undefined where it does not exist, or the kind has no such thing. */
export function subjectOf({ parts }: Pick<Engine, 'parts'>, kind: ReconciledKind, resource: Resource): Resource | undefined {
  const wanted = kind.subjectOf?.(resource)
  return wanted && parts.store.get({ ...wanted, namespace: resource.metadata.namespace })
}

/** Name of the connection of a resource: its own, or that of what it is about. */
export function connectionNameOf(engine: Pick<Engine, 'parts' | 'kinds'>, kind: ReconciledKind, resource: Resource): string | undefined {
  const subject = subjectOf(engine, kind, resource)
  return subject === undefined ? kind.connectionOf(resource) : engine.kinds.get(subject.kind)?.connectionOf(subject)
}
