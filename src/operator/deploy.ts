import { refKey, refOf, type Resource } from '../api/resource.ts'
import type { ConditionType, Verdict } from './conditions.ts'
import type { LiveConnection } from './connections.ts'
import { deploymentOf, objectName } from './contracts.ts'
import { stoppedBecause } from './contract.ts'
import type { Look } from './converge.ts'
import type { Engine } from './engine.ts'
import type { ReconciledKind } from './kind.ts'
import type { WorkersView } from './observed.ts'
import type { Plan, Problem, WorkerIntent } from './plan.ts'
import { poolKeyOf, type Pooled } from './pools.ts'
import { workerSecrets } from './worker-secrets.ts'

/** How it went with one part of a resource; no verdict: left as it was, or, when `gone`, not wanted any more. */
export interface PartOutcome {
  readonly verdict?: Verdict
  readonly view?: WorkersView
  readonly problems?: readonly Problem[]
  readonly gone?: ConditionType
}

/** Workers are never deployed onto topics that are not right yet; those that run already are left running. */
export async function bringWorkers(
  engine: Engine,
  kind: ReconciledKind,
  resource: Resource,
  { plan, connection }: Look,
  blocked: boolean,
): Promise<PartOutcome> {
  const { workers: platform, events } = engine.parts
  const ref = refOf(resource)
  const remembered = engine.memory.of(resource)
  if (plan.workers === undefined) {
    if (remembered.pool !== undefined) await engine.pools.leave(engine, ref, remembered.pool)
    if (remembered.deployed || hasCondition(resource, 'WorkersReady')) await platform.remove(ref)
    remembered.pool = undefined
    remembered.deployed = false
    return { gone: 'WorkersReady' }
  }
  if (blocked) return {}
  const { pool } = plan.workers
  if (pool !== undefined) return bringPooled(engine, kind, resource, plan, { ...plan.workers, pool }, connection)
  const { namespace, uid } = resource.metadata
  const secrets = await workerSecrets(plan.workers.secrets ?? [], namespace, uid ?? refKey(ref), engine.parts.secrets)
  if (!secrets.ok) return { verdict: { type: 'WorkersReady', status: 'False', reason: 'SecretNotFound', message: secrets.message } }
  const current = await platform.currentContract(ref)
  const { workerMemoryBudgetBytes: memoryBudgetBytes, callsAllow } = engine.options
  const parts = { definition: kind.definition, resource, intent: plan.workers, connection, current, memoryBudgetBytes, secrets, callsAllow }
  const deployment = deploymentOf(parts)
  const written = await platform.apply(deployment)
  remembered.deployed = true
  const { generation } = deployment.contract
  if (written.length > 0)
    events.emit(resource, 'Normal', 'WorkersChanged', `Workers of contract generation ${generation}: ${written.join(', ')}`)
  const view = await platform.view(ref)
  const verdict = workersVerdict(deployment.replicas, generation, view)
  return { verdict: await withStopped(engine, verdict, plan, connection), ...(view && { view }) }
}

async function bringPooled(
  engine: Engine,
  kind: ReconciledKind,
  resource: Resource,
  plan: Plan,
  intent: WorkerIntent & Required<Pick<WorkerIntent, 'pool'>>,
  connection: LiveConnection,
): Promise<PartOutcome> {
  engine.memory.of(resource).pool = poolKeyOf(engine, kind, resource)
  const pooled = await engine.pools.bring(engine, resource, intent, connection)
  const { deployment, written, view, problems } = pooled
  if (written.length > 0)
    engine.parts.events.emit(resource, 'Normal', 'WorkersChanged', `Pool "${intent.pool.name}": ${written.join(', ')}`)
  const verdict = await withStopped(engine, pooledVerdict(intent, pooled), plan, connection)
  return { verdict, problems, ...(view && { view: { ...view, desired: deployment.replicas } }) }
}

