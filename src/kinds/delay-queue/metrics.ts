import type { TaskMetric } from '../../worker/task.ts'

/** Names of what the workers of a delay queue export; alerts.ts asks for the same ones. Each carries `queue` = `<namespace>/<name>`. */
export const METRIC = {
  pending: 'sluice_delay_queue_pending_messages',
  overdue: 'sluice_delay_queue_overdue_messages',
  oldestOverdue: 'sluice_delay_queue_oldest_overdue_seconds',
  readLag: 'sluice_delay_queue_read_lag_seconds',
  unread: 'sluice_delay_queue_unread_offsets',
  timeToLoss: 'sluice_delay_queue_time_to_loss_seconds',
  lateness: 'sluice_delay_queue_lateness_seconds',
  fired: 'sluice_delay_queue_fired_total',
  moved: 'sluice_delay_queue_tier_writes_total',
  cancelled: 'sluice_delay_queue_cancelled_total',
  superseded: 'sluice_delay_queue_superseded_total',
  cancelsUnmatched: 'sluice_delay_queue_cancels_unmatched_total',
  firesUnmatched: 'sluice_delay_queue_fires_unmatched_total',
  deduplicated: 'sluice_delay_queue_deduplicated_total',
  lateDropped: 'sluice_delay_queue_late_dropped_total',
  deadLetters: 'sluice_delay_queue_dead_letters_total',
} as const

export type MetricName = (typeof METRIC)[keyof typeof METRIC]

const counter = (name: MetricName, help: string, labels: readonly string[] = []): TaskMetric => ({
  name,
  help,
  type: 'counter',
  labels: ['queue', ...labels],
})
const gauge = (name: MetricName, help: string, labels: readonly string[] = []): TaskMetric => ({
  name,
  help,
  type: 'gauge',
  labels: ['queue', 'partition', ...labels],
})

export const metrics: readonly TaskMetric[] = [
  gauge(
    METRIC.pending,
    'Messages that wait: near (in memory; what is read ahead of a fixed delay, too), fixed (unread in a fixed delay, by offsets), or in the tier of that many seconds.',
    ['horizon'],
  ),
  gauge(METRIC.overdue, 'Messages in memory that are due and not delivered yet.'),
  gauge(METRIC.oldestOverdue, 'How long the oldest message in memory that is not delivered has been due; 0 when none is.'),
  gauge(METRIC.readLag, 'Age of the youngest instant up to which the input is known to be read.'),
  gauge(METRIC.unread, 'Offsets of the input that are not read yet.'),
  gauge(METRIC.timeToLoss, 'Time until retention deletes the oldest record that is not read or not done, if nothing moves any more.'),
  {
    name: METRIC.lateness,
    help: 'From the due time (or the append time, if later) to the commit of the delivery.',
    type: 'histogram',
    labels: ['queue'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600],
  },
  counter(METRIC.fired, 'Messages delivered.'),
  counter(METRIC.moved, 'Messages written to a tier: hops on their way.'),
  counter(METRIC.cancelled, 'Messages that a cancel ended.'),
  counter(METRIC.superseded, 'Messages that a higher version replaced.'),
  counter(METRIC.cancelsUnmatched, 'Cancels that never met a message: too late, or of an unknown id.'),
  counter(METRIC.firesUnmatched, 'Fires that found no message: too late, cancelled, or of an unknown id.'),
  counter(METRIC.deduplicated, 'Messages dropped as repetitions of one sluice-id.'),
  counter(METRIC.lateDropped, 'Messages dropped by the late policy.'),
  counter(METRIC.deadLetters, 'Messages written to the dead letter topic.', ['disposition']),
]
