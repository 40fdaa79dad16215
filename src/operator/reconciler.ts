import { refKey, refOf, type Resource, type ResourceRef } from '../api/resource.ts'
import { KafkaError } from '../kafka/errors.ts'
import { announceStatus } from './announce.ts'
import type { ConnectionSpec } from './connection-settings.ts'
import { objectName } from './contracts.ts'
import { converge, LISTING_FRESH_MS } from './converge.ts'
import type { Engine, Result } from './engine.ts'
import { drain } from './drain.ts'
import { finalize } from './finalize.ts'
import { IN_USE, isDraining, isHeldBy, keepFinalizers, release, usersOf } from './holds.ts'
import type { ReconciledKind } from './kind.ts'
import { askedBy } from './memory.ts'
import type { StatusPatch } from './ports.ts'
import { saysTheSame, StatusReport } from './status.ts'
import { connectionNameOf } from './subjects.ts'

/** What a look at a resource came to. `failed` is for metrics; the status has been written already. */
export interface Outcome extends Result {
  readonly failed?: boolean
}

/**
 * Key in, when to look again out. Never rejects: whatever happens ends in the status of the resource. Level based: it asks what is, never
 * what happened.
 */
export async function reconcile(engine: Engine, ref: ResourceRef): Promise<Outcome> {
  const kind = engine.kinds.get(ref.kind)
  const stored = engine.parts.store.get(ref)
  if (kind === undefined) return {}
  try {
    if (stored === undefined) return await forget(engine, kind, ref)
    engine.memory.of(stored).asked = askedBy(stored)
    return await reconcileStored(engine, kind, engine.memory.latest(stored))
  } catch (error) {
    return fail(engine, kind, ref, error)
  }
}

async function reconcileStored(engine: Engine, kind: ReconciledKind, resource: Resource): Promise<Outcome> {
  const report = () => new StatusReport(resource, engine.parts.clock.now())
  const isConnection = kind.definition.kind === engine.connectionKind
  if (resource.metadata.deletionTimestamp !== undefined)
    return isConnection ? partWithConnection(engine, resource) : goodbye(engine, kind, resource)
  if ((resource.spec as { readonly suspend?: boolean }).suspend === true && kind.plansSuspended !== true) {
    if (isConnection) await withdraw(engine, resource, 'suspended')
    return save(engine, resource, report().suspended(), {})
  }
  const violations = engine.violationsOf(kind, resource)
  if (violations.length > 0) {
    if (isConnection) await withdraw(engine, resource, 'invalid')
    const message = violations.map(violation => `${violation.field}: ${violation.message}`).join('; ')
    return save(engine, resource, report().stalled('InvalidSpec', message), {})
  }
  const isNews = resource.status?.observedGeneration !== resource.metadata.generation
  if (isNews) engine.memory.of(resource).changedAtMs = engine.parts.clock.monotonicMs()
  const seen = resource.status?.conditions === undefined ? await greet(engine, resource) : resource
  await keepFinalizers(engine, kind, seen)
  if (isConnection) return reconcileConnection(engine, kind, seen)
  const { patch, result } = await converge(engine, kind, seen)
  return save(engine, seen, patch, isNews ? soon(result) : result)
}

/** The listing may be from before the change: topics that were made for the resource show in the next one. */
const soon = ({ requeueAfterMs = LISTING_FRESH_MS, ...result }: Result): Result => ({
  ...result,
  requeueAfterMs: Math.min(requeueAfterMs, LISTING_FRESH_MS),
})

/** Conditions on first sight; what follows builds on them. */
async function greet(engine: Engine, resource: Resource): Promise<Resource> {
  await save(engine, resource, new StatusReport(resource, engine.parts.clock.now()).firstSight(), {})
  return engine.memory.latest(resource)
}

/** A connection is what its probe says; those that depend on it look again when that changes. */
async function reconcileConnection(engine: Engine, kind: ReconciledKind, resource: Resource): Promise<Outcome> {
  const probe = await engine.connections.probe(resource)
  const connection = engine.connections.view(resource)
  const empty = { topics: new Map(), vanishing: new Set<string>(), siblings: [], answers: new Map() }
  const plan = kind.plan(resource, { now: engine.parts.clock.now(), connection, ...empty })
  const message = probe.ok ? `Brokers that answer: ${probe.cluster.brokers.length}.` : ''
  const patch = new StatusReport(resource, engine.parts.clock.now()).found({
    problems: plan.problems,
    fields: plan.status,
    parts: [],
    gone: [],
    well: { reason: 'Connected', message },
  })
  const live = engine.connections.live(refOf(resource))
  const { defaults, allowedTopics } = resource.spec as ConnectionSpec
  const shown = [
    probe.ok,
    probe.ok ? probe.cluster.clusterId : probe.code,
    live?.resolved.fingerprint,
    live?.secretsHash,
    defaults,
    allowedTopics,
  ]
  show(engine, resource, JSON.stringify(shown))
  return save(engine, resource, patch, { requeueAfterMs: probe.ok ? engine.options.probeIntervalMs : engine.options.probeRetryMs })
}

async function withdraw(engine: Engine, resource: Resource, why: string): Promise<void> {
  await engine.connections.drop(refOf(resource))
  show(engine, resource, why)
}

function show(engine: Engine, resource: Resource, shown: string): void {
  const remembered = engine.memory.of(resource)
  if (remembered.shown === shown) return
  remembered.shown = shown
  wakeDependants(engine, refOf(resource))
}

