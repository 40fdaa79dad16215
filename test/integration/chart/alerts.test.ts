import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { checkRules, firing, renderRules } from '../../support/chart.ts'
import type { RuleGroup } from '../../support/chart.ts'

const SOURCES = ['sluice', 'kafka_exporter', 'strimzi', 'jmx']

/** Series that must fire the alert, and the same a little below what it asks. */
interface Example {
  readonly alert: string
  readonly source?: string
  readonly at: string
  readonly bad: Readonly<Record<string, string>>
  readonly good: Readonly<Record<string, string>>
}

const lag = (labels: string, records: number) => ({
  [`kafka_consumergroup_lag{namespace="shop",topic="orders",partition="0",${labels}}`]: `${records}x20`,
})
const produced = (failed: number) => ({
  'kafka_server_brokertopicmetrics_failedproducerequests_total{namespace="kafka",strimzi_io_cluster="main"}': `0+${failed}x20`,
  'kafka_server_brokertopicmetrics_totalproducerequests_total{namespace="kafka",strimzi_io_cluster="main"}': '0+1000x20',
})
const transactions = (aborted: number) => ({
  'sluice_worker_transactions_total{namespace="shop",outcome="committed"}': '0+900x20',
  'sluice_worker_transactions_total{namespace="shop",outcome="aborted"}': `0+${aborted}x20`,
})
const reconciles = (errors: number) => ({
  'controller_runtime_reconcile_total{namespace="sluice-system",controller="delayqueue",result="success"}': '0+10x60',
  'controller_runtime_reconcile_errors_total{namespace="sluice-system",controller="delayqueue"}': `0+${errors}x60`,
})

const examples: readonly Example[] = [
  {
    alert: 'KafkaConsumerLag',
    source: 'kafka_exporter',
    at: '8m',
    bad: lag('consumergroup="billing"', 10_001),
    good: lag('consumergroup="billing"', 10_000),
  },
  {
    alert: 'KafkaConsumerLag',
    source: 'strimzi',
    at: '8m',
    bad: lag('consumergroup="billing",strimzi_io_cluster="main"', 10_001),
    good: lag('consumergroup="billing",strimzi_io_cluster="main"', 10_000),
  },
  {
    alert: 'KafkaConsumerLag',
    source: 'jmx',
    at: '8m',
    bad: {
      'kafka_consumer_consumer_fetch_manager_metrics_records_lag{namespace="shop",client_id="billing-1",topic="orders",partition="0"}':
        '10001x20',
    },
    good: {
      'kafka_consumer_consumer_fetch_manager_metrics_records_lag{namespace="shop",client_id="billing-1",topic="orders",partition="0"}':
        '10000x20',
    },
  },
  { alert: 'KafkaProducerErrorRate', source: 'strimzi', at: '8m', bad: produced(11), good: produced(10) },
  {
    alert: 'KafkaProducerErrorRate',
    source: 'jmx',
    at: '8m',
    bad: { 'kafka_producer_producer_metrics_record_error_rate{namespace="shop",client_id="orders-1"}': '0.02x20' },
    good: { 'kafka_producer_producer_metrics_record_error_rate{namespace="shop",client_id="orders-1"}': '0.01x20' },
  },
  {
    alert: 'KafkaFrequentRebalance',
    source: 'jmx',
    at: '9m',
    bad: { 'kafka_consumer_consumer_coordinator_metrics_rebalance_total{namespace="shop",client_id="billing-1"}': '0+4x20' },
    good: { 'kafka_consumer_consumer_coordinator_metrics_rebalance_total{namespace="shop",client_id="billing-1"}': '0+3x20' },
  },
  {
    alert: 'KafkaFrequentRebalance',
    source: 'sluice',
    at: '9m',
    bad: { 'sluice_worker_sessions_total{namespace="shop",pod="a"}': '0+4x20' },
    good: { 'sluice_worker_sessions_total{namespace="shop",pod="a"}': '0+3x20' },
  },
  { alert: 'KafkaTransactionFailure', source: 'sluice', at: '8m', bad: transactions(100), good: transactions(40) },
  {
    alert: 'KafkaConnectionCount',
    source: 'strimzi',
    at: '8m',
    bad: {
      'kafka_server_socket_server_metrics_connection_count{namespace="kafka",strimzi_io_cluster="main",pod="main-0",listener="PLAIN"}':
        '1001x20',
    },
    good: {
      'kafka_server_socket_server_metrics_connection_count{namespace="kafka",strimzi_io_cluster="main",pod="main-0",listener="PLAIN"}':
        '1000x20',
    },
  },
  {
    alert: 'KafkaConnectionCount',
    source: 'jmx',
    at: '8m',
    bad: { 'kafka_server_socket_server_metrics_connection_count{namespace="kafka",instance="10.0.0.1:9404"}': '1001x20' },
    good: { 'kafka_server_socket_server_metrics_connection_count{namespace="kafka",instance="10.0.0.1:9404"}': '1000x20' },
  },
  {
    alert: 'SluiceOperatorDown',
    at: '8m',
    bad: { 'up{job="sluice-metrics",namespace="sluice-system",pod="sluice-0"}': '0x20' },
    good: { 'up{job="sluice-metrics",namespace="sluice-system",pod="sluice-0"}': '1x20' },
  },
  {
    alert: 'SluiceNoLeader',
    at: '8m',
    bad: { 'sluice_leader{namespace="sluice-system",pod="a"}': '0x20', 'sluice_leader{namespace="sluice-system",pod="b"}': '0x20' },
    good: { 'sluice_leader{namespace="sluice-system",pod="a"}': '0x20', 'sluice_leader{namespace="sluice-system",pod="b"}': '1x20' },
  },
  { alert: 'SluiceReconcileErrors', at: '28m', bad: reconciles(3), good: reconciles(1) },
  {
    alert: 'SluiceReconcilePanic',
    at: '5m',
    bad: { 'controller_runtime_reconcile_panics_total{namespace="sluice-system",controller="delayqueue"}': '0 0 0 1x20' },
    good: { 'controller_runtime_reconcile_panics_total{namespace="sluice-system",controller="delayqueue"}': '1x20' },
  },
  {
    alert: 'SluiceQueueStuck',
    at: '8m',
    bad: { 'workqueue_longest_running_processor_seconds{namespace="sluice-system",name="sluice"}': '301x20' },
    good: { 'workqueue_longest_running_processor_seconds{namespace="sluice-system",name="sluice"}': '300x20' },
  },
  {
    alert: 'SluiceWorkerClockSkew',
    at: '8m',
    bad: {
      'sluice_worker_clock_skew_seconds{namespace="shop",pod="a"}': '-0.6x20',
      'sluice_worker_clock_skew_seconds{namespace="shop",pod="b"}': '0x20',
    },
    good: { 'sluice_worker_clock_skew_seconds{namespace="shop",pod="a"}': '0.5x20' },
  },
  {
    alert: 'SluiceWorkerTakeOvers',
    at: '28m',
    bad: {
      'sluice_worker_fences_total{namespace="shop",pod="a"}': '0+1x40',
      'sluice_worker_fences_total{namespace="shop",pod="b"}': '0+1x40',
    },
    // A worker that is restarted now and then.
    good: { 'sluice_worker_fences_total{namespace="shop",pod="a"}': '0 0 0 1 1 1 1 1 2x40' },
  },
  {
    alert: 'SluiceWorkerRestoreSlow',
    at: '8m',
    bad: { 'sluice_worker_tasks{namespace="shop",pod="a",state="restoring"}': '2x20' },
    // Soon over.
    good: { 'sluice_worker_tasks{namespace="shop",pod="a",state="restoring"}': '2 2 0x20' },
  },
  {
    alert: 'SluiceWatchSilent',
    at: '8m',
    bad: { 'sluice_informer_last_event_age_seconds{namespace="sluice-system",resource="delayqueues"}': '901x20' },
    good: { 'sluice_informer_last_event_age_seconds{namespace="sluice-system",resource="delayqueues"}': '900x20' },
  },
]

