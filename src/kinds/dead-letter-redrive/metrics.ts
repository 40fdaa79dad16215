import type { TaskMetric } from '../../worker/task.ts'

/** Names of what the worker of a redrive exports; alerts.ts asks for the same ones. */
export const METRIC = {
  records: 'sluice_redrive_records_total',
  remaining: 'sluice_redrive_remaining_offsets',
} as const

export const metrics: readonly TaskMetric[] = [
  {
    name: METRIC.records,
    help: 'Dead letters gone through: sent (or discarded), handled before, parked (redriven too often), failed (refused by the target), unselected.',
    type: 'counter',
    labels: ['pipeline', 'redrive', 'outcome'],
  },
  {
    name: METRIC.remaining,
    help: 'Offsets of the partition between the position of the redrive and the end that it captured; 0 when it is done.',
    type: 'gauge',
    labels: ['pipeline', 'redrive', 'partition'],
  },
]
