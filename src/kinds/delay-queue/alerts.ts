import type { AlertGroup, AlertRule } from '../../operator/plan.ts'
import { rule } from '../alert-rule.ts'
import { METRIC } from './metrics.ts'
import type { DelayQueue } from './resource.ts'

/** From the workers' own metrics only: no exporter is needed. `partitions`: how many must be owned by a worker. */
export function alerts(queue: DelayQueue, partitions: number): AlertGroup {
  const name = `${queue.metadata.namespace}/${queue.metadata.name}`
  const idle = queue.spec.workers?.replicas === 0
  const of = (metric: string): string => `${metric}{queue="${name}"}`
  return {
    rules: [...delivery(name, of), loss(name, of), ...records(name, of), stopped(name), ...(idle ? [] : [unowned(name, of, partitions)])],
  }
}

type Series = (metric: string) => string

const delivery = (name: string, of: Series): readonly AlertRule[] => [
  rule('SluiceDelayQueueOverdue', {
    expr: `max(${of(METRIC.oldestOverdue)}) > 30`,
    for: '2m',
    severity: 'critical',
    summary: `Delay queue ${name} does not deliver what is due`,
    description: `The oldest due message of ${name} has waited {{ $value | humanizeDuration }} beyond its time.`,
  }),
  rule('SluiceDelayQueueLatenessHigh', {
    expr: `histogram_quantile(0.99, sum by (le) (rate(${of(`${METRIC.lateness}_bucket`)}[5m]))) > 1`,
    for: '10m',
    severity: 'warning',
    summary: `Delay queue ${name} delivers late`,
    description: `One message in a hundred of ${name} is delivered {{ $value | humanizeDuration }} or more after its time.`,
  }),
  rule('SluiceDelayQueueReadStalled', {
    expr: `max(${of(METRIC.readLag)}) > 60`,
    for: '3m',
    severity: 'critical',
    summary: `Delay queue ${name} does not read its input`,
    description: `The input of ${name} is read only up to {{ $value | humanizeDuration }} ago: new messages are not seen and due ones are held back.`,
  }),
]

const loss = (name: string, of: Series): AlertRule =>
  rule('SluiceDelayQueueLossNear', {
    expr: `min(${of(METRIC.timeToLoss)}) < 3 * 86400`,
    for: '10m',
    severity: 'critical',
    summary: `Kafka will delete what waits in delay queue ${name}`,
    description: `If nothing moves, the first undelivered record of ${name} is deleted by retention in {{ $value | humanizeDuration }}. See what holds the queue up, or raise retention.ms of its topics meanwhile.`,
  })

const records = (name: string, of: Series): readonly AlertRule[] => [
  rule('SluiceDelayQueueDeadLetters', {
    expr: `sum by (disposition) (increase(${of(METRIC.deadLetters)}[10m])) > 0`,
    for: '1m',
    severity: 'warning',
    summary: `Delay queue ${name} writes dead letters`,
    description: `{{ $value | humanize }} messages of ${name} became dead letters ({{ $labels.disposition }}) within 10 minutes.`,
  }),
]

const unowned = (name: string, of: Series, partitions: number): AlertRule =>
  rule('SluiceDelayQueuePartitionsUnowned', {
    expr: `(count(${of(METRIC.readLag)}) or vector(0)) < ${partitions}`,
    for: '5m',
    severity: 'critical',
    summary: `Partitions of delay queue ${name} have no worker`,
    description: `Only {{ $value }} of ${partitions} partitions of ${name} are served: workers are down, or a task was stopped to save data.`,
  })

/** The kernel's metric: it stops a task rather than lose or double records. */
const stopped = (name: string): AlertRule =>
  rule('SluiceDelayQueueTaskStopped', {
    expr: `max by (partition, reason) (sluice_worker_task_stopped{kind="DelayQueue",name="${name}"}) > 0`,
    for: '1m',
    severity: 'critical',
    summary: `A partition of delay queue ${name} was stopped to save data`,
    description: `Partition {{ $labels.partition }} of ${name} was stopped ({{ $labels.reason }}): going on would lose or repeat messages. A human must look.`,
  })
