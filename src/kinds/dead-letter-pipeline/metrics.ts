import type { TaskMetric } from '../../worker/task.ts'

/** Names of what the workers of a pipeline export; alerts.ts asks for the same ones. Each carries `pipeline` = `<namespace>/<name>`. */
export const METRIC = {
  pending: 'sluice_pipeline_waiting_messages',
  overdue: 'sluice_pipeline_overdue_messages',
  oldestOverdue: 'sluice_pipeline_oldest_overdue_seconds',
  readLag: 'sluice_pipeline_read_lag_seconds',
  lateness: 'sluice_pipeline_lateness_seconds',
  redelivered: 'sluice_pipeline_redelivered_total',
  dropped: 'sluice_pipeline_dropped_total',
  deadLetters: 'sluice_pipeline_dead_letters_total',
  unhandled: 'sluice_pipeline_unhandled_dead_letters',
  oldestUnhandled: 'sluice_pipeline_oldest_unhandled_timestamp_seconds',
  newFingerprint: 'sluice_pipeline_new_fingerprint_timestamp_seconds',
  calls: 'sluice_pipeline_calls_total',
  callSeconds: 'sluice_pipeline_call_seconds',
  callsInFlight: 'sluice_pipeline_calls_in_flight',
  breakerOpen: 'sluice_pipeline_breaker_open',
  waitingKeys: 'sluice_pipeline_waiting_keys',
  blocked: 'sluice_pipeline_blocked_messages',
  orderingFull: 'sluice_pipeline_ordering_full',
} as const

export type MetricName = (typeof METRIC)[keyof typeof METRIC]

const counter = (name: MetricName, help: string, labels: readonly string[] = []): TaskMetric => ({
  name,
  help,
  type: 'counter',
  labels: ['pipeline', ...labels],
})
const gauge = (name: MetricName, help: string, labels: readonly string[] = []): TaskMetric => ({
  name,
  help,
  type: 'gauge',
  labels: ['pipeline', 'partition', ...labels],
})

export const metrics: readonly TaskMetric[] = [
  gauge(METRIC.pending, 'Failed records that wait for their next delivery: near (in memory), or in the tier of that many seconds.', [
    'horizon',
  ]),
  gauge(METRIC.overdue, 'Records whose wait is over and that are not redelivered yet.'),
  gauge(METRIC.oldestOverdue, 'How long the wait of the oldest record that is not redelivered has been over; 0 when none is.'),
  gauge(METRIC.readLag, 'Age of the youngest instant up to which the retry topic is known to be read.'),
  {
    name: METRIC.lateness,
    help: 'From the end of the wait to the commit of the redelivery.',
    type: 'histogram',
    labels: ['pipeline'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600],
  },
  counter(METRIC.redelivered, 'Records written to the redelivery topic, by the number of the delivery (10 and above: 10+).', ['attempt']),
  counter(METRIC.dropped, 'Failures that a rule dropped.'),
  counter(METRIC.deadLetters, 'Dead letters, by disposition and class of the error (the first 20 classes a task meets; then other).', [
    'disposition',
    'class',
  ]),
]

/** With `delivery.http`. */
export const callMetrics: readonly TaskMetric[] = [
  counter(
    METRIC.calls,
    'Calls that ended, by what came of them: 2xx, 3xx, 4xx, 5xx, or what kept an answer from coming (timeout, refused, reset, unreachable, dns, tls, protocol, incomplete, address-forbidden).',
    ['outcome'],
  ),
  {
    name: METRIC.callSeconds,
    help: 'From the beginning of a call to the end of its answer, or of the wait for one.',
    type: 'histogram',
    labels: ['pipeline'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  },
  gauge(METRIC.callsInFlight, 'Calls under way, by the topic and partition that their records come from.', ['topic']),
  {
    name: METRIC.breakerOpen,
    help: '1 while the breaker of this worker is open: nothing but probes is called.',
    type: 'gauge',
    labels: ['pipeline'],
  },
  gauge(METRIC.waitingKeys, 'With ordering Key: keys whose first record failed and waits for its next attempt.'),
  gauge(METRIC.blocked, 'With ordering Key: records that wait for their next attempt, or stand behind another one of their key.'),
  gauge(METRIC.orderingFull, 'With ordering Key: 1 while the partition reads no further, since as much waits as may.'),
]

/** Of the watch over the pipeline's own dead letter topic. */
export const watchMetrics: readonly TaskMetric[] = [
  gauge(METRIC.unhandled, 'Dead letters that were neither redriven nor discarded.'),
  gauge(METRIC.oldestUnhandled, 'When the oldest of them died; absent when there is none.'),
  gauge(METRIC.newFingerprint, 'When a dead letter last had a fingerprint that no dead letter of its partition had before.'),
]
