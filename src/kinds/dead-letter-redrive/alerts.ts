import type { AlertGroup } from '../../operator/plan.ts'
import { rule } from '../alert-rule.ts'
import type { RedriveConfig } from './config.ts'
import { METRIC } from './metrics.ts'

/** While it runs; from the worker's own metrics. */
export const alerts = ({ run, pipeline }: RedriveConfig): AlertGroup => ({
  rules: [
    rule('SluiceRedriveStalled', {
      expr: `sum(${METRIC.remaining}{redrive="${run}"}) > 0 unless sum(increase(${METRIC.records}{redrive="${run}"}[10m])) > 0`,
      for: '5m',
      severity: 'warning',
      summary: `Redrive ${run} does not get on`,
      description: `{{ $value | humanize }} offsets of the dead letters of ${pipeline} are left to go through, and none was in the last 10 minutes.`,
    }),
  ],
})
