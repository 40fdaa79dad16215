import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { alerts } from '../../../src/kinds/delay-queue/alerts.ts'
import { METRIC } from '../../../src/kinds/delay-queue/metrics.ts'
import type { DelayQueue } from '../../../src/kinds/delay-queue/resource.ts'
import { checkRules, firing } from '../../support/chart.ts'
import type { RuleGroup } from '../../support/chart.ts'

const queue: DelayQueue = {
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DelayQueue',
  metadata: { name: 'reminders', namespace: 'shop' },
  spec: { connectionRef: { name: 'main' }, maxDelay: '1d', target: { topic: 'reminders' } },
}
const PARTITIONS = 3

/** As the adapters write them into a PrometheusRule or a rule file. */
const groups: readonly RuleGroup[] = [
  {
    name: 'shop.reminders',
    rules: alerts(queue, PARTITIONS).rules.map(({ alert, expr, for: lasting, severity, summary, description, runbook }) => ({
      alert,
      expr,
      for: lasting,
      labels: { severity },
      annotations: { summary, description, runbook_url: runbook },
    })),
  },
]

const gauge = (metric: string, partition: number, values: string) => ({
  [`${metric}{queue="shop/reminders",partition="${partition}"}`]: values,
})
const owned = (partitions: number) =>
  Object.assign({}, ...Array.from({ length: partitions }, (_, i) => gauge(METRIC.readLag, i, '0x60'))) as Record<string, string>
const lateness = (late: number) => ({
  [`${METRIC.lateness}_bucket{queue="shop/reminders",le="0.1"}`]: `0+${1000 - late}x60`,
  [`${METRIC.lateness}_bucket{queue="shop/reminders",le="10"}`]: '0+1000x60',
  [`${METRIC.lateness}_bucket{queue="shop/reminders",le="+Inf"}`]: '0+1000x60',
})
const deadLetters = (values: string) => ({ [`${METRIC.deadLetters}{queue="shop/reminders",disposition="poison"}`]: values })

const stopped = (kind: string, values: string) => ({
  [`sluice_worker_task_stopped{kind="${kind}",name="shop/reminders",partition="1",reason="OffsetOutOfRange"}`]: values,
})

const examples = [
  { alert: 'SluiceDelayQueueOverdue', bad: gauge(METRIC.oldestOverdue, 1, '31x60'), good: gauge(METRIC.oldestOverdue, 1, '30x60') },
  { alert: 'SluiceDelayQueueLatenessHigh', bad: lateness(50), good: lateness(5) },
  { alert: 'SluiceDelayQueueReadStalled', bad: gauge(METRIC.readLag, 0, '61x60'), good: gauge(METRIC.readLag, 0, '60x60') },
  { alert: 'SluiceDelayQueueLossNear', bad: gauge(METRIC.timeToLoss, 1, '259199x60'), good: gauge(METRIC.timeToLoss, 1, '259200x60') },
  { alert: 'SluiceDelayQueueDeadLetters', bad: deadLetters('0+1x60'), good: deadLetters('7x60') },
  { alert: 'SluiceDelayQueueTaskStopped', bad: stopped('DelayQueue', '1x60'), good: stopped('SagaDefinition', '1x60') },
  { alert: 'SluiceDelayQueuePartitionsUnowned', bad: owned(PARTITIONS - 1), good: owned(PARTITIONS) },
]

describe('the alerts of a delay queue', () => {
  test('should pass promtool', async () => {
    expect(await checkRules(groups)).toContain('SUCCESS')
  })

  test('should each have an example and a runbook', () => {
    const rules = groups.flatMap(group => group.rules)
    expect(examples.map(example => example.alert).toSorted()).toEqual(rules.map(rule => rule.alert).toSorted())
    for (const { alert, annotations } of rules) {
      expect(annotations.runbook_url).toMatch(new RegExp(`/docs/runbooks/${alert}\\.md$`))
      expect([alert, existsSync(join(import.meta.dirname, `../../../docs/runbooks/${alert}.md`))]).toEqual([alert, true])
    }
  })

  test.each(examples)('should fire $alert when it must, with a readable text', async ({ alert, bad: series }) => {
    const text = await firing(groups, { alert, series, at: '25m' })
    expect(text).toContain('shop/reminders')
    expect(text).not.toMatch(/<no value>|<error/)
  })

  test.each(examples)('should keep $alert quiet when it may', async ({ alert, good: series }) => {
    expect(await firing(groups, { alert, series, at: '25m' })).toBeUndefined()
  })

  test('should tell when no worker reports at all', async () => {
    expect(await firing(groups, { alert: 'SluiceDelayQueuePartitionsUnowned', series: {}, at: '25m' })).toContain('shop/reminders')
  })
})
