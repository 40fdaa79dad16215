import { describe, expect, test } from '@jest/globals'
import type { Observed, TopicView } from '../../operator/observed.ts'
import type { DeadLetterPipeline } from '../dead-letter-pipeline/resource.ts'
import { kind } from './index.ts'
import { encodeProgress, nothingYet } from './progress.ts'
import type { Progress } from './progress.ts'
import type { DeadLetterRedrive } from './resource.ts'

const NOW = Date.parse('2026-03-01T12:00:00Z')
const STARTED = '2026-03-01T11:59:00.000Z'

const pipeline: DeadLetterPipeline = {
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DeadLetterPipeline',
  metadata: { name: 'billing', namespace: 'shop' },
  spec: { connectionRef: { name: 'main' }, source: { topic: 'orders', group: 'billing' }, delivery: { topic: {} } },
}

const aRedrive = (
  spec: Partial<DeadLetterRedrive['spec']> = {},
  status?: DeadLetterRedrive['status'],
  name = 'heal',
  creationTimestamp?: string,
): DeadLetterRedrive => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DeadLetterRedrive',
  metadata: { name, namespace: 'shop', ...(creationTimestamp !== undefined && { creationTimestamp }) },
  spec: { pipelineRef: { name: 'billing' }, select: { all: true }, ...spec },
  ...(status && { status }),
})

const aTopic = (name: string, partitions = 2): readonly [string, TopicView] => [
  name,
  { name, id: `id of ${name}`, partitions, replicationFactor: 1, underReplicated: 0, configs: new Map() },
]
const TOPICS = ['dlq', 'handled', 'audit', 'redelivery'].map(role => `shop.billing.${role}`)

const seen = (more: Partial<Observed> = {}): Observed => ({
  now: NOW,
  connection: { ref: { kind: 'KafkaConnection', namespace: 'shop', name: 'main' }, defaults: { replicationFactor: 1 }, probe: undefined },
  topics: new Map(TOPICS.map(name => aTopic(name))),
  vanishing: new Set(),
  siblings: [],
  answers: new Map(),
  subject: pipeline,
  ...more,
})

const bounds = {
  topicId: 'id of shop.billing.dlq',
  partitions: [
    [0, 100],
    [50, 150],
  ],
}
const running = { phase: 'Running' as const, startedAt: STARTED, bounds }
const at = (partition: number, offset: number, progress: Partial<Progress>) => ({
  topic: 'shop.billing.dlq',
  partition,
  offset,
  note: encodeProgress({ ...nothingYet(`shop/heal/${STARTED}`), ...progress }),
})

