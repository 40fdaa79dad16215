import { refKey, refOf, type ResourceRef } from '../api/resource.ts'
import { Connections } from './connections.ts'
import { look } from './converge.ts'
import { rememberViolations, type Engine } from './engine.ts'
import type { ReconciledKind } from './kind.ts'
import { askedBy, Memory } from './memory.ts'
import { operatorMetrics, type ReconcileResult } from './metrics.ts'
import { DEFAULT_OPTIONS, type OperatorOptions, type OperatorParts } from './options.ts'
import type { Change, Estimate, Problem, Warning, WorkerIntent } from './plan.ts'
import { Pools } from './pools.ts'
import { POOL } from './ports.ts'
import { reconcile, type Outcome } from './reconciler.ts'
import { WorkQueue } from './work-queue.ts'

export type { OperatorOptions, OperatorParts, Validate, Violation } from './options.ts'

/** What one resource would change if it were applied now, and what stands in its way. */
export interface PlanReport {
  readonly changes: readonly Change[]
  readonly problems: readonly Problem[]
  readonly warnings?: readonly Warning[]
  /** What else it will bring, whether or not it is there already: this reader need not be where the workers are. */
  readonly brings?: Brings
}

export interface Brings {
  readonly workers?: { readonly replicas: number; readonly group: string; readonly memoryBudgetBytes: number }
  /** Names of the alerts. */
  readonly alerts?: readonly string[]
  readonly cost?: Estimate
}

export interface OperatorHealth {
  /** False: restart the process (`/livez`). */
  readonly live: boolean
  /** True once the store has listed everything, leading or not (`/readyz`). */
  readonly ready: boolean
  readonly leading: boolean
  /** Resources waiting to be reconciled. */
  readonly queued: number
}

export interface Operator {
  /** Starts the store, takes part in the election and reconciles while leading. Resolves when `signal` has aborted and all is closed. */
  run(signal: AbortSignal): Promise<void>
  health(): OperatorHealth
  /** Reads, plans and compares, writes nothing. Needs a started store (`store.start`), not a running operator. */
  planOnly(ref: ResourceRef): Promise<PlanReport>
  /** Closes connections that `planOnly` opened; `run` closes its own. */
  close(): Promise<void>
}

/** The resync of all resources is moved by up to this share, so that many operators do not beat in time. */
const JITTER = 0.1

/** Puts the engine together; nothing happens before `run` or `planOnly`. */
export function createOperator(parts: OperatorParts): Operator {
  const options = { ...DEFAULT_OPTIONS, ...parts.options }
  const { engine, queue } = assemble(parts, options)
  let ready = false
  return {
    run: async signal => {
      parts.store.onChange(ref => {
        if (asksSomethingNew(engine, ref)) engine.enqueue(ref)
      })
      parts.workers.onChange(ref => {
        if (ref.kind === POOL) engine.pools.changed(engine, ref)
        else engine.enqueue(ref)
      })
      await parts.store.start([...engine.kinds.keys()], signal)
      ready = true
      await parts.election.run(signal, leading => lead(engine, queue, leading))
      await engine.connections.closeAll()
    },
    health: () => ({ live: !ready || parts.store.healthy(), ready, leading: parts.election.isLeader(), queued: queue.depth }),
    planOnly: ref => planOnly(engine, ref),
    close: () => engine.connections.closeAll(),
  }
}

function assemble(parts: OperatorParts, options: OperatorOptions): { readonly engine: Engine; readonly queue: WorkQueue } {
  const kinds = new Map(parts.kinds.map(kind => [kind.definition.kind, kind]))
  const metrics = operatorMetrics(parts.metrics, {
    kinds: [...kinds.keys()],
    concurrency: options.concurrency,
    runningMs: () => queue.runningMs(),
    isLeader: () => parts.election.isLeader(),
  })
  const queue = new WorkQueue({ ...options, clock: parts.clock, listener: metrics.queue })
  const connections = new Connections({ ...parts, adminFactory: metrics.metered(parts.adminFactory), options })
  const engine: Engine = {
    parts,
    options,
    kinds,
    connectionKind: connectionKindOf(parts.kinds),
    connections,
    memory: new Memory(options),
    pools: new Pools(),
    metrics,
    violationsOf: rememberViolations(parts),
    enqueue: ref => {
      // A follower keeps its cache warm and does nothing: the leader starts from the whole of the store.
      if (parts.election.isLeader()) queue.add(refKey(ref))
    },
  }
  return { engine, queue }
}

