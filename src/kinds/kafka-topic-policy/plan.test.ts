import { describe, expect, test } from '@jest/globals'
import type { Observed, TopicView } from '../../operator/observed.ts'
import { kind } from './index.ts'
import { interest, plan, questions, samples } from './plan.ts'
import type { KafkaTopicPolicy, KafkaTopicPolicySpec, KafkaTopicPolicyStatus } from './resource.ts'

const NOW = Date.parse('2026-03-01T12:00:00Z')
const HOUR_MS = 3_600_000

type Rest = Omit<KafkaTopicPolicySpec, 'connectionRef'>
const aPolicy = (rest: Rest, status?: KafkaTopicPolicyStatus, name = 'own'): KafkaTopicPolicy => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'KafkaTopicPolicy',
  metadata: { name, namespace: 'shop' },
  spec: { connectionRef: { name: 'main' }, ...rest },
  ...(status === undefined ? {} : { status }),
})

interface TopicGiven {
  readonly partitions?: number
  readonly replicationFactor?: number
  readonly sizeBytes?: number
  readonly [config: string]: string | number | undefined
}
function aTopic(name: string, { partitions = 1, replicationFactor = 1, sizeBytes, ...configs }: TopicGiven = {}): TopicView {
  const entries = Object.entries(configs).map(
    ([key, value]) => [key, { value: String(value), source: 'Topic' as const, readOnly: false }] as const,
  )
  return {
    name,
    id: name,
    partitions,
    replicationFactor,
    underReplicated: 0,
    configs: new Map(entries),
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
  }
}

function seen(topics: readonly TopicView[], rest: Partial<Observed> = {}): Observed {
  return {
    now: NOW,
    connection: { ref: { kind: 'KafkaConnection', namespace: 'shop', name: 'main' }, defaults: { replicationFactor: 3 }, probe: undefined },
    topics: new Map(topics.map(topic => [topic.name, topic])),
    vanishing: new Set(),
    siblings: [],
    answers: new Map(),
    ...rest,
  }
}
const losing = (bytes: number) => new Map([['orders', { bytes }]])
const statusOf = (made: ReturnType<typeof plan>) => made.status as KafkaTopicPolicyStatus