describe('the plan of a redrive', () => {
  test('should write the ends down before anything is moved', () => {
    expect(kind.readings?.(aRedrive(), seen())).toEqual({ ends: { topic: 'shop.billing.dlq', partitions: 2 } })
    const plan = kind.plan(aRedrive(), seen({ readings: { positions: [], bounds: [[0, 100], [50, 150]] } })) // prettier-ignore
    expect(plan.workers).toBeUndefined()
    expect(plan.status).toMatchObject({ phase: 'Running', startedAt: '2026-03-01T12:00:00.000Z', bounds })
  })

  test('should not read partitions that no selector selects', () => {
    const redrive = aRedrive({ select: { partitions: [1] } })
    const { status } = kind.plan(redrive, seen({ readings: { positions: [], bounds: [[0, 100], [50, 150]] } })) // prettier-ignore
    expect(status.bounds).toEqual({ ...bounds, partitions: [[100, 100], [50, 150]] }) // prettier-ignore
  })

  test('should run one worker in the group of the pipeline, and tell how far it is', () => {
    expect(kind.readings?.(aRedrive({}, running), seen())).toEqual({ group: 'sluice.shop.billing.redrive' })
    const positions = [
      at(0, 50, { matched: 40, sent: 30, parked: 4, handled: 5, failed: 1, fingerprints: new Map([['a', 30]]) }),
      at(1, 100, { matched: 2, sent: 2, fingerprints: new Map([['b', 2]]) }),
    ]
    const plan = kind.plan(aRedrive({ ratePerSecond: 7 }, running), seen({ readings: { positions } }))
    expect(plan.workers).toMatchObject({ replicas: 1, group: 'sluice.shop.billing.redrive' })
    expect(plan.workers?.config).toMatchObject({ run: `shop/heal/${STARTED}`, bounds: bounds.partitions, ratePerSecond: 7, maxRedrives: 3 })
    expect(plan.status).toMatchObject({ phase: 'Running', matched: 42, sent: 32, skipped: 9, failed: 1, eta: '2026-03-01T12:01:00.000Z' })
    expect(plan.status.histogram).toEqual([
      { target: 'shop.billing.redelivery', fingerprint: 'a', count: 30 },
      { target: 'shop.billing.redelivery', fingerprint: 'b', count: 2 },
    ])
  })

  test('should be completed, without workers, when every partition is done, and ask nothing any more', () => {
    const positions = [at(0, 100, { done: true, matched: 3, sent: 3 }), at(1, 150, { done: true })]
    const plan = kind.plan(aRedrive({}, running), seen({ readings: { positions } }))
    expect(plan.workers).toBeUndefined()
    expect(plan.status).toMatchObject({ phase: 'Completed', matched: 3, sent: 3, completedAt: '2026-03-01T12:00:00.000Z' })
    const done = aRedrive({}, plan.status)
    expect(kind.readings?.(done, seen())).toBeUndefined()
    expect(kind.plan(done, seen({ now: NOW + 1e6 }))).toMatchObject({ problems: [], status: plan.status })
  })

  test('should take no notes of another run for its own', () => {
    const positions = [{ ...at(0, 100, { done: true }), note: encodeProgress({ ...nothingYet('shop/heal/earlier'), done: true }) }]
    expect(kind.plan(aRedrive({}, running), seen({ readings: { positions } })).status).toMatchObject({ phase: 'Running', sent: 0 })
  })

  test.each([
    { name: 'the one that runs', sibling: aRedrive({}, running, 'zzz', '2026-03-02T00:00:00Z'), waits: true },
    { name: 'the older one', sibling: aRedrive({}, undefined, 'zzz', '2026-02-01T00:00:00Z'), waits: true },
    { name: 'nobody younger', sibling: aRedrive({}, undefined, 'aaa', '2026-03-02T00:00:00Z'), waits: false },
    { name: 'nobody who is done', sibling: aRedrive({}, { phase: 'Completed' }, 'aaa', '2026-02-01T00:00:00Z'), waits: false },
    {
      name: 'nobody who cannot begin',
      sibling: aRedrive(
        {},
        { conditions: [{ type: 'Stalled', status: 'True', reason: 'x', message: '', observedGeneration: 1, lastTransitionTime: '' }] },
        'aaa',
        '2026-02-01T00:00:00Z',
      ),
      waits: false,
    },
    { name: 'nobody of another pipeline', sibling: aRedrive({ pipelineRef: { name: 'other' } }, running, 'aaa'), waits: false },
  ])('should wait for $name', ({ sibling, waits }) => {
    const redrive = aRedrive({}, undefined, 'heal', '2026-03-01T00:00:00Z')
    const plan = kind.plan(redrive, seen({ siblings: [sibling], readings: { positions: [], bounds: [[0, 1], [0, 1]] } })) // prettier-ignore
    expect(plan.status.phase).toBe(waits ? 'Pending' : 'Running')
    expect(plan.problems.map(({ reason }) => reason)).toEqual([waits ? 'RedriveWaiting' : 'RedriveRunning'])
  })

  test('should stop its worker while it is suspended, and keep what it knows', () => {
    const plan = kind.plan(aRedrive({ suspend: true }, running), seen())
    expect(plan).toMatchObject({ problems: [{ reason: 'Suspended' }], status: { ...running, phase: 'Suspended' } })
    expect(plan.workers).toBeUndefined()
  })

  test.each([
    {
      spec: { to: 'Topic' as const, topic: 'shop.billing.dlq' },
      reason: 'InvalidSpec',
      says: 'a topic of DeadLetterPipeline billing itself',
    },
    {
      spec: { to: 'Topic' as const, topic: 'shop.billing.retry' },
      reason: 'InvalidSpec',
      says: 'a topic of DeadLetterPipeline billing itself',
    },
    { spec: { to: 'Topic' as const, topic: 'other.orders' }, reason: 'TopicNotAllowed', says: 'outside spec.allowedTopics' },
    { spec: { to: 'Topic' as const, topic: 'shop.absent' }, reason: 'TopicNotFound', says: 'shop.absent does not exist' },
  ])('should refuse to write to $spec.topic', ({ spec, reason, says }) => {
    const { connection } = seen()
    const plan = kind.plan(aRedrive(spec), seen({ connection: { ...connection, allowedTopics: ['shop.*'] } }))
    expect(plan.problems).toEqual([expect.objectContaining({ reason, message: expect.stringContaining(says) })])
    expect(plan.workers).toBeUndefined()
  })

  test('should read the dead letter topic of a rule where it is asked to', () => {
    const ruled: DeadLetterPipeline = {
      ...pipeline,
      spec: { ...pipeline.spec, rules: [{ match: { errorClass: ['Fraud'] }, action: 'DeadLetter', deadLetterTopic: 'fraud' }] },
    }
    const topics = new Map([...TOPICS, 'fraud'].map(name => aTopic(name)))
    const redrive = aRedrive({ deadLetterTopic: 'fraud' })
    const observed = seen({ subject: ruled, topics })
    expect(kind.interest(redrive, ruled).topics('fraud')).toBe(true)
    expect(kind.readings?.(redrive, observed)).toEqual({ ends: { topic: 'fraud', partitions: 2 } })
    const { status } = kind.plan(redrive, { ...observed, readings: { positions: [], bounds: [[0, 1], [0, 1]] } }) // prettier-ignore
    const plan = kind.plan({ ...redrive, status }, { ...observed, readings: { positions: [] } })
    expect(plan.workers?.config).toMatchObject({
      topicId: 'id of fraud',
      topics: { deadLetter: 'fraud', handled: 'shop.billing.handled', target: 'shop.billing.redelivery' },
    })
  })

  test('should refuse a dead letter topic that is none of the pipeline', () => {
    const plan = kind.plan(
      aRedrive({ deadLetterTopic: 'orders' }),
      seen({ topics: new Map([...TOPICS, 'orders'].map(name => aTopic(name))) }),
    )
    expect(plan.problems).toEqual([
      expect.objectContaining({ reason: 'InvalidSpec', message: expect.stringContaining('there are shop.billing.dlq') }),
    ])
  })

  test('should wait until what is handled can be written down for every partition', () => {
    const topics = new Map([...TOPICS.map(name => aTopic(name)), aTopic('shop.billing.dlq', 3)])
    const plan = kind.plan(aRedrive(), seen({ topics, readings: { positions: [], bounds: [[0, 1], [0, 1], [0, 1]] } })) // prettier-ignore
    expect(plan.status.phase).toBe('Pending')
    expect(plan.problems.map(({ message }) => message.split(' ')[1])).toEqual(['shop.billing.handled', 'shop.billing.audit'])
  })

  test('should give up when the dead letter topic was made again', () => {
    const topics = new Map([...TOPICS.map(name => aTopic(name)), ['shop.billing.dlq', { ...aTopic('shop.billing.dlq')[1], id: 'new' }]])
    const plan = kind.plan(aRedrive({}, running), seen({ topics, readings: { positions: [] } }))
    expect(plan).toMatchObject({ status: { phase: 'Failed' }, problems: [{ severity: 'Stalled', reason: 'RedriveFailed' }] })
  })
})