const named = examples.map(example => ({ ...example, name: [example.alert, example.source].filter(Boolean).join(' of ') }))

describe('the alerts of the chart', () => {
  let all: readonly RuleGroup[]
  beforeAll(async () => {
    all = await renderRules({ sources: SOURCES })
  })
  /** The rules of one alert, of one source where it has several. */
  const only = (alert: string, source: string | undefined): readonly RuleGroup[] =>
    all.map(group => ({ ...group, rules: group.rules.filter(rule => rule.alert === alert && rule.labels.source === source) }))

  test('should pass promtool', async () => {
    // The same alert of another source is a rule of its own group to promtool's linter.
    for (const source of SOURCES) expect(await checkRules(await renderRules({ sources: [source] }))).toContain('SUCCESS')
  })

  test('should each have an example', () => {
    const rules = all.flatMap(group => group.rules).map(rule => `${rule.alert} ${rule.labels.source ?? ''}`)
    expect(examples.map(example => `${example.alert} ${example.source ?? ''}`).toSorted()).toEqual(rules.toSorted())
  })

  test('should each say what is wrong, how bad it is and where to read on', () => {
    for (const rule of all.flatMap(group => group.rules)) {
      expect(rule.annotations).toEqual({
        summary: expect.stringMatching(/\S/),
        description: expect.stringMatching(/\S/),
        runbook_url: expect.stringMatching(/^https:/),
      })
      expect(rule.labels.severity).toMatch(/^(critical|warning|info)$/)
      const runbook = join(import.meta.dirname, '../../../docs/runbooks', rule.annotations.runbook_url?.split('/').at(-1) ?? '')
      expect([runbook, existsSync(runbook)]).toEqual([runbook, true])
    }
  })

  test.each(named)('should fire $name when it must, with a readable text', async ({ alert, source, bad: series, at }) => {
    const text = await firing(only(alert, source), { alert, series, at })
    expect(text).toContain(alert)
    expect(text).not.toMatch(/<no value>|<error|GROUP|THRESHOLD/)
  })

  test.each(named)('should keep $name quiet at the threshold', async ({ alert, source, good: series, at }) => {
    expect(await firing(only(alert, source), { alert, series, at })).toBeUndefined()
  })

  test('should follow the thresholds of the values', async () => {
    const rules = await renderRules({ sources: ['kafka_exporter'], consumerLag: 5_000_000 })
    const series = (records: number) => lag('consumergroup="billing"', records)
    expect(await firing(rules, { alert: 'KafkaConsumerLag', series: series(4_999_999), at: '8m' })).toBeUndefined()
    expect(await firing(rules, { alert: 'KafkaConsumerLag', series: series(5_000_001), at: '8m' })).toContain('billing')
  })
})