describe('topics that are there', () => {
  test('should set what the policy names and nothing else', () => {
    const made = plan(
      aPolicy({ selector: { names: ['orders'] }, retention: { time: '1h' } }),
      seen([aTopic('orders', { 'retention.ms': 1000, 'segment.ms': 5 }), aTopic('other')]),
    )
    expect(made.topics).toEqual([{ name: 'orders', configs: { 'retention.ms': '3600000' }, owned: false }])
    expect(made.problems).toEqual([])
  })

  test('should count what is compliant and list what drifted', () => {
    const made = plan(
      aPolicy({ selector: { all: true }, retention: { time: '1h' }, config: { 'compression.type': 'zstd' } }),
      seen([
        aTopic('a', { 'retention.ms': HOUR_MS, 'compression.type': 'zstd', sizeBytes: 700 }),
        aTopic('b', { 'retention.ms': 5, sizeBytes: 20 }),
      ]),
    )
    expect(statusOf(made).topics).toEqual({ matched: 2, compliant: 1, drifted: 1, bytes: 720 })
    expect(statusOf(made).drift).toEqual([
      { topic: 'b', key: 'compression.type', desired: 'zstd' },
      { topic: 'b', key: 'retention.ms', desired: '3600000', actual: '5' },
    ])
    expect(statusOf(made).lastAuditTime).toBe('2026-03-01T12:00:00.000Z')
  })

  test('should keep the lists of a large drift at twenty and count the whole', () => {
    const topics = Array.from({ length: 100 }, (_, i) => aTopic(`t${i}`, { 'retention.ms': 5, 'segment.ms': 9e12 }))
    const status = statusOf(plan(aPolicy({ selector: { all: true }, retention: { time: '1h' } }), seen(topics)))
    expect(status.drift).toHaveLength(20)
    expect(status.topics?.drifted).toBe(100)
  })

  test('should merge warnings of one code and say how many topics they concern', () => {
    const topics = ['a', 'b', 'c'].map(name =>
      aTopic(name, { 'retention.ms': HOUR_MS, 'segment.ms': 2 * HOUR_MS, 'cleanup.policy': 'delete' }),
    )
    const { warnings } = statusOf(plan(aPolicy({ selector: { all: true }, retention: { time: '1h' } }), seen(topics)))
    expect(warnings).toHaveLength(1)
    expect(warnings?.[0]).toMatchObject({ code: 'SegmentLongerThanRetention', topic: 'a' })
    expect(warnings?.[0]?.message).toMatch(/\(and 2 more topics\)$/)
  })

  test('should judge by the values that the policy is about to set', () => {
    const made = plan(
      aPolicy({ selector: { all: true }, retention: { time: '1h' }, segment: { time: '2h' } }),
      seen([aTopic('a', { 'retention.ms': 1e9, 'segment.ms': 5, 'cleanup.policy': 'delete' })]),
    )
    expect(statusOf(made).warnings?.map(({ code }) => code)).toEqual(['SegmentLongerThanRetention'])
  })

  test('should say that nothing matches without calling it a failure', () => {
    const made = plan(aPolicy({ selector: { prefixes: ['x'] }, retention: { time: '1h' } }), seen([aTopic('orders')]))
    expect(made.topics).toEqual([])
    expect(made.problems).toEqual([])
    expect(statusOf(made).warnings?.map(({ code }) => code)).toEqual(['NoTopicsMatched'])
  })

  test('should write nothing in mode Observe and report the same drift', () => {
    const spec: Rest = { selector: { all: true }, retention: { time: '1h' } }
    const topics = [aTopic('orders', { 'retention.ms': 5 })]
    const observing = plan(aPolicy({ ...spec, mode: 'Observe' }), seen(topics))
    expect(observing.observeOnly).toBe(true)
    expect(statusOf(observing).drift).toEqual(statusOf(plan(aPolicy(spec), seen(topics))).drift)
  })

  test('should reach with patterns only as far as the connection allows, and leave refusing named topics to the engine', () => {
    const connection = { ...seen([]).connection, allowedTopics: ['shop.*'] }
    const made = plan(
      aPolicy({ selector: { patterns: ['*'], names: ['bank.b'] }, retention: { time: '1h' } }),
      seen([aTopic('shop.a'), aTopic('bank.a'), aTopic('bank.b')], { connection }),
    )
    expect(made.topics.map(({ name }) => name)).toEqual(['shop.a', 'bank.b'])
  })
})

describe('topics that are missing', () => {
  const spec: Rest = { topics: [{ name: 'orders', partitions: 6 }], retention: { time: '1h' } }

  test('should create them with the wanted configs and the defaults of the connection', () => {
    const connection = { ...seen([]).connection, defaults: { replicationFactor: 3, minInsyncReplicas: 2 } }
    expect(plan(aPolicy(spec), seen([], { connection })).topics).toEqual([
      {
        name: 'orders',
        create: { partitions: 6, replicationFactor: 3 },
        configs: { 'retention.ms': '3600000', 'min.insync.replicas': '2' },
        owned: true,
      },
    ])
  })

  test('should leave min.insync.replicas to the broker where the spec says null', () => {
    const connection = { ...seen([]).connection, defaults: { replicationFactor: 3, minInsyncReplicas: 2 } }
    expect(plan(aPolicy({ ...spec, config: { 'min.insync.replicas': null } }), seen([], { connection })).topics[0]?.configs).toEqual({
      'retention.ms': '3600000',
    })
  })

  test('should not create one that is merely missing from the last listing', () => {
    expect(plan(aPolicy(spec), seen([], { vanishing: new Set(['orders']) })).topics).toEqual([])
  })

  test('should count them as drifted', () => {
    expect(statusOf(plan(aPolicy(spec), seen([]))).topics).toEqual({ matched: 1, compliant: 0, drifted: 1 })
  })
})