/** What the workers noted beside their offsets when they stopped tasks, if they did. Asked only while they are not ready. */
async function withStopped(engine: Engine, verdict: Verdict, plan: Plan, { admin }: LiveConnection): Promise<Verdict> {
  if (verdict.status === 'True' || plan.workers === undefined) return verdict
  const { group, pool } = plan.workers
  // The group of a pool is that of other resources too.
  const own = pool === undefined ? undefined : new Set(plan.topics.map(({ name }) => name))
  try {
    const offsets = await admin.groupOffsets(group)
    const stopped = offsets.flatMap(({ topic, partition, metadata }) => {
      const why = own?.has(topic) === false ? undefined : stoppedBecause(metadata)
      return why === undefined ? [] : [`partition ${partition} of ${topic} is stopped (${why.reason}): ${why.message}`]
    })
    const [first, ...more] = stopped
    if (first === undefined) return verdict
    const message = `${first}${more.length === 0 ? '' : `; ${more.length} more of its partitions are stopped too`}`
    return { ...verdict, reason: 'TaskStopped', message }
  } catch (error) {
    engine.parts.logger.debug({ err: error, group }, 'No broker told what the workers noted beside their offsets')
    return verdict
  }
}

/** Of this member alone: what another one of the pool suffers from is told in its own status. */
function pooledVerdict({ replicas, pool }: WorkerIntent, { deployment, view, generation, partitionsBehind }: Pooled): Verdict {
  if (replicas === 0) return noWorkers
  const where = `Deployment ${deployment.name}`
  if (partitionsBehind.length === 0)
    return {
      type: 'WorkersReady',
      status: 'True',
      reason: 'WorkersReady',
      message: `The workers of pool "${pool?.name ?? ''}" (${where}) run generation ${generation} in all partitions.`,
    }
  const ready = Math.min(view?.ready ?? 0, deployment.replicas)
  const message = `Partitions ${partitionsBehind.join(', ')} do not run generation ${generation} yet; ${ready} of ${deployment.replicas} workers of ${where} are ready. Pods see a new contract within two minutes; if this lasts, see /readyz and the logs of the workers.`
  return { type: 'WorkersReady', status: 'False', reason: 'WorkersNotReady', message }
}

const noWorkers: Verdict = {
  type: 'WorkersReady',
  status: 'True',
  reason: 'WorkersReady',
  message: 'No workers are asked for: nothing is worked on.',
}

function workersVerdict(replicas: number, generation: number, view: WorkersView | undefined): Verdict {
  if (replicas === 0) return noWorkers
  const ready = view?.ready ?? 0
  if (ready >= replicas && view?.generation === generation)
    return {
      type: 'WorkersReady',
      status: 'True',
      reason: 'WorkersReady',
      message: `${replicas} of ${replicas} workers run contract generation ${generation}.`,
    }
  const running = view === undefined || view.generation === generation ? '' : ` of an earlier contract`
  const message = `${Math.min(ready, replicas)} of ${replicas} workers${running} are ready; generation ${generation} is awaited. See the workers' logs if this lasts.`
  return { type: 'WorkersReady', status: 'False', reason: 'WorkersNotReady', message }
}

export async function bringAlerts(
  engine: Engine,
  kind: ReconciledKind,
  resource: Resource,
  { alerts: group }: Plan,
  blocked: boolean,
): Promise<PartOutcome> {
  const { alerts } = engine.parts
  const remembered = engine.memory.of(resource)
  const name = objectName(kind.definition, resource.metadata.name)
  if (group === undefined) {
    if (remembered.alerted || hasCondition(resource, 'AlertsApplied')) await alerts.remove(refOf(resource), name)
    remembered.alerted = false
    return { gone: 'AlertsApplied' }
  }
  if (blocked) return {}
  const outcome = await alerts.apply(resource, name, group)
  remembered.alerted = outcome !== 'skipped'
  const type = 'AlertsApplied'
  if (outcome === 'skipped') {
    const message = 'The cluster has no PrometheusRule kind; alerts are skipped.'
    return { verdict: { type, status: 'False', reason: 'AlertsSkipped', message } }
  }
  return { verdict: { type, status: 'True', reason: type, message: `${group.rules.length} alert rules are in place.` } }
}

const hasCondition = ({ status }: Resource, wanted: string): boolean => status?.conditions?.some(({ type }) => type === wanted) === true
