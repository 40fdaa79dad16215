import { formatDuration } from '../../api/duration.ts'
import type { AlertGroup, AlertRule } from '../../operator/plan.ts'
import { rule } from '../alert-rule.ts'
import { METRIC } from './metrics.ts'
import type { DeadLetterPipeline } from './resource.ts'
import { deadLetterRetentionMs } from './topics.ts'

/** From the workers' own metrics only: no exporter is needed. `partitions`: how many must be owned by a worker. */
export function alerts(pipeline: DeadLetterPipeline, { partitions, sourcePartitions }: Partitions): AlertGroup {
  const name = `${pipeline.metadata.namespace}/${pipeline.metadata.name}`
  const idle = pipeline.spec.workers?.replicas === 0
  const of = (metric: string): string => `${metric}{pipeline="${name}"}`
  const { delivery, ordering } = pipeline.spec
  // Of the retry topic; of the source and of the redelivery topic too where the workers read them.
  const owned = delivery.http === undefined ? [METRIC.readLag] : [METRIC.readLag, METRIC.callsInFlight]
  // A pipeline that was deleted reads no more of the source.
  const read = pipeline.metadata.deletionTimestamp === undefined ? sourcePartitions : 0
  const wanted = delivery.http === undefined ? partitions : 2 * partitions + read
  return {
    rules: [
      ...outcomes(name, of, deadLetterRetentionMs(pipeline.spec)),
      ...progress(name, of),
      ...(pipeline.spec.breaker === undefined ? [] : [breakerOpen(name, of)]),
      ...(ordering === 'Key' ? [orderingFull(name, of)] : []),
      stopped(name),
      ...(idle ? [] : [unowned(name, owned.map(of), wanted)]),
    ],
  }
}

export interface Partitions {
  /** Of the retry topic and of all topics beside it. */
  readonly partitions: number
  readonly sourcePartitions: number
}

type Series = (metric: string) => string

/** Of the retention: time enough to look, for a month a week. */
const NEAR_RETENTION = 0.8

const outcomes = (name: string, of: Series, retentionMs: number): readonly AlertRule[] => [
  rule('SluicePipelineDeadLetters', {
    expr: `sum by (disposition) (increase(${of(METRIC.deadLetters)}[10m])) > 0`,
    for: '1m',
    severity: 'warning',
    summary: `Pipeline ${name} writes dead letters`,
    description: `{{ $value | humanize }} messages of ${name} became dead letters ({{ $labels.disposition }}) within 10 minutes.`,
  }),
  rule('SluicePipelineNewFingerprint', {
    expr: `time() - max(${of(METRIC.newFingerprint)}) < 900`,
    for: '1m',
    severity: 'info',
    summary: `Pipeline ${name} dead-letters a failure that it had not met`,
    description: `A dead letter of ${name} has a fingerprint that none had before, since {{ $value | humanizeDuration }}: sluice dlq groups ${name} shows it.`,
  }),
  rule('SluicePipelineDeadLettersExpire', {
    expr: `time() - min(${of(METRIC.oldestUnhandled)}) > ${Math.round((NEAR_RETENTION * retentionMs) / 1000)}`,
    for: '10m',
    severity: 'warning',
    summary: `Dead letters of pipeline ${name} will soon be deleted unhandled`,
    description: `The oldest dead letter of ${name} that was neither redriven nor discarded died {{ $value | humanizeDuration }} ago; retention deletes it after ${formatDuration(retentionMs)}.`,
  }),
  rule('SluicePipelineRetrySaturation', {
    expr: `sum(rate(${of(METRIC.redelivered)}[10m])) > 10 * sum(rate(${of(METRIC.deadLetters)}[10m])) and sum(${of(METRIC.pending)}) > 10000`,
    for: '10m',
    severity: 'warning',
    summary: `Retries of pipeline ${name} pile up`,
    description: `{{ $value | humanize }} redeliveries a second and more than 10,000 records waiting: the application of ${name} fails most of what it is given.`,
  }),
]

const progress = (name: string, of: Series): readonly AlertRule[] => [
  rule('SluicePipelineOverdue', {
    expr: `max(${of(METRIC.oldestOverdue)}) > 30`,
    for: '2m',
    severity: 'critical',
    summary: `Pipeline ${name} does not redeliver what is due`,
    description: `The wait of the oldest failed record of ${name} has been over for {{ $value | humanizeDuration }}.`,
  }),
  rule('SluicePipelineReadStalled', {
    expr: `max(${of(METRIC.readLag)}) > 60`,
    for: '3m',
    severity: 'critical',
    summary: `Pipeline ${name} does not read its retry topic`,
    description: `The retry topic of ${name} is read only up to {{ $value | humanizeDuration }} ago: new failures are not seen.`,
  }),
]

/** The kernel's metric: it stops a task rather than lose or double records. */
const stopped = (name: string): AlertRule =>
  rule('SluicePipelineTaskStopped', {
    expr: `max by (partition, reason) (sluice_worker_task_stopped{kind="DeadLetterPipeline",name="${name}"}) > 0`,
    for: '1m',
    severity: 'critical',
    summary: `A partition of pipeline ${name} was stopped to save data`,
    description: `Partition {{ $labels.partition }} of ${name} was stopped ({{ $labels.reason }}): going on would lose or repeat messages. A human must look.`,
  })

const breakerOpen = (name: string, of: Series): AlertRule =>
  rule('SluicePipelineBreakerOpen', {
    expr: `max(${of(METRIC.breakerOpen)}) > 0`,
    for: '1m',
    severity: 'critical',
    summary: `The application of pipeline ${name} is not called`,
    description: `The breaker of ${name} is open: the application fails, its records are held and it is probed until it answers. Nothing becomes a dead letter meanwhile.`,
  })

const orderingFull = (name: string, of: Series): AlertRule =>
  rule('SluicePipelineOrderingFull', {
    expr: `sum(${of(METRIC.orderingFull)}) > 0`,
    for: '5m',
    severity: 'warning',
    summary: `Partitions of pipeline ${name} wait for failed keys`,
    description: `{{ $value }} partitions of ${name} read no further: as many records stand behind failed ones of their keys as may.`,
  })

const unowned = (name: string, owned: readonly string[], wanted: number): AlertRule =>
  rule('SluicePipelinePartitionsUnowned', {
    expr: `${owned.map(series => `(count(${series}) or vector(0))`).join(' + ')} < ${wanted}`,
    for: '5m',
    severity: 'critical',
    summary: `Partitions of pipeline ${name} have no worker`,
    description: `Only {{ $value }} of ${wanted} partitions of ${name} are served: workers are down, or a task was stopped to save data.`,
  })