describe('partitions and replicas', () => {
  test('should ask to grow', () => {
    expect(plan(aPolicy({ topics: [{ name: 'orders', partitions: 6 }] }), seen([aTopic('orders', { partitions: 3 })])).topics).toEqual([
      { name: 'orders', partitions: 6, configs: {}, owned: true },
    ])
  })

  test('should divide a total size by the partitions that the topic will have', () => {
    const made = plan(
      aPolicy({ topics: [{ name: 'orders', partitions: 6 }], retention: { sizeTotal: 600 } }),
      seen([aTopic('orders', { partitions: 3 })]),
    )
    expect(made.topics[0]?.configs).toEqual({ 'retention.bytes': '100' })
  })

  test('should refuse to shrink, name the field and still set the configs', () => {
    const made = plan(
      aPolicy({ topics: [{ name: 'orders', partitions: 2 }], retention: { time: '1h' } }),
      seen([aTopic('orders', { partitions: 3 })]),
    )
    expect(made.problems).toMatchObject([{ severity: 'Stalled', reason: 'PartitionsDecreased' }])
    expect(made.problems[0]?.message).toMatch(/^spec\.topics\[0\]\.partitions: topic "orders" has 3 partitions/)
    expect(made.topics[0]?.configs).toEqual({ 'retention.ms': '3600000' })
  })

  test('should say that it does not move replicas', () => {
    const made = plan(aPolicy({ topics: [{ name: 'orders', replicationFactor: 3 }] }), seen([aTopic('orders')]))
    expect(made.problems).toMatchObject([{ severity: 'Stalled', reason: 'ReplicationFactorDiffers' }])
  })
})

describe('several policies on one key of one topic', () => {
  const topics = [aTopic('orders', { 'retention.ms': 1 })]
  const own = (priority?: number) =>
    aPolicy({
      selector: { all: true },
      retention: { time: '1h' },
      config: { 'compression.type': 'lz4' },
      ...(priority === undefined ? {} : { priority }),
    })
  const other = (rest: Partial<Rest>) => aPolicy({ selector: { all: true }, retention: { time: '2h' }, ...rest }, undefined, 'other')

  test.each([
    { what: 'yield to a higher priority', siblings: [other({ priority: 200 })], keys: ['compression.type'], conflict: false },
    { what: 'win over a lower priority', siblings: [other({ priority: 1 })], keys: ['compression.type', 'retention.ms'], conflict: false },
    { what: 'touch nothing on a tie with another value', siblings: [other({})], keys: ['compression.type'], conflict: true },
    {
      what: 'not mind a tie with the same value written otherwise',
      siblings: [other({ retention: { time: '60m' } })],
      keys: ['compression.type', 'retention.ms'],
      conflict: false,
    },
    {
      what: 'not mind another topic',
      siblings: [other({ selector: { names: ['x'] } })],
      keys: ['compression.type', 'retention.ms'],
      conflict: false,
    },
    {
      what: 'not mind one that only observes',
      siblings: [other({ mode: 'Observe', priority: 900 })],
      keys: ['compression.type', 'retention.ms'],
      conflict: false,
    },
    {
      what: 'not quarrel where a third ranks higher',
      siblings: [other({}), other({ priority: 900 })],
      keys: ['compression.type'],
      conflict: false,
    },
    {
      what: 'stay out on a tie although a lower one agrees',
      siblings: [other({}), other({ priority: 1, retention: { time: '1h' } })],
      keys: ['compression.type'],
      conflict: true,
    },
  ])('should $what', ({ siblings, keys, conflict }) => {
    const made = plan(own(), seen(topics, { siblings }))
    expect(Object.keys(made.topics[0]?.configs ?? {}).sort()).toEqual(keys)
    expect(made.problems.map(({ reason }) => reason)).toEqual(conflict ? ['PolicyConflict'] : [])
  })

  test('should name topic, key, both values and the other policy', () => {
    const [problem] = plan(own(), seen(topics, { siblings: [other({})] })).problems
    expect(problem?.message).toBe(
      'topic "orders": retention.ms is 3600000 here and 7200000 in KafkaTopicPolicy shop/other of the same priority; neither is applied: give one a higher spec.priority',
    )
  })
})

