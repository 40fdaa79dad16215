import type { Resource } from '../api/resource.ts'
import { judgeTopics, nameTopics } from './allow-list.ts'
import { announceChanges, isReady } from './announce.ts'
import { applyChanges, type Applied } from './apply.ts'
import type { Verdict } from './conditions.ts'
import type { LiveConnection } from './connections.ts'
import { bringAlerts, bringWorkers } from './deploy.ts'
import { diffTopics, topicOf } from './diff.ts'
import type { Engine, Result } from './engine.ts'
import { gather } from './gather.ts'
import type { ReconciledKind } from './kind.ts'
import { withStatus } from './memory.ts'
import type { Change, Plan, Problem } from './plan.ts'
import type { StatusPatch } from './ports.ts'
import { StatusReport } from './status.ts'

/** A listing this old is fresh enough for the first look at a spec: thousands may change at once. */
export const LISTING_FRESH_MS = 2_000
/** A listing may be missed by one resync: the cycle after it makes a new one. */
const LISTING_AGE_RATIO = 0.5
const VANISHING_RETRY_MS = 2_000
const WORKERS_RETRY_MS = 5_000

/** One look: what the kind wants, what that would change, and what stands in its way. */
export interface Look {
  readonly plan: Plan
  readonly changes: readonly Change[]
  readonly problems: readonly Problem[]
  readonly vanishing: ReadonlySet<string>
  /** Topics that exist. */
  readonly seen: ReadonlySet<string>
  readonly connection: LiveConnection
}

/** Reads and thinks, writes nothing; answers a problem where there is nothing to see. */
export async function look(engine: Engine, kind: ReconciledKind, resource: Resource, maxAgeMs: number): Promise<Look | Problem> {
  const gathered = await gather(engine, kind, resource, maxAgeMs)
  if (!gathered.ok) return gathered.problem
  const { observed, connection } = gathered
  const plan = kind.plan(resource, observed)
  const judged = judgeTopics(plan.topics.filter(writes), observed.connection)
  const changes = diffTopics(judged.allowed, observed)
  return {
    plan,
    // A topic that somebody deleted is not made again for a resource that goes.
    changes: resource.metadata.deletionTimestamp === undefined ? changes : changes.filter(({ type }) => type !== 'createTopic'),
    problems: [...plan.problems, ...judged.problems],
    vanishing: observed.vanishing,
    seen: new Set(observed.topics.keys()),
    connection,
  }
}

const writes = ({ create, partitions, configs }: Plan['topics'][number]): boolean =>
  create !== undefined || partitions !== undefined || Object.keys(configs).length > 0

export interface Converged {
  readonly patch: StatusPatch
  readonly result: Result
}

/**
 * Brings the cluster, the workers and the alerts in line with one resource, as far as that goes now.
 * @param draining of a resource that was deleted: what waits in it
 */
export async function converge(engine: Engine, kind: ReconciledKind, resource: Resource, draining?: string): Promise<Converged> {
  const first = await look(engine, kind, resource, listingAgeMs(engine, resource))
  const report = new StatusReport(resource, engine.parts.clock.now())
  if ('severity' in first) return { patch: report.notReady(first.reason, first.message), result: {} }
  if (first.plan.observeOnly === true) return observed(report, first)
  const written = await writeTopics(engine, kind, resource, first)
  if ('severity' in written) return { patch: report.notReady(written.reason, written.message), result: { retry: true } }
  return finish(engine, kind, resource, report, written, draining)
}

/** How old a listing may be; after the first look none from before the change will do. */
export function listingAgeMs({ memory, options, parts }: Engine, resource: Resource): number {
  const { changedAtMs = Number.NEGATIVE_INFINITY } = memory.of(resource)
  const sinceChangeMs = parts.clock.monotonicMs() - changedAtMs
  return Math.min(options.resyncIntervalMs * LISTING_AGE_RATIO, Math.max(LISTING_FRESH_MS, sinceChangeMs))
}

function observed(report: StatusReport, { plan, changes, problems }: Look): Converged {
  const count = `${changes.length} ${changes.length === 1 ? 'difference' : 'differences'}`
  const message = changes.length === 0 ? 'No differences; mode Observe writes nothing.' : `${count} found; mode Observe writes nothing.`
  return {
    patch: report.found({ problems, fields: plan.status, parts: [], gone: [], well: { reason: 'Observed', message } }),
    result: after(plan.requeueAfterMs),
  }
}

interface Written extends Look {
  /** Wanted still after writing: accepted by the brokers and not seen yet, or found out only now. */
  readonly unsettled: readonly Change[]
  readonly refused: readonly Problem[]
}

