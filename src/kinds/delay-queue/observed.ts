import type { EpochMs } from '../../api/resource.ts'
import type { Observation } from '../../worker/task.ts'
import { HORIZON_MS } from './ladder.ts'
import type { Batch } from './batch.ts'
import { METRIC } from './metrics.ts'
import type { MetricName } from './metrics.ts'
import type { Ending, Source } from './source.ts'
import { OUTAGE_ALLOWANCE_MS } from './topics.ts'

const COUNTED: Readonly<Record<Exclude<Ending, 'deadLettered' | 'obeyed' | 'ruleDropped'>, MetricName>> = {
  delivered: METRIC.fired,
  moved: METRIC.moved,
  cancelled: METRIC.cancelled,
  superseded: METRIC.superseded,
  duplicate: METRIC.deduplicated,
  lateDropped: METRIC.lateDropped,
  unmatched: METRIC.firesUnmatched,
}

/** What a committed batch did. Lateness is to the commit: before it no reader sees the message. */
export function observations(batch: Batch, now: EpochMs, queue: string): readonly Observation[] {
  const labels = { queue }
  const counts = new Map<string, { metric: MetricName; value: number; labels: Readonly<Record<string, string>> }>()
  const count = (key: string, metric: MetricName, more: Readonly<Record<string, string>>): void => {
    const counted = counts.get(key)
    if (counted === undefined) counts.set(key, { metric, value: 1, labels: more })
    else counted.value++
  }
  const seen: Observation[] = []
  batch.ended.forEach((item, i) => {
    const ending = batch.endings[i] ?? 'obeyed'
    if (ending === 'delivered') {
      const latenessMs = Math.max(0, now - Math.max(item.dueMs, item.originMs))
      seen.push({ metric: METRIC.lateness, value: latenessMs / 1000, labels })
    }
    if (ending === 'deadLettered') {
      const disposition = batch.reasons[i]?.disposition ?? 'poison'
      count(disposition, METRIC.deadLetters, { queue, disposition })
    } else if (ending !== 'obeyed' && ending !== 'ruleDropped') count(COUNTED[ending], COUNTED[ending], labels)
  })
  const unmatched = batch.expired.filter(({ unmatchedCancel }) => unmatchedCancel).length
  if (unmatched > 0) seen.push({ metric: METRIC.cancelsUnmatched, value: unmatched, labels })
  return [...seen, ...counts.values()]
}

/** A task as its gauges show it. */
export interface TaskView {
  readonly now: EpochMs
  readonly sources: readonly Source[]
  readonly near: number
  readonly overdue: number
  readonly firstDueMs: EpochMs
  /** When the oldest record came that is to become a dead letter. */
  readonly firstBadMs: EpochMs
}

/** Names under which a kind exports what its tasks hold. */
export interface GaugeNames {
  readonly pending: string
  readonly overdue: string
  readonly oldestOverdue: string
  readonly readLag: string
  readonly unread?: string
  readonly timeToLoss?: string
}

/**
 * When retention deletes the first record that is not read or not done. What is read was appended its wait before it is due, less what it spends in memory; nothing
 * unread was appended before what was read.
 */
function lossAtMs({ sources, firstDueMs, firstBadMs }: TaskView): EpochMs {
  const unread = sources.filter(({ unread }) => unread > 0).map(({ readToMs, delayMs }) => readToMs + delayMs)
  return Math.min(firstDueMs - HORIZON_MS, firstBadMs, ...unread) + OUTAGE_ALLOWANCE_MS
}

/** @param labels of every gauge. */
export function gauges(view: TaskView, names: GaugeNames, labels: Readonly<Record<string, string>>): readonly Observation[] {
  const { now, sources, near, overdue, firstDueMs } = view
  const pending = (horizon: string, value: number): Observation => ({ metric: names.pending, value, labels: { ...labels, horizon } })
  const [input] = sources
  const readToMs = input?.readToMs ?? now
  const fixed = sources.filter(({ type }) => type === 'fixed')
  const toLossMs = Math.min(OUTAGE_ALLOWANCE_MS, lossAtMs(view) - now)
  return [
    pending('near', near),
    ...(fixed.length > 0
      ? [
          pending(
            'fixed',
            fixed.reduce((sum, { unread }) => sum + unread, 0),
          ),
        ]
      : []),
    ...sources.filter(({ type }) => type === 'tier').map(({ delayMs, far }) => pending(`${delayMs / 1000}s`, far)),
    { metric: names.overdue, value: overdue, labels },
    { metric: names.oldestOverdue, value: Math.max(0, now - firstDueMs) / 1000, labels },
    { metric: names.readLag, value: Number.isFinite(readToMs) ? Math.max(0, now - readToMs) / 1000 : 0, labels },
    ...(names.unread === undefined ? [] : [{ metric: names.unread, value: input?.unread ?? 0, labels }]),
    ...(names.timeToLoss === undefined ? [] : [{ metric: names.timeToLoss, value: toLossMs / 1000, labels }]),
  ]
}
