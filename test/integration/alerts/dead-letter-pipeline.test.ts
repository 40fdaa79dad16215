import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { alerts } from '../../../src/kinds/dead-letter-pipeline/alerts.ts'
import { METRIC } from '../../../src/kinds/dead-letter-pipeline/metrics.ts'
import type { DeadLetterPipeline } from '../../../src/kinds/dead-letter-pipeline/resource.ts'
import { checkRules, firing } from '../../support/chart.ts'
import type { RuleGroup } from '../../support/chart.ts'

const pipeline: DeadLetterPipeline = {
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DeadLetterPipeline',
  metadata: { name: 'billing', namespace: 'shop' },
  spec: { connectionRef: { name: 'main' }, source: { topic: 'orders', group: 'billing' }, delivery: { topic: {} } },
}
const called: DeadLetterPipeline = {
  ...pipeline,
  spec: { ...pipeline.spec, delivery: { http: { url: 'http://billing/orders' } }, breaker: { failureRatio: '0.5' }, ordering: 'Key' },
}
const PARTITIONS = 3
const SOURCE_PARTITIONS = 5

/** As the adapters write them into a PrometheusRule or a rule file. */
const groupsOf = (resource: DeadLetterPipeline): readonly RuleGroup[] => [
  {
    name: 'shop.billing',
    rules: alerts(resource, { partitions: PARTITIONS, sourcePartitions: SOURCE_PARTITIONS }).rules.map(
      ({ alert, expr, for: lasting, severity, summary, description, runbook }) => ({
        alert,
        expr,
        for: lasting,
        labels: { severity },
        annotations: { summary, description, runbook_url: runbook },
      }),
    ),
  },
]
const groups = groupsOf(pipeline)
const calling = groupsOf(called)

const gauge = (metric: string, partition: number, values: string) => ({
  [`${metric}{pipeline="shop/billing",partition="${partition}"}`]: values,
})
const owned = (partitions: number) =>
  Object.assign({}, ...Array.from({ length: partitions }, (_, i) => gauge(METRIC.readLag, i, '0x60'))) as Record<string, string>
/** Of the retry topic, and of the source and redelivery topic as far as they are owned. */
const ownedCalling = (partitions: number) =>
  Object.assign(
    owned(PARTITIONS),
    ...Array.from({ length: partitions }, (_, i) => ({
      [`${METRIC.callsInFlight}{pipeline="shop/billing",partition="${i}",topic="orders"}`]: '0x60',
    })),
  ) as Record<string, string>
const deadLetters = (values: string) => ({
  [`${METRIC.deadLetters}{pipeline="shop/billing",disposition="exhausted",class="TimeoutError"}`]: values,
})
const stopped = (kind: string) => ({
  [`sluice_worker_task_stopped{kind="${kind}",name="shop/billing",partition="1",reason="OffsetOutOfRange"}`]: '1x60',
})
const retries = (waiting: number) => ({
  [`${METRIC.redelivered}{pipeline="shop/billing",attempt="2"}`]: '0+600x60',
  ...deadLetters('0x60'),
  [`${METRIC.pending}{pipeline="shop/billing",partition="0",horizon="near"}`]: `${waiting}x60`,
})