/** Applies what differs and looks again: a status tells of what is, not of what was asked for. */
async function writeTopics(engine: Engine, kind: ReconciledKind, resource: Resource, first: Look): Promise<Written | Problem> {
  const { refusals, sent } = engine.memory.of(resource)
  const { clock } = engine.parts
  const { now, waiting } = refusals.sift(first.changes, clock.monotonicMs())
  const { toSend, awaited } = sent.sift(now, clock.monotonicMs())
  if (toSend.length === 0) {
    // What was seen may be the value of before: the next look is to ask again.
    first.connection.observer.written(awaited.flatMap(change => topicOf(change) ?? []))
    return { ...first, unsettled: awaited, refused: waiting }
  }
  const { done, failed } = await apply(engine, resource, first.connection, toSend)
  sent.note(done, clock.monotonicMs())
  const refused = [...waiting, ...refusals.note(toSend, failed, clock.monotonicMs())]
  const second = await look(engine, kind, withStatus(resource, { fields: first.plan.status }), Number.POSITIVE_INFINITY)
  if ('severity' in second) return second
  const unsettled = refusals.sift(second.changes, clock.monotonicMs()).now
  // For some milliseconds a broker tells the value from before: were it kept, the next look would write the same change again.
  first.connection.observer.written(unsettled.flatMap(change => topicOf(change) ?? []))
  return { ...second, plan: keepRequeue(first.plan, second.plan), unsettled, refused }
}

async function apply(engine: Engine, resource: Resource, connection: LiveConnection, changes: readonly Change[]): Promise<Applied> {
  const look = (of: readonly Change[]) => {
    connection.observer.written(of.flatMap(change => topicOf(change) ?? []))
  }
  try {
    const applied = await applyChanges(connection.admin, changes)
    look(applied.done)
    connection.observer.written(applied.surprising)
    engine.metrics.changed(applied.done)
    if (isReady(resource)) engine.metrics.drifted(resource.kind, applied.done)
    announceChanges(engine.parts.events, resource, applied.done)
    return applied
  } catch (error) {
    // The call broke off: any of it may have happened.
    look(changes)
    throw error
  }
}

/** The sooner of the two: the first plan may have asked for its next step. */
function keepRequeue(first: Plan, second: Plan): Plan {
  const wishes = [first.requeueAfterMs, second.requeueAfterMs].filter(wish => wish !== undefined)
  return wishes.length === 0 ? second : { ...second, requeueAfterMs: Math.min(...wishes) }
}

async function finish(
  engine: Engine,
  kind: ReconciledKind,
  resource: Resource,
  report: StatusReport,
  seen: Written,
  draining: string | undefined,
): Promise<Converged> {
  const { plan, vanishing, unsettled, refused } = seen
  const problems = [...seen.problems, ...refused]
  const awaited = awaitedTopics(resource, seen)
  const blocked = awaited !== undefined || refused.length > 0 || problems.some(({ severity }) => severity === 'Stalled')
  const workers = await bringWorkers(engine, kind, resource, seen, blocked)
  const alerts = await bringAlerts(engine, kind, resource, plan, blocked)
  const waiting = workers.verdict?.status === 'False'
  const found = [...problems, ...(workers.problems ?? [])]
  const patch = report.found({
    problems: waiting ? [...found, workersProblem(workers.verdict)] : found,
    fields: workers.view === undefined ? plan.status : { ...plan.status, workers: workers.view },
    parts: [workers, alerts].flatMap(({ verdict }) => verdict ?? []),
    gone: [workers, alerts].flatMap(({ gone }) => gone ?? []),
    ...(awaited !== undefined && { pending: awaited }),
    ...(draining !== undefined && { draining }),
    well: { reason: 'Ready', message: 'The cluster is as the spec says.' },
  })
  return { patch, result: resultOf(engine, resource, plan, { unsettled, vanishing, waiting }) }
}

/** Written, not seen yet. A topic that a ready resource has had already is given the benefit of the doubt until it is proven gone. */
function awaitedTopics(resource: Resource, { plan, unsettled, vanishing }: Written): string | undefined {
  const topics = new Set(unsettled.flatMap(change => topicOf(change) ?? []))
  if (!isReady(resource)) for (const { name } of plan.topics) if (vanishing.has(name)) topics.add(name)
  return topics.size === 0 ? undefined : `Changes to ${nameTopics([...topics])} were sent and are awaited to show.`
}

const workersProblem = ({ reason, message }: Verdict): Problem => ({ severity: 'NotReady', reason, message })

function resultOf(
  engine: Engine,
  resource: Resource,
  plan: Plan,
  {
    unsettled,
    vanishing,
    waiting,
  }: { readonly unsettled: readonly Change[]; readonly vanishing: ReadonlySet<string>; readonly waiting: boolean },
): Result {
  if (unsettled.length > 0) return { retry: true }
  const refusedUntilMs = engine.memory.of(resource).refusals.nextAtMs()
  const waits = [
    plan.requeueAfterMs,
    refusedUntilMs === undefined ? undefined : Math.max(0, refusedUntilMs - engine.parts.clock.monotonicMs()),
    vanishing.size > 0 ? VANISHING_RETRY_MS : undefined,
    waiting ? WORKERS_RETRY_MS : undefined,
  ].filter(wait => wait !== undefined)
  return after(waits.length === 0 ? undefined : Math.min(...waits))
}

const after = (requeueAfterMs: number | undefined): Result => (requeueAfterMs === undefined ? {} : { requeueAfterMs })