describe('a retention that falls', () => {
  const spec: Rest = { selector: { names: ['orders'] }, retention: { time: '1h' } }
  const long = [aTopic('orders', { 'retention.ms': 8 * HOUR_MS })]

  test('should be asked about, and only then', () => {
    expect(questions(aPolicy(spec), seen(long))).toEqual([{ topic: 'orders', retentionMs: HOUR_MS }])
    expect(questions(aPolicy(spec), seen([aTopic('orders', { 'retention.ms': HOUR_MS })]))).toEqual([])
    expect(questions(aPolicy(spec), seen([aTopic('orders', { 'retention.ms': 5 })]))).toEqual([])
    expect(
      questions(
        aPolicy({ ...spec, retention: { time: -1, sizePerPartition: 10 } }),
        seen([aTopic('orders', { 'retention.ms': 5, 'retention.bytes': -1 })]),
      ),
    ).toEqual([{ topic: 'orders', retentionBytesPerPartition: 10 }])
  })

  test('should be announced with the bytes it will cost before anything is lowered', () => {
    const made = plan(aPolicy(spec), seen(long, { answers: losing(5000) }))
    expect(made.observeOnly).toBe(true)
    expect(made.requeueAfterMs).toBe(1000)
    expect(made.problems).toMatchObject([{ severity: 'NotReady', reason: 'RetentionDecreasing' }])
    expect(statusOf(made).pendingDeletion).toEqual({ bytes: 5000, topics: 1 })
    expect(statusOf(made).lastStepTime).toBeUndefined()
  })

  test('should be lowered once the status has said so, and the status keeps saying it while brokers delete', () => {
    const told = statusOf(plan(aPolicy(spec), seen(long, { answers: losing(5000) })))
    const lowering = plan(aPolicy(spec, told), seen(long, { answers: losing(5100) }))
    expect(lowering.observeOnly).toBeUndefined()
    expect(lowering.topics[0]?.configs).toEqual({ 'retention.ms': '3600000' })
    const done = [aTopic('orders', { 'retention.ms': HOUR_MS })]
    const after = plan(aPolicy(spec, statusOf(lowering)), seen(done, { now: NOW + 60_000 }))
    expect(statusOf(after).pendingDeletion).toEqual({ bytes: 5100, topics: 1 })
    expect(after.requeueAfterMs).toBe(240_000)
    const later = plan(aPolicy(spec, statusOf(after)), seen(done, { now: NOW + 300_000 }))
    expect(statusOf(later).pendingDeletion).toBeUndefined()
    expect(later.requeueAfterMs).toBeUndefined()
  })

  test('should be announced again when it would cost much more than was said', () => {
    const made = plan(aPolicy(spec, { pendingDeletion: { bytes: 100, topics: 1 } }), seen(long, { answers: losing(5000) }))
    expect(made.observeOnly).toBe(true)
  })

  test('should be lowered at once when nothing is lost by it', () => {
    const made = plan(aPolicy(spec), seen(long, { answers: losing(0) }))
    expect(made.observeOnly).toBeUndefined()
    expect(made.problems).toEqual([])
  })

  test('should be reported by mode Observe too', () => {
    expect(statusOf(plan(aPolicy({ ...spec, mode: 'Observe' }), seen(long, { answers: losing(7) }))).pendingDeletion).toEqual({
      bytes: 7,
      topics: 1,
    })
  })
})

