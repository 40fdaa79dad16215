import { afterEach, expect, test } from '@jest/globals'
import { kinds } from '../../src/kinds/index.ts'
import { aConnection, aResource } from '../support/fakes/builders.ts'
import { OperatorHarness } from '../support/fakes/operator.ts'

let harness: OperatorHarness

afterEach(() => harness.stop())

test.each([
  { key: 'message.timestamp.type', slip: 'CreateTime', right: 'LogAppendTime', topic: 'shop.pay.in' },
  { key: 'message.timestamp.before.max.ms', slip: '9223372036854775807', right: '0', topic: 'shop.pay.fixed.5m' },
  { key: 'retention.ms', slip: '1000', right: '691500000', topic: 'shop.pay.fixed.5m' },
])('should set back $key of a topic of a queue within a minute, and say what it was', async ({ key, slip, right, topic }) => {
  harness = new OperatorHarness(kinds)
  harness.kafka.addTopic('shop.due', { partitions: 2 })
  harness.store.put(aConnection())
  const spec = { connectionRef: { name: 'main' }, maxDelay: '1h', tiers: ['5m'], target: { topic: 'shop.due' }, partitions: 2 }
  harness.store.put(aResource('DelayQueue', 'pay', spec))
  await harness.start()
  await harness.pass(60_000)
  const { configs } = harness.kafka.topics.get(topic)!
  expect(configs.get(key)).toBe(right)
  configs.set(key, slip)
  await harness.pass(60_000)
  expect(configs.get(key)).toBe(right)
  expect(harness.events.emitted.at(-1)).toMatchObject({
    type: 'Warning',
    reason: 'DriftReverted',
    message: `Set back what differed: ${key} of topic "${topic}" from ${slip} to ${right}`,
  })
  expect((await harness.metrics.expose()).body).toContain('sluice_topic_drifts_total{controller="DelayQueue"} 1')
})

test('should leave the topics of a queue and of a pipeline to them when a policy selects them too, and say so', async () => {
  harness = new OperatorHarness(kinds)
  for (const topic of ['shop.due', 'shop.orders', 'shop.pay.tier.mine.too', 'shop.pay.extra'])
    harness.kafka.addTopic(topic, { partitions: 2 })
  // Left over from a longer maxDelay and a fixed delay that the spec no longer has: something may wait there still.
  for (const topic of ['shop.pay.tier.1048576s', 'shop.pay.fixed.7m']) harness.kafka.addTopic(topic, { partitions: 2 })
  harness.store.put(aConnection())
  const connectionRef = { name: 'main' }
  const selector = { prefixes: ['shop.'] }
  harness.store.put(aResource('KafkaTopicPolicy', 'all', { connectionRef, selector, retention: { time: '2h' }, priority: 1000 }))
  harness.store.put(
    aResource('DelayQueue', 'pay', { connectionRef, maxDelay: '1h', tiers: ['5m'], target: { topic: 'shop.due' }, partitions: 2 }),
  )
  const source = { topic: 'shop.orders', group: 'billing' }
  harness.store.put(aResource('DeadLetterPipeline', 'billing', { connectionRef, source, delivery: { topic: {} } }))
  await harness.start()
  await harness.pass(60_000)
  const { writes } = harness
  await harness.pass(600_000)
  expect(harness.writes).toEqual(writes)
  const short = [...harness.kafka.topics].filter(([, { configs }]) => configs.get('retention.ms') === '7200000').map(([name]) => name)
  expect(short.toSorted()).toEqual(['shop.due', 'shop.orders', 'shop.pay.extra', 'shop.pay.tier.mine.too'])
  const status = harness.store.get({ kind: 'KafkaTopicPolicy', namespace: 'shop', name: 'all' })?.status
  expect(status).toMatchObject({
    topics: { matched: 4 },
    warnings: expect.arrayContaining([
      expect.objectContaining({
        code: 'SetUpByAnother',
        message: expect.stringMatching(/^(DelayQueue shop\/pay|DeadLetterPipeline shop\/billing) sets it up/),
      }),
    ]),
  })
})