function wakeDependants(engine: Engine, { namespace, name }: ResourceRef): void {
  for (const kind of engine.kinds.values())
    for (const resource of engine.parts.store.list(kind.definition.kind))
      if (resource.metadata.namespace === namespace && connectionNameOf(engine, kind, resource) === name) engine.enqueue(refOf(resource))
}

async function goodbye(engine: Engine, kind: ReconciledKind, resource: Resource): Promise<Outcome> {
  const drained = await drain(engine, kind, resource)
  if (!drained.over) return save(engine, resource, drained.patch, drained.result)
  const finalized = await finalize(engine, kind, resource, drained.abandoned)
  return finalized.done ? {} : save(engine, resource, finalized.patch, { retry: true })
}

/** Those who drain need it to the end; those who were not deleted yet may be the next that the same command deletes. */
async function partWithConnection(engine: Engine, resource: Resource): Promise<Outcome> {
  if (!isHeldBy(resource, IN_USE)) return {}
  const { clock, store } = engine.parts
  const users = usersOf(engine, resource)
  const draining = users.filter(isDraining)
  const graceMs = Date.parse(resource.metadata.deletionTimestamp ?? '') + engine.options.connectionGraceMs - clock.now()
  const isNeeded = draining.length > 0 || (users.length > 0 && graceMs > 0)
  if (!isNeeded || (await store.namespaceGoes(resource.metadata.namespace))) {
    await release(engine, resource)
    return {}
  }
  const probe = await engine.connections.probe(resource)
  const names = (draining.length > 0 ? draining : users).map(({ kind, metadata }) => `${kind} "${metadata.name}"`)
  const shown = `${names.slice(0, MOST_NAMED).join(', ')}${names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : ''}`
  const why =
    draining.length > 0 ? `${shown} must run empty first, and does so over this connection` : `${shown} works over this connection still`
  const patch = new StatusReport(resource, clock.now()).deleting(probe.ok ? why : `${why}, whose brokers do not answer: ${probe.message}`)
  return save(engine, resource, patch, { requeueAfterMs: engine.options.probeRetryMs })
}

const MOST_NAMED = 5

/** The resource is gone: so is everything that was kept for it. */
async function forget(engine: Engine, kind: ReconciledKind, ref: ResourceRef): Promise<Outcome> {
  engine.connections.forgetInterest(refKey(ref))
  const remembered = engine.memory.take(ref)
  if (ref.kind === engine.connectionKind) {
    await engine.connections.drop(ref)
    wakeDependants(engine, ref)
  }
  if (remembered?.pool !== undefined) await engine.pools.leave(engine, ref, remembered.pool)
  if (remembered?.deployed === true) await engine.parts.workers.remove(ref)
  if (remembered?.alerted === true) await engine.parts.alerts.remove(ref, objectName(kind.definition, ref.name))
  return {}
}

async function save(engine: Engine, resource: Resource, patch: StatusPatch, result: Result): Promise<Outcome> {
  if (saysTheSame(resource, patch)) return result
  const answer = await engine.parts.store.writeStatus(refOf(resource), patch)
  if (answer === 'conflict') return { retry: true }
  if (answer === 'gone') return {}
  engine.memory.of(resource).written = patch
  announceStatus(engine.parts.events, resource, patch)
  return result
}

/** Outside errors are told as what they are; anything else is a bug, and says so. */
async function fail(engine: Engine, kind: ReconciledKind, ref: ResourceRef, error: unknown): Promise<Outcome> {
  const { logger, store, clock } = engine.parts
  const expected = isOutside(error)
  if (expected) logger.warn({ err: error, resource: refKey(ref) }, 'Reconcile failed, trying again')
  else {
    logger.error({ err: error, resource: refKey(ref) }, 'Reconcile met a bug')
    engine.metrics.panicked(ref.kind)
  }
  if (error instanceof KafkaError) lookAtConnection(engine, kind, ref)
  const stored = store.get(ref)
  if (stored === undefined) return { retry: true, failed: true }
  const resource = engine.memory.latest(stored)
  const report = new StatusReport(resource, clock.now())
  const message = error instanceof Error ? error.message : String(error)
  const patch = expected
    ? outsideFailure(report, error, message)
    : report.notReady('InternalError', `${message}; see the operator's log and report it`)
  try {
    await save(engine, resource, patch, {})
  } catch (second) {
    logger.warn({ err: second, resource: refKey(ref) }, 'Writing the status failed')
  }
  return { retry: true, failed: true }
}

function outsideFailure(report: StatusReport, error: unknown, message: string): StatusPatch {
  if (!(error instanceof KafkaError)) return report.notReady('Reconciling', `${message}; trying again`)
  if (error.code === 'AuthorizationFailed')
    return report.notReady('AuthorizationFailed', `${message}; grant the operator's principal the missing ACL`)
  return report.notReady('ConnectionNotReady', `${message}; trying again`)
}

function lookAtConnection(engine: Engine, kind: ReconciledKind, ref: ResourceRef): void {
  const resource = engine.parts.store.get(ref)
  const name = resource && connectionNameOf(engine, kind, resource)
  if (name !== undefined) engine.enqueue({ kind: engine.connectionKind, namespace: ref.namespace, name })
}

/** Errors that an adapter wrapped carry `retriable`. */
const isOutside = (error: unknown): boolean => error instanceof Error && 'retriable' in error
