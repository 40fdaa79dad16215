import { refKey, type Resource, type ResourceRef } from '../api/resource.ts'
import type { Engine } from './engine.ts'
import type { TopicView } from './observed.ts'
import type { ReconciledKind } from './kind.ts'
import { connectionNameOf } from './subjects.ts'

/** A resource never changes in place: what it owns holds for as long as the object lives. */
const known = new WeakMap<Resource, readonly string[]>()

/**
 * Who sets up a topic, of those that are seen: kind, namespace and name, by topic. A resource that rests or goes still has its topics: what waits in them is to be
 * delivered yet.
 */
export function ownersOf(engine: Engine, topics: ReadonlyMap<string, TopicView>, connection: ResourceRef): ReadonlyMap<string, string> {
  const claims = claimsOn(engine, connection)
  const owners = new Map<string, string>()
  if (claims.size === 0) return owners
  for (const topic of topics.keys()) {
    const owner = claims.get(topic) ?? claims.get(topic.slice(0, topic.lastIndexOf('.') + 1))
    if (owner !== undefined) owners.set(topic, owner)
  }
  return owners
}

function claimsOn(engine: Engine, connection: ResourceRef): ReadonlyMap<string, string> {
  const claims = new Map<string, string>()
  for (const kind of engine.kinds.values()) {
    if (kind.owns === undefined) continue
    for (const resource of engine.parts.store.list(kind.definition.kind)) {
      if (!isOn(engine, kind, resource, connection)) continue
      const { namespace, name } = resource.metadata
      for (const topic of ownedBy(engine, kind, resource)) claims.set(topic, `${resource.kind} ${namespace}/${name}`)
    }
  }
  return claims
}

function isOn(engine: Engine, kind: ReconciledKind, resource: Resource, connection: ResourceRef): boolean {
  const ref = { ...connection, namespace: resource.metadata.namespace, name: connectionNameOf(engine, kind, resource) ?? '' }
  if (refKey(ref) === refKey(connection)) return true
  const cluster = engine.connections.clusterId(connection)
  return cluster !== undefined && engine.connections.clusterId(ref) === cluster
}

function ownedBy(engine: Engine, kind: ReconciledKind, resource: Resource): readonly string[] {
  const before = known.get(resource)
  if (before !== undefined) return before
  const owned = engine.violationsOf(kind, resource).length > 0 ? [] : (kind.owns?.(resource) ?? [])
  known.set(resource, owned)
  return owned
}