describe('a retention that falls in steps', () => {
  const spec: Rest = { selector: { names: ['orders'] }, retention: { time: '1h' }, retentionDecrease: { maxStep: '50%', interval: '10m' } }

  test('should halve until it is there, one step an interval', () => {
    const walked: string[] = []
    let at = NOW
    let status: KafkaTopicPolicyStatus | undefined
    let current = String(7 * HOUR_MS)
    for (let i = 0; i < 10; i++) {
      const made = plan(aPolicy(spec, status), seen([aTopic('orders', { 'retention.ms': current })], { now: at }))
      status = statusOf(made)
      const next = made.topics[0]?.configs['retention.ms']
      if (next !== undefined && next !== null && next !== current) walked.push((current = next))
      at += made.requeueAfterMs ?? 0
    }
    expect(walked.map(text => Number(text) / HOUR_MS)).toEqual([3.5, 1.75, 1])
    expect(at - NOW).toBe(3 * 600_000)
  })

  test('should leave the key alone while waiting and say that it is on its way', () => {
    const status = { lastStepTime: new Date(NOW - 60_000).toISOString() }
    const made = plan(aPolicy(spec, status), seen([aTopic('orders', { 'retention.ms': 4 * HOUR_MS })]))
    expect(made.topics[0]?.configs).toEqual({})
    expect(made.requeueAfterMs).toBe(540_000)
    expect(made.problems).toMatchObject([{ severity: 'NotReady', reason: 'RetentionDecreasing' }])
    expect(statusOf(made).lastStepTime).toBe(status.lastStepTime)
    expect(statusOf(made).drift).toEqual([{ topic: 'orders', key: 'retention.ms', desired: '3600000', actual: String(4 * HOUR_MS) }])
  })

  test('should raise at once and create at once', () => {
    const raised = plan(
      aPolicy({ ...spec, topics: [{ name: 'new' }] }, { lastStepTime: new Date(NOW).toISOString() }),
      seen([aTopic('orders', { 'retention.ms': 5 })]),
    )
    expect(raised.topics.map(({ configs }) => configs['retention.ms'])).toEqual(['3600000', '3600000'])
    expect(raised.problems).toEqual([])
  })

  test('should come down from no limit at all', () => {
    const time = plan(aPolicy(spec), seen([aTopic('orders', { 'retention.ms': -1 })]))
    expect(time.topics[0]?.configs['retention.ms']).toBe(String(1_825 * 86_400_000))
    const bySize = { ...spec, retention: { sizePerPartition: 100 } }
    const size = plan(aPolicy(bySize), seen([aTopic('orders', { 'retention.bytes': -1, sizeBytes: 1000 })]))
    expect(size.topics[0]?.configs['retention.bytes']).toBe('500')
  })

  test('should not wait for ever when the clock was set back', () => {
    const made = plan(
      aPolicy(spec, { lastStepTime: new Date(NOW + 86_400_000).toISOString() }),
      seen([aTopic('orders', { 'retention.ms': 4 * HOUR_MS })]),
    )
    expect(made.topics[0]?.configs['retention.ms']).toBe(String(2 * HOUR_MS))
  })
})

describe('interest', () => {
  test('should ask for the keys that are set and those that its rules need, no more', () => {
    const { configKeys } = interest(aPolicy({ selector: { all: true }, retention: { time: '1h' } }))
    expect([configKeys].flat().sort()).toEqual(['cleanup.policy', 'retention.bytes', 'retention.ms', 'segment.ms'])
  })
})

describe('deletion of the resource', () => {
  test('should name the topics that the policy creates, not those that it selects', () => {
    expect(kind.deletes?.(aPolicy({ selector: { names: ['theirs'] }, topics: [{ name: 'ours' }] }))).toEqual(['ours'])
  })
})

describe('records without keys', () => {
  const topics = [
    aTopic('deletes', { 'cleanup.policy': 'delete' }),
    aTopic('compacts', { 'cleanup.policy': 'compact' }),
    aTopic('other', { 'cleanup.policy': 'compact' }),
  ]
  const selector = { names: ['deletes', 'compacts'] }

  test.each<{ given: string; rest: Rest; want: readonly string[] }>([
    { given: 'asks for compaction', rest: { cleanup: 'CompactAndDelete' }, want: ['deletes', 'compacts'] },
    { given: 'tunes compaction', rest: { compaction: { minLag: '1h' } }, want: ['compacts'] },
    { given: 'asks for deletion', rest: { cleanup: 'Delete' }, want: [] },
    { given: 'is about something else', rest: { segment: { time: '1h' } }, want: [] },
  ])('should be looked for only where compaction is the business of the policy: it $given', ({ rest, want }) => {
    expect(samples(aPolicy({ selector, ...rest }), seen(topics))).toEqual(want)
  })

  test.each(['Observe', 'Enforce'] as const)('should be warned of in mode %s before the topic is compacted', mode => {
    const keys = new Map([['deletes', { records: 3, withoutKey: 1 }]])
    const made = plan(aPolicy({ selector, cleanup: 'Compact', mode }), seen(topics, { keys }))
    expect(statusOf(made).warnings).toMatchObject([{ code: 'CompactionOnKeylessTopic', topic: 'deletes' }])
    expect(made.warnings).toEqual(statusOf(made).warnings)
  })
})
