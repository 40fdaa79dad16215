import { describe, expect, test } from '@jest/globals'
import type { Resource } from '../../api/resource.ts'
import { offlineFindings } from './index.ts'

const resource = (kind: string, name: string, spec: object, namespace = 'shop'): Resource => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind,
  metadata: { name, namespace },
  spec: { ...(kind === 'KafkaConnection' ? {} : { connectionRef: { name: 'main' } }), ...spec },
})
const main = resource('KafkaConnection', 'main', { bootstrapServers: ['localhost:9092'] })
const policy = (name: string, spec: object) => resource('KafkaTopicPolicy', name, spec)
const queue = (name: string, spec: object) => resource('DelayQueue', name, { maxDelay: '1h', target: { topic: 'orders' }, ...spec })
const saga = (...steps: readonly object[]) =>
  resource('SagaDefinition', 'saga', { steps: steps.map(step => ({ service: 's', action: 'A', compensation: 'none', ...step })) })

/** `severity field`, the connection being there. */
const found = (...resources: readonly Resource[]) =>
  offlineFindings([main, ...resources]).map(({ severity, field }) => `${severity} ${field}`)

describe('policies in conflict', () => {
  const week = { selector: { prefixes: ['orders.'] }, retention: { time: '7d' } }

  test.each([
    [
      'named in one, selected by the other',
      { topics: [{ name: 'orders.created' }], retention: { time: '30d' } },
      ['error spec.retention.time'],
    ],
    [
      'prefixes of which one contains the other',
      { selector: { prefixes: ['orders.eu.'] }, retention: { time: '30d' } },
      ['error spec.retention.time'],
    ],
    [
      'set by a key of Kafka',
      { topics: [{ name: 'orders.created' }], config: { 'retention.ms': '1000' } },
      ['error spec.config.retention.ms'],
    ],
    ['the same time in another unit', { topics: [{ name: 'orders.created' }], retention: { time: '168h' } }, []],
    ['another key', { topics: [{ name: 'orders.created' }], retention: { sizePerPartition: '1Gi' } }, []],
    ['another topic', { topics: [{ name: 'payments' }], retention: { time: '30d' } }, []],
    ['a higher priority', { topics: [{ name: 'orders.created' }], retention: { time: '30d' }, priority: 200 }, []],
    ['one that observes only', { topics: [{ name: 'orders.created' }], retention: { time: '30d' }, mode: 'Observe' }, []],
    [
      'excluded',
      { selector: { names: ['orders.created'], exclude: ['*.created'] }, retention: { time: '30d' } },
      ['warning spec.selector.names[0]'],
    ],
  ])('should judge %s', (_, other, findings) => {
    expect(found(policy('week', week), policy('other', other))).toEqual(findings)
  })

  test('should compare a share of a total where the partitions are known, and only there', () => {
    const known = { topics: [{ name: 'orders.created', partitions: 4 }], retention: { sizeTotal: '4Gi' } }
    const unknown = { topics: [{ name: 'orders.created' }], retention: { sizeTotal: '4Gi' } }
    const perPartition = (size: string) => policy('b', { selector: { prefixes: ['orders.'] }, retention: { sizePerPartition: size } })
    expect(found(policy('a', known), perPartition('1Gi'))).toEqual([])
    expect(found(policy('a', known), perPartition('2Gi'))).toEqual(['error spec.retention.sizePerPartition'])
    expect(found(policy('a', unknown), perPartition('2Gi'))).toEqual([])
  })
})

describe('connections', () => {
  test('should only warn of a connection that may be in the cluster, and name those that are here', () => {
    const [finding] = offlineFindings([
      main,
      resource('DelayQueue', 'q', { connectionRef: { name: 'mian' }, maxDelay: '1h', target: { topic: 'a' } }),
    ])
    expect(finding).toMatchObject({
      severity: 'warning',
      field: 'spec.connectionRef.name',
      message: expect.stringContaining('there is main'),
    })
  })

  test('should hold the topics of every kind against allowedTopics', () => {
    const strict = resource('KafkaConnection', 'main', { bootstrapServers: ['localhost:9092'], allowedTopics: ['orders*'] })
    const others = [
      policy('p', { topics: [{ name: 'orders' }, { name: 'x' }] }),
      queue('q', { deadLetter: { topic: 'y' } }),
      saga({ name: 'a', topic: 'z' }),
    ]
    expect(offlineFindings([strict, ...others]).map(({ severity, field }) => `${severity} ${field}`)).toEqual([
      'error spec.topics[1].name',
      'error metadata.name',
      'error spec.deadLetter.topic',
      'error spec.steps[0].topic',
    ])
  })

  test('should allow nothing where the list is empty', () => {
    const none = resource('KafkaConnection', 'main', { bootstrapServers: ['localhost:9092'], allowedTopics: [] })
    expect(offlineFindings([none, policy('p', { topics: [{ name: 'orders' }] })])).toHaveLength(1)
  })
})

describe('sagas', () => {
  test.each([
    ['a line', [{ name: 'a' }, { name: 'b' }], []],
    ['a diamond', [{ name: 'a' }, { name: 'b', after: ['a'] }, { name: 'c', after: ['a'] }, { name: 'd', after: ['b', 'c'] }], []],
    [
      'a forward reference',
      [
        { name: 'a', after: ['b'] },
        { name: 'b', after: [] },
      ],
      [],
    ],
    ['a circle by default order', [{ name: 'a', after: ['b'] }, { name: 'b' }], ['error spec.steps[0].after']],
    [
      'a circle behind a free step',
      [{ name: 'a' }, { name: 'b', after: ['c'] }, { name: 'c', after: ['b'] }],
      ['error spec.steps[1].after'],
    ],
    [
      'undoing beside the pivot',
      [
        { name: 'p', kind: 'Pivot' },
        { name: 'b', after: [] },
      ],
      [],
    ],
    [
      'undoing far behind the pivot',
      [{ name: 'p', kind: 'Pivot' }, { name: 'r', kind: 'Retriable' }, { name: 'b' }],
      ['error spec.steps[2].kind'],
    ],
  ])('should judge %s', (_, steps, findings) => {
    expect(found(saga(...steps))).toEqual(findings)
  })
})

describe('queues', () => {
  test('should let a queue deliver to any topic but its own', () => {
    const into = (topic: string) => found(queue('q', { target: { topic } }))
    expect(['shop.q.in', 'shop.q.tier.8s', 'shop.q.fixed.5m'].map(into)).toEqual(
      Array.from({ length: 3 }, () => ['error spec.target.topic']),
    )
    expect(['shop.q', 'shop.q.done', 'shop.r.in'].flatMap(into)).toEqual([])
  })

  test('should let queues of different clusters share a prefix', () => {
    const elsewhere = resource('KafkaConnection', 'other', { bootstrapServers: ['other:9092'] })
    const twin = resource('DelayQueue', 'r', { connectionRef: { name: 'other' }, maxDelay: '1h', target: { topic: 'a' }, topicPrefix: 'x' })
    expect(found(elsewhere, queue('q', { topicPrefix: 'x' }), twin)).toEqual([])
  })
})
