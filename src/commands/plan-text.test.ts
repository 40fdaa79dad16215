import { describe, expect, test } from '@jest/globals'
import type { PlannedResource } from './plan-text.ts'
import { planText } from './plan-text.ts'

const planned = (more: Partial<PlannedResource>): PlannedResource => ({
  kind: 'KafkaTopicPolicy',
  namespace: 'default',
  name: 'orders',
  changes: [],
  problems: [],
  unknown: false,
  ...more,
})

describe('planText', () => {
  test('should show every change in its own way, configs below their topic', () => {
    const changes: PlannedResource['changes'] = [
      { type: 'createTopic', topic: 'a', partitions: 3, replicationFactor: 1, configs: { 'retention.ms': '1000' } },
      { type: 'addPartitions', topic: 'b', from: 3, to: 6 },
      { type: 'setConfig', topic: 'c', key: 'retention.ms', from: '1', to: '2' },
      { type: 'setConfig', topic: 'c', key: 'segment.ms', from: null, to: '5' },
      { type: 'deleteConfig', topic: 'd', key: 'segment.bytes', from: '9' },
      { type: 'deleteTopic', topic: 'e' },
      { type: 'applyObject', object: 'Workers/dq', difference: 'replicas 1 -> 2' },
      { type: 'deleteObject', object: 'Workers/old' },
    ]
    expect(planText([planned({ namespace: 'shop', changes })])).toBe(
      [
        'KafkaTopicPolicy/shop/orders',
        '  + topic a: 3 partitions, replication factor 1',
        '      retention.ms = 1000',
        '  ~ topic b: partitions 3 -> 6',
        '  ~ topic c',
        '      retention.ms: 1 -> 2',
        '      segment.ms: (not told) -> 5',
        '  ~ topic d',
        '      segment.bytes: 9 -> (default of the cluster)',
        '  - topic e and everything in it',
        '  ~ Workers/dq: replicas 1 -> 2',
        '  - Workers/old',
        '',
        '8 changes by 1 of 1 resources; 0 have nothing to change',
      ].join('\n'),
    )
  })

  test('should tell problems from warnings and leave out what is in line', () => {
    const problems: PlannedResource['problems'] = [
      { severity: 'Stalled', reason: 'PolicyConflict', message: 'two want it' },
      { severity: 'Warning', reason: 'Drifted', message: 'a rule' },
    ]
    expect(planText([planned({ problems }), planned({ name: 'quiet' })])).toBe(
      'KafkaTopicPolicy/orders\n  ! PolicyConflict: two want it\n  ? Drifted: a rule\n\n0 changes by 0 of 2 resources; 1 have nothing to change',
    )
  })

  test('should print warnings also of what has nothing to change', () => {
    const warnings = [
      { code: 'CompactionOnKeylessTopic', topic: 'clicks', message: 'no keys' },
      { code: 'NoTopicsMatched', message: 'none yet' },
    ]
    expect(planText([planned({ warnings })])).toBe(
      'KafkaTopicPolicy/orders\n  ? CompactionOnKeylessTopic: topic clicks: no keys\n  ? NoTopicsMatched: none yet\n\n0 changes by 0 of 1 resources; 1 have nothing to change',
    )
  })

  const brings: PlannedResource['brings'] = {
    workers: { replicas: 2, group: 'sluice.shop.pay.dq', memoryBudgetBytes: 2 ** 27 },
    alerts: ['Late', 'Stopped'],
    cost: { lines: ['9 tiers'], data: {} },
  }

  test('should say below its changes what a resource brings and costs', () => {
    const text = planText([planned({ changes: [{ type: 'deleteTopic', topic: 'e' }], brings })])
    expect(text.split('\n').slice(2, 6)).toEqual([
      '  = workers: 2 in group sluice.shop.pay.dq, each with at most 128Mi of records in memory',
      '  = alerts: Late, Stopped',
      '  = cost: 9 tiers',
      '',
    ])
  })

  test('should keep quiet about what a resource in line brings, unless asked', () => {
    expect(planText([planned({ brings })])).not.toContain('9 tiers')
    expect(planText([planned({ brings })], true)).toContain('9 tiers')
  })
})
