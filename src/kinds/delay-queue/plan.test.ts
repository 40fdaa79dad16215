import { describe, expect, test } from '@jest/globals'
import type { Observed, TopicView } from '../../operator/observed.ts'
import { parseConfig } from './config.ts'
import { kind } from './index.ts'
import { hops, ladder, tierFor } from './ladder.ts'
import type { DelayQueue, DelayQueueSpec } from './resource.ts'
import { ownTopics, queueTopics, topicConfigs } from './topics.ts'

const aQueue = (spec: Partial<DelayQueueSpec> = {}, name = 'pay'): DelayQueue => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DelayQueue',
  metadata: { name, namespace: 'shop', generation: 1 },
  spec: { connectionRef: { name: 'main' }, maxDelay: '1h', target: { topic: 'orders.due' }, ...spec },
})

const aTopic = (name: string, partitions = 6): TopicView =>
  ({ name, partitions, replicationFactor: 3, configs: new Map() }) as unknown as TopicView

const seen = (topics: readonly TopicView[] = [aTopic('orders.due')], more: Partial<Observed> = {}): Observed => ({
  now: 1_700_000_000_000,
  connection: {
    ref: { kind: 'KafkaConnection', namespace: 'shop', name: 'main' },
    defaults: { replicationFactor: 3, minInsyncReplicas: 2 },
    probe: undefined,
  },
  topics: new Map(topics.map(topic => [topic.name, topic])),
  vanishing: new Set(),
  siblings: [],
  answers: new Map(),
  ...more,
})

describe('ladder', () => {
  test('should hold powers of two from 8 s to the longest delay', () => {
    expect(ladder(7_999)).toEqual([])
    expect(ladder(64_000)).toEqual([8_000, 16_000, 32_000, 64_000])
    expect(ladder(86_400_000)).toHaveLength(14)
  })

  test('should leave every record the guard before its due time', () => {
    const tiers = ladder(86_400_000)
    for (let remainingMs = 10_000; remainingMs < 86_400_000; remainingMs = Math.ceil(remainingMs * 1.01)) {
      const index = tierFor(tiers, remainingMs)
      expect(index).toBeGreaterThanOrEqual(0)
      expect(remainingMs - tiers[index]!).toBeGreaterThanOrEqual(2_000)
    }
    expect(tierFor(tiers, 9_999)).toBe(-1)
  })

  test('should need few hops: about half the bits of the delay', () => {
    const mean = (maxDelayMs: number) => {
      const tiers = ladder(maxDelayMs)
      let total = 0
      for (let i = 1; i <= 20_000; i++) total += hops(tiers, (maxDelayMs * i) / 20_000).length
      return total / 20_000
    }
    // The figures of docs/adr/0003-tier-ladder.md.
    expect(mean(3_600_000)).toBeCloseTo(2.82, 1)
    expect(mean(86_400_000)).toBeCloseTo(5.03, 1)
    expect(mean(30 * 86_400_000)).toBeCloseTo(7.5, 1)
  })
})