/** The status that the operator itself wrote comes back as a change: looking again at once would find nothing, or go round in circles. */
function asksSomethingNew({ parts, memory }: Engine, ref: ResourceRef): boolean {
  const resource = parts.store.get(ref)
  return resource === undefined || memory.of(resource).asked !== askedBy(resource)
}

const CONNECTION_KIND = 'KafkaConnection'

function connectionKindOf(kinds: readonly ReconciledKind[]): string {
  if (!kinds.some(({ definition }) => definition.kind === CONNECTION_KIND))
    throw new Error(`the registry of kinds lacks ${CONNECTION_KIND}`)
  return CONNECTION_KIND
}

/** Everything is looked at when leadership is won, then again with every resync, until it is lost. */
async function lead(engine: Engine, queue: WorkQueue, leading: AbortSignal): Promise<void> {
  engine.parts.logger.info({ kinds: [...engine.kinds.keys()] }, 'Leading: reconciling all resources')
  addAll(engine, queue, 'change')
  await Promise.all([resync(engine, queue, leading), queue.run(leading, engine.options.concurrency, key => work(engine, queue, key))])
  engine.memory.clear()
  engine.pools.clear()
  await engine.connections.closeAll()
}

async function resync(engine: Engine, queue: WorkQueue, leading: AbortSignal): Promise<void> {
  const { resyncIntervalMs, random } = engine.options
  for (;;) {
    await engine.parts.clock.sleep(resyncIntervalMs * (1 - JITTER + 2 * JITTER * random()), leading)
    if (leading.aborted) return
    addAll(engine, queue, 'resync')
  }
}

function addAll({ parts, kinds }: Engine, queue: WorkQueue, lane: 'change' | 'resync'): void {
  for (const kind of kinds.keys()) for (const resource of parts.store.list(kind)) queue.add(refKey(refOf(resource)), lane)
}

async function work(engine: Engine, queue: WorkQueue, key: string): Promise<void> {
  const ref = refOfKey(key)
  const { clock } = engine.parts
  const startedMs = clock.monotonicMs()
  engine.metrics.reconcileStarted(ref.kind)
  const outcome = await reconcile(engine, ref)
  engine.metrics.reconcileEnded(ref.kind, resultOf(outcome), (clock.monotonicMs() - startedMs) / 1_000)
  if (outcome.retry === true) {
    queue.retry(key)
    return
  }
  queue.forget(key)
  if (outcome.requeueAfterMs !== undefined) queue.addAfter(key, outcome.requeueAfterMs)
}

function resultOf({ failed, retry, requeueAfterMs }: Outcome): ReconcileResult {
  if (failed === true) return 'error'
  if (retry === true) return 'requeue'
  return requeueAfterMs === undefined ? 'success' : 'requeue_after'
}

function refOfKey(key: string): ResourceRef {
  const [kind = '', namespace = '', name = ''] = key.split('/')
  return { kind, namespace, name }
}

async function planOnly(engine: Engine, ref: ResourceRef): Promise<PlanReport> {
  const kind = engine.kinds.get(ref.kind)
  const resource = engine.parts.store.get(ref)
  if (kind === undefined || resource === undefined) throw new Error(`${refKey(ref)} does not exist`)
  const violations = engine.violationsOf(kind, resource)
  if (violations.length > 0) {
    return {
      changes: [],
      problems: violations.map(({ field, message }) => ({ severity: 'Stalled', reason: 'InvalidSpec', message: `${field}: ${message}` })),
    }
  }
  if (ref.kind === engine.connectionKind) {
    const probe = await engine.connections.probe(resource)
    return { changes: [], problems: probe.ok ? [] : [{ severity: 'NotReady', reason: 'ConnectionNotReady', message: probe.message }] }
  }
  const seen = await look(engine, kind, resource, 0)
  if ('severity' in seen) return { changes: [], problems: [seen] }
  const { plan, changes, problems } = seen
  const cost = kind.estimate?.(resource, plan)
  const brings: Brings = {
    ...(plan.workers && { workers: workersOf(plan.workers, engine.options.workerMemoryBudgetBytes) }),
    ...(plan.alerts && { alerts: plan.alerts.rules.map(({ alert }) => alert) }),
    ...(cost && { cost }),
  }
  return { changes, problems, ...(plan.warnings && { warnings: plan.warnings }), ...(Object.keys(brings).length > 0 && { brings }) }
}

const workersOf = ({ replicas, group }: WorkerIntent, memoryBudgetBytes: number): NonNullable<Brings['workers']> => ({
  replicas,
  group,
  memoryBudgetBytes,
})
