import type { KafkaAdmin, KafkaAdminFactory } from '../kafka/admin.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Change } from './plan.ts'
import type { QueueListener } from './work-queue.ts'

export type ReconcileResult = 'success' | 'error' | 'requeue' | 'requeue_after'
const RESULTS: readonly ReconcileResult[] = ['success', 'error', 'requeue', 'requeue_after']
const CHANGES: readonly Change['type'][] = ['createTopic', 'addPartitions', 'setConfig', 'deleteConfig', 'deleteTopic']

/** Controller-runtime's and client-go's buckets, so that existing dashboards fit. */
const RECONCILE_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const QUEUE_BUCKETS = [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300]

/** There is one queue for all kinds. */
const QUEUE = { name: 'sluice' }

export interface OperatorMetrics {
  reconcileStarted(kind: string): void
  reconcileEnded(kind: string, result: ReconcileResult, seconds: number): void
  panicked(kind: string): void
  changed(changes: readonly Change[]): void
  /** Changes to what a resource of this kind had right already. */
  drifted(kind: string, changes: readonly Change[]): void
  readonly queue: QueueListener
  /** The factory, counting every request of the admins that it makes. */
  metered(factory: KafkaAdminFactory): KafkaAdminFactory
}

export interface Gauged {
  readonly kinds: readonly string[]
  readonly concurrency: number
  /** Milliseconds that each running key has run for. */
  runningMs(): readonly number[]
  isLeader(): boolean
}

/** Declares what `docs/metrics.md` lists for the operator. No label names an object. */
export function operatorMetrics(metrics: Metrics, gauged: Gauged): OperatorMetrics {
  const reconciles = reconcileMetrics(metrics, gauged)
  const changes = metrics.counter({
    name: 'sluice_topics_changed_total',
    help: 'Changes to topics that the brokers accepted.',
    labels: ['type'],
    zero: CHANGES.map(type => ({ type })),
  })
  const drifts = metrics.counter({
    name: 'sluice_topic_drifts_total',
    help: 'Settings of topics that were changed by somebody else and set back.',
    labels: ['controller'],
    zero: gauged.kinds.map(controller => ({ controller })),
  })
  const requests = metrics.counter({
    name: 'sluice_kafka_requests_total',
    help: 'Calls of the Kafka admin client.',
    labels: ['operation', 'outcome'],
  })
  metrics.gauge({
    name: 'sluice_leader',
    help: '1 while this process leads.',
    collect: gauge => {
      gauge.set(gauged.isLeader() ? 1 : 0)
    },
  })
  return {
    ...reconciles,
    changed: of => {
      for (const { type } of of) changes.inc({ type })
    },
    drifted: (controller, of) => {
      const settings = of.filter(({ type }) => type === 'setConfig' || type === 'deleteConfig')
      if (settings.length > 0) drifts.inc({ controller }, settings.length)
    },
    queue: queueMetrics(metrics, gauged),
    metered: factory => (settings, options) =>
      meter(factory(settings, options), (operation, outcome) => {
        requests.inc({ operation, outcome })
      }),
  }
}

function reconcileMetrics(metrics: Metrics, { kinds, concurrency }: Gauged) {
  const labels = ['controller']
  const zero = kinds.map(controller => ({ controller }))
  const total = metrics.counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciles by result.',
    labels: ['controller', 'result'],
    zero: zero.flatMap(({ controller }) => RESULTS.map(result => ({ controller, result }))),
  })
  const errors = metrics.counter({ name: 'controller_runtime_reconcile_errors_total', help: 'Reconciles that failed.', labels, zero })
  const panics = metrics.counter({ name: 'controller_runtime_reconcile_panics_total', help: 'Reconciles that met a bug.', labels, zero })
  const seconds = metrics.histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Time of a reconcile.',
    labels,
    zero,
    buckets: RECONCILE_BUCKETS,
  })
  const active = metrics.gauge({ name: 'controller_runtime_active_workers', help: 'Reconciles that run now.', labels, zero })
  const most = metrics.gauge({
    name: 'controller_runtime_max_concurrent_reconciles',
    help: 'Reconciles that may run at a time, of all kinds together.',
    labels,
  })
  for (const { controller } of zero) most.set(concurrency, { controller })
  return {
    reconcileStarted: (controller: string) => {
      active.add(1, { controller })
    },
    reconcileEnded: (controller: string, result: ReconcileResult, took: number) => {
      active.add(-1, { controller })
      total.inc({ controller, result })
      if (result === 'error') errors.inc({ controller })
      seconds.observe(took, { controller })
    },
    panicked: (controller: string) => {
      panics.inc({ controller })
    },
  }
}

function queueMetrics(metrics: Metrics, gauged: Gauged): QueueListener {
  const common = { labels: ['name'], zero: [QUEUE] }
  const depth = metrics.gauge({ ...common, name: 'workqueue_depth', help: 'Keys that wait.' })
  const adds = metrics.counter({ ...common, name: 'workqueue_adds_total', help: 'Keys added.' })
  const retries = metrics.counter({ ...common, name: 'workqueue_retries_total', help: 'Keys added again after a failure.' })
  const waited = metrics.histogram({
    ...common,
    name: 'workqueue_queue_duration_seconds',
    help: 'Time that a key waited: the time to reaction.',
    buckets: QUEUE_BUCKETS,
  })
  const worked = metrics.histogram({
    ...common,
    name: 'workqueue_work_duration_seconds',
    help: 'Time that a key was worked on.',
    buckets: QUEUE_BUCKETS,
  })
  const seconds = (total: (values: readonly number[]) => number) => total(gauged.runningMs()) / 1_000
  metrics.gauge({
    ...common,
    name: 'workqueue_unfinished_work_seconds',
    help: 'Time spent so far on keys that run, in sum.',
    collect: gauge => {
      gauge.set(
        seconds(values => values.reduce((sum, value) => sum + value, 0)),
        QUEUE,
      )
    },
  })
  metrics.gauge({
    ...common,
    name: 'workqueue_longest_running_processor_seconds',
    help: 'Time that the slowest running key has taken so far.',
    collect: gauge => {
      gauge.set(
        seconds(values => Math.max(0, ...values)),
        QUEUE,
      )
    },
  })
  return {
    added: now => {
      adds.inc(QUEUE)
      depth.set(now, QUEUE)
    },
    started: (now, waitedMs) => {
      depth.set(now, QUEUE)
      waited.observe(waitedMs / 1_000, QUEUE)
    },
    finished: workedMs => {
      worked.observe(workedMs / 1_000, QUEUE)
    },
    retried: () => {
      retries.inc(QUEUE)
    },
  }
}

/** Counts each call as `success` or by the code of its error. */
function meter(admin: KafkaAdmin, count: (operation: string, outcome: string) => void): KafkaAdmin {
  return new Proxy(admin, {
    get(target, operation) {
      const value: unknown = Reflect.get(target, operation, target)
      if (typeof value !== 'function' || typeof operation !== 'string' || operation === 'close') return value
      return async (...args: unknown[]) => {
        try {
          const answer: unknown = await (value as (...of: unknown[]) => Promise<unknown>).apply(target, args)
          count(operation, 'success')
          return answer
        } catch (error) {
          count(operation, error instanceof KafkaError ? error.code : 'Unexpected')
          throw error
        }
      }
    },
  })
}