describe('topics', () => {
  test('should be named by the queue, or by the prefix that the spec gives', () => {
    expect(ownTopics(queueTopics(aQueue({ maxDelay: '10s', tiers: ['5s'] })))).toEqual([
      'shop.pay.in',
      'shop.pay.fixed.5s',
      'shop.pay.tier.8s',
      'shop.pay.journal',
      'shop.pay.ids',
      'shop.pay.dlq',
    ])
    expect(queueTopics(aQueue({ topicPrefix: 'x', deadLetter: { topic: 'dead' } }))).toMatchObject({ input: 'x.in', deadLetter: 'dead' })
  })

  test('should go on serving a fixed delay and a tier that left the spec while their topics exist', () => {
    const topics = queueTopics(aQueue({ maxDelay: '10s', tiers: ['5m'] }), [
      'shop.pay.fixed.30m',
      'shop.pay.fixed.30m.bak',
      'shop.pay.fixed.90m',
      'shop.pay.tier.64s',
      'shop.pay.tier.60s',
      'other.tier.32s',
    ])
    expect(topics.fixed.map(fixed => fixed.topic)).toEqual(['shop.pay.fixed.5m', 'shop.pay.fixed.30m'])
    expect(topics.tiers.map(tier => tier.delayMs)).toEqual([8_000, 64_000])
  })

  test('should keep records longer than they wait plus an outage of a week, and the journal longer than any of them', () => {
    const queue = aQueue({ maxDelay: '30d', tiers: ['5m', '7d'] })
    const topics = queueTopics(queue)
    const configs = topicConfigs(queue, topics)
    const retentionMs = (topic: string) => Number(configs.get(topic)?.['retention.ms'])
    const weekMs = 7 * 86_400_000
    for (const { topic, delayMs } of [...topics.fixed, ...topics.tiers, { topic: topics.input, delayMs: 64_000 }]) {
      expect(retentionMs(topic)).toBeGreaterThan(delayMs + weekMs)
      expect(retentionMs(topics.journal)).toBeGreaterThan(retentionMs(topic))
      expect(configs.get(topic)).toMatchObject({
        'retention.bytes': '-1',
        'message.timestamp.type': 'LogAppendTime',
        'cleanup.policy': 'delete',
      })
      expect(Number(configs.get(topic)?.['segment.ms'])).toBeLessThanOrEqual(86_400_000)
    }
    expect(configs.get(topics.ids)?.['cleanup.policy']).toBe('compact')
    expect(Number(configs.get(topics.deadLetter)?.['max.message.bytes'])).toBeGreaterThanOrEqual(
      Number(configs.get(topics.input)?.['max.message.bytes']) + 65_536,
    )
  })
})

