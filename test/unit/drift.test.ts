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