const DAY_S = 86_400
const examples = [
  { alert: 'SluicePipelineDeadLetters', bad: deadLetters('0+1x60'), good: deadLetters('7x60') },
  {
    alert: 'SluicePipelineNewFingerprint',
    bad: { ...gauge(METRIC.newFingerprint, 0, '10x60'), ...gauge(METRIC.newFingerprint, 1, '700x60') },
    good: gauge(METRIC.newFingerprint, 0, '600x60'),
  },
  // promtool's clock begins at 0: what is older than the test stands before it.
  {
    alert: 'SluicePipelineDeadLettersExpire',
    bad: { ...gauge(METRIC.oldestUnhandled, 0, '10x60'), ...gauge(METRIC.oldestUnhandled, 1, `-${24 * DAY_S}x60`) },
    good: gauge(METRIC.oldestUnhandled, 1, `-${23 * DAY_S}x60`),
  },
  { alert: 'SluicePipelineRetrySaturation', bad: retries(10_001), good: retries(10_000) },
  { alert: 'SluicePipelineOverdue', bad: gauge(METRIC.oldestOverdue, 1, '31x60'), good: gauge(METRIC.oldestOverdue, 1, '30x60') },
  { alert: 'SluicePipelineReadStalled', bad: gauge(METRIC.readLag, 0, '61x60'), good: gauge(METRIC.readLag, 0, '60x60') },
  { alert: 'SluicePipelineTaskStopped', bad: stopped('DeadLetterPipeline'), good: stopped('DelayQueue') },
  { alert: 'SluicePipelinePartitionsUnowned', bad: owned(PARTITIONS - 1), good: owned(PARTITIONS) },
]

const callExamples = [
  {
    alert: 'SluicePipelineBreakerOpen',
    bad: {
      [`${METRIC.breakerOpen}{pipeline="shop/billing",pod="a"}`]: '0x60',
      [`${METRIC.breakerOpen}{pipeline="shop/billing",pod="b"}`]: '1x60',
    },
    good: { [`${METRIC.breakerOpen}{pipeline="shop/billing"}`]: '0x60' },
  },
  {
    alert: 'SluicePipelineOrderingFull',
    bad: gauge(METRIC.orderingFull, 2, '1x60'),
    good: gauge(METRIC.orderingFull, 2, '0x60'),
  },
  {
    alert: 'SluicePipelinePartitionsUnowned',
    bad: ownedCalling(PARTITIONS + SOURCE_PARTITIONS - 1),
    good: ownedCalling(PARTITIONS + SOURCE_PARTITIONS),
  },
]

describe('the alerts of a dead letter pipeline', () => {
  test('should pass promtool', async () => {
    expect(await checkRules(groups)).toContain('SUCCESS')
    expect(await checkRules(calling)).toContain('SUCCESS')
  })

  test('should each have an example and a runbook', () => {
    const rules = calling.flatMap(group => group.rules)
    const named = new Set([...examples, ...callExamples].map(example => example.alert))
    expect([...named].toSorted()).toEqual(rules.map(rule => rule.alert).toSorted())
    for (const { alert, annotations } of rules) {
      expect(annotations.runbook_url).toMatch(new RegExp(`/docs/runbooks/${alert}\\.md$`))
      expect([alert, existsSync(join(import.meta.dirname, `../../../docs/runbooks/${alert}.md`))]).toEqual([alert, true])
    }
  })

  test.each(examples)('should fire $alert when it must, with a readable text', async ({ alert, bad: series }) => {
    const text = await firing(groups, { alert, series, at: '25m' })
    expect(text).toContain('shop/billing')
    expect(text).not.toMatch(/<no value>|<error/)
  })

  test.each(examples)('should keep $alert quiet when it may', async ({ alert, good: series }) => {
    expect(await firing(groups, { alert, series, at: '25m' })).toBeUndefined()
  })

  test.each(callExamples)('should fire $alert of a pipeline that calls when it must', async ({ alert, bad: series }) => {
    const text = await firing(calling, { alert, series, at: '25m' })
    expect(text).toContain('shop/billing')
    expect(text).not.toMatch(/<no value>|<error/)
  })

  test.each(callExamples)('should keep $alert of a pipeline that calls quiet when it may', async ({ alert, good: series }) => {
    expect(await firing(calling, { alert, series, at: '25m' })).toBeUndefined()
  })

  test('should tell when no worker reports at all', async () => {
    expect(await firing(groups, { alert: 'SluicePipelinePartitionsUnowned', series: {}, at: '25m' })).toContain('shop/billing')
  })
})