describe('plan', () => {
  test('should want all topics with as many partitions as the queue, as durable as the connection says', () => {
    const { topics } = kind.plan(aQueue({ partitions: 4 }), seen())
    expect(topics.map(topic => topic.name)).toEqual(ownTopics(queueTopics(aQueue())))
    for (const topic of topics) {
      expect(topic.create).toEqual({ partitions: 4, replicationFactor: 3 })
      expect(topic.configs['min.insync.replicas']).toBe('2')
    }
  })

  test('should tell the workers what the spec says, readable by the worker', () => {
    const { workers } = kind.plan(
      aQueue({
        workers: { replicas: 3 },
        late: { policy: 'DeadLetter', after: '1h' },
        deduplication: { window: '10m' },
        allowedTargets: ['orders.*'],
        maxFireRate: 10,
      }),
      seen(),
    )
    expect(workers).toMatchObject({ replicas: 3, group: 'sluice.shop.pay.dq' })
    expect(parseConfig('pay', JSON.parse(JSON.stringify(workers?.config)))).toMatchObject({
      partitions: 6,
      maxDelayMs: 3_600_000,
      target: 'orders.due',
      allowedTargets: ['orders.*'],
      late: { policy: 'DeadLetter', afterMs: 3_600_000 },
      deduplicationMs: 600_000,
      maxFireRate: 10,
    })
  })

  test('should refuse a contract of another version by the name of the field', () => {
    expect(() => parseConfig('pay', { partitions: 0 })).toThrow(/DelayQueue\/pay: the contract does not fit this worker: .*same version/)
  })

  test('should take the partitions of an existing input when the spec leaves them open', () => {
    expect(kind.plan(aQueue(), seen([aTopic('orders.due'), aTopic('shop.pay.in', 3)])).topics[0]?.create?.partitions).toBe(3)
  })

  test('should join the group of its pool, and say by which topic it is seen to run', () => {
    const pooled = (name: string) => kind.plan(aQueue({ workers: { pool: 'small', replicas: 2 }, partitions: 3 }, name), seen()).workers
    expect(pooled('pay')).toMatchObject({
      group: 'sluice.shop.small.pool',
      pool: { name: 'small', input: { topic: 'shop.pay.in', partitions: 3 } },
    })
    expect(pooled('ship')?.group).toBe(pooled('pay')?.group)
    expect(kind.poolOf?.(aQueue({ workers: { pool: 'small', replicas: 2 } }))).toEqual({ pool: 'small', replicas: 2 })
    expect(kind.poolOf?.(aQueue({ workers: { replicas: 2 } }))).toBeUndefined()
  })

  test.each([
    { name: 'at least once', queue: aQueue({ delivery: 'AtLeastOnce' }), reason: 'NotImplemented', says: 'spec.delivery' },
    {
      name: 'a target of its own topics',
      queue: aQueue({ target: { topic: 'shop.pay.in' } }),
      reason: 'InvalidSpec',
      says: 'spec.target.topic',
    },
    {
      name: 'an internal target',
      queue: aQueue({ target: { topic: '__consumer_offsets' } }),
      reason: 'TopicNotAllowed',
      says: '__consumer_offsets',
    },
    { name: 'too long names', queue: aQueue({}, 'q'.repeat(245)), reason: 'InvalidSpec', says: 'spec.topicPrefix' },
  ])('should be stalled by $name', ({ queue, reason, says }) => {
    const { problems, topics } = kind.plan(queue, seen())
    expect(problems).toContainEqual({ severity: 'Stalled', reason, message: expect.stringContaining(says) as unknown as string })
    expect(topics).toEqual([])
  })

  test('should refuse a target outside the allow list of the connection', () => {
    const observed = seen()
    const limited: Observed = { ...observed, connection: { ...observed.connection, allowedTopics: ['shop.*'] } }
    expect(kind.plan(aQueue(), limited).problems).toContainEqual(
      expect.objectContaining({ severity: 'Stalled', reason: 'TopicNotAllowed' }),
    )
  })

  test('should say that the target does not exist, and go on', () => {
    const { problems, topics } = kind.plan(aQueue(), seen([]))
    expect(problems).toEqual([expect.objectContaining({ severity: 'NotReady', reason: 'TopicNotFound' })])
    expect(topics).not.toEqual([])
  })

  test('should refuse two queues on one input, in both directions', () => {
    const twin = aQueue({ topicPrefix: 'shop.pay' }, 'twin')
    for (const [one, other] of [
      [aQueue(), twin],
      [twin, aQueue()],
    ] as const)
      expect(kind.plan(one, seen([aTopic('orders.due')], { siblings: [other] })).problems).toContainEqual(
        expect.objectContaining({ severity: 'Stalled', reason: 'InvalidSpec' }),
      )
  })

  test.each([
    { partitions: 7, reason: 'PartitionsDecreased' },
    { partitions: 5, reason: 'InvalidSpec' },
  ])('should refuse an internal topic of $partitions partitions in a queue of 6', ({ partitions, reason }) => {
    const { problems } = kind.plan(aQueue({ partitions: 6 }), seen([aTopic('orders.due'), aTopic('shop.pay.journal', partitions)]))
    expect(problems).toEqual([expect.objectContaining({ severity: 'Stalled', reason })])
  })

  test('should show where to write and to read', () => {
    expect(kind.plan(aQueue({ tiers: ['5m'] }), seen()).status).toMatchObject({
      topics: { input: 'shop.pay.in', fixed: { '5m': 'shop.pay.fixed.5m' }, deadLetter: 'shop.pay.dlq' },
    })
  })

  test('should look at its own topics and the target only', () => {
    const { topics } = kind.interest(aQueue())
    expect(['shop.pay.in', 'shop.pay.tier.128s', 'shop.pay.fixed.3m', 'orders.due', 'shop.pay2.in', 'orders'].filter(topics)).toEqual([
      'shop.pay.in',
      'shop.pay.tier.128s',
      'shop.pay.fixed.3m',
      'orders.due',
    ])
  })

  test('should delete its topics but no dead letter topic that the spec names', () => {
    expect(kind.deletes?.(aQueue({ deadLetter: { topic: 'dead' } }))).not.toContain('dead')
    expect(kind.deletes?.(aQueue())).toContain('shop.pay.dlq')
  })
})
