import { refKey, refOf, type Resource, type ResourceRef } from '../api/resource.ts'
import type { LiveConnection } from './connections.ts'
import type { Engine } from './engine.ts'
import { isDraining } from './holds.ts'
import type { ReconciledKind } from './kind.ts'
import type { Observed } from './observed.ts'
import { ownersOf } from './owners.ts'
import type { Problem } from './plan.ts'
import { read } from './readings.ts'
import { connectionNameOf, subjectOf } from './subjects.ts'

/** What stands between a resource and its cluster, or everything that its plan may look at. */
export type Gathered =
  | { readonly ok: false; readonly problem: Problem }
  | { readonly ok: true; readonly observed: Observed; readonly connection: LiveConnection }

/** Reads; never writes. `maxAgeMs`: how old a listing of the cluster may be. Rejects with `KafkaError` when the brokers fail in between. */
export async function gather(engine: Engine, kind: ReconciledKind, resource: Resource, maxAgeMs: number): Promise<Gathered> {
  const subject = subjectOf(engine, kind, resource)
  const wanted = kind.subjectOf?.(resource)
  if (wanted !== undefined && subject === undefined) {
    const { namespace } = resource.metadata
    return { ok: false, problem: notReady('SubjectNotFound', `${wanted.kind} "${wanted.name}" does not exist in namespace "${namespace}"`) }
  }
  const name = connectionNameOf(engine, kind, resource) ?? ''
  const ref: ResourceRef = { kind: engine.connectionKind, namespace: resource.metadata.namespace, name }
  const found = await usableConnection(engine, ref)
  if ('severity' in found) return { ok: false, problem: found }
  const { connection, resource: connectionResource } = found
  const sight = await connection.observer.observe(refKey(refOf(resource)), kind.interest(resource, subject), maxAgeMs)
  const workers = await engine.parts.workers.view(refOf(resource))
  const observed: Observed = {
    now: engine.parts.clock.now(),
    connection: engine.connections.view(connectionResource),
    ...sight,
    siblings: siblingsOf(engine, kind, resource, ref),
    ...(subject && { subject }),
    ...(workers && { workers }),
    ...(kind.yields && { owners: ownersOf(engine, sight.topics, ref) }),
    answers: new Map(),
  }
  const reading = kind.readings?.(resource, observed)
  if (reading !== undefined) return { ok: true, observed: { ...observed, readings: await read(connection.admin, reading) }, connection }
  return { ok: true, observed: { ...observed, ...(await followUp(kind, resource, observed, connection)) }, connection }
}

/** What a kind wants to know besides, now that the topics are known. */
async function followUp(
  kind: ReconciledKind,
  resource: Resource,
  observed: Observed,
  { observer }: LiveConnection,
): Promise<Partial<Observed>> {
  const questions = kind.questions?.(resource, observed) ?? []
  const sampled = kind.samples?.(resource, observed) ?? []
  return {
    ...(questions.length > 0 && { answers: await observer.estimate(questions) }),
    ...(sampled.length > 0 && { keys: await observer.sampleKeys(sampled) }),
  }
}

async function usableConnection(
  engine: Engine,
  ref: ResourceRef,
): Promise<Problem | { readonly connection: LiveConnection; readonly resource: Resource }> {
  const resource = engine.parts.store.get(ref)
  const name = `KafkaConnection "${ref.name}"`
  if (resource === undefined)
    return notReady(
      'ConnectionNotFound',
      `${name} does not exist in namespace "${ref.namespace}"; create it or correct spec.connectionRef.name`,
    )
  if ((resource.spec as { readonly suspend?: boolean }).suspend === true)
    return notReady('ConnectionNotReady', `${name} is suspended; remove its spec.suspend`)
  const kind = engine.kinds.get(ref.kind)
  const [violation] = kind === undefined ? [] : engine.violationsOf(kind, resource)
  if (violation !== undefined) return notReady('ConnectionNotReady', `${name} is invalid: ${violation.field}: ${violation.message}`)
  const probe = await engine.connections.lastProbe(resource)
  if (!probe.ok) return notReady('ConnectionNotReady', `${name} is not ready: ${probe.message}; see its conditions`)
  const connection = engine.connections.live(ref)
  return connection === undefined ? notReady('ConnectionNotReady', `${name} is being connected`) : { connection, resource }
}

const notReady = (reason: Problem['reason'], message: string): Problem => ({ severity: 'NotReady', reason, message })

/** Others of the same kind on the same cluster that act on it: not those that are gone but for their topics, rest or are invalid. In the store's order: namespace, name. */
function siblingsOf(engine: Engine, kind: ReconciledKind, resource: Resource, own: ResourceRef): readonly Resource[] {
  const cluster = engine.connections.clusterId(own)
  const sameCluster = (other: Resource): boolean => {
    const ref = { ...own, namespace: other.metadata.namespace, name: connectionNameOf(engine, kind, other) ?? '' }
    return refKey(ref) === refKey(own) || (cluster !== undefined && engine.connections.clusterId(ref) === cluster)
  }
  const key = refKey(refOf(resource))
  return engine.parts.store
    .list(resource.kind)
    .filter(other => refKey(refOf(other)) !== key && isActive(other) && engine.violationsOf(kind, other).length === 0 && sameCluster(other))
}

const isActive = (resource: Resource): boolean =>
  isDraining(resource) ||
  (resource.metadata.deletionTimestamp === undefined && (resource.spec as { readonly suspend?: boolean }).suspend !== true)
