import { afterEach, describe, expect, test } from '@jest/globals'
import type { Resource } from '../../src/api/resource.ts'
import { kinds } from '../../src/kinds/index.ts'
import { aConnection, aResource } from '../support/fakes/builders.ts'
import { OperatorHarness } from '../support/fakes/operator.ts'

let harness: OperatorHarness

afterEach(() => harness.stop())

const connectionRef = { name: 'main' }
const EXAMPLES: readonly Resource[] = [
  aResource('KafkaTopicPolicy', 'enforced', {
    connectionRef,
    selector: { prefixes: ['shop.'] },
    topics: [{ name: 'shop.new', partitions: 3, replicationFactor: 1 }],
    retention: { time: '1d', sizePerPartition: '1Gi' },
    cleanup: 'Delete',
    config: { 'max.message.bytes': '2097152' },
  }),
  aResource('KafkaTopicPolicy', 'observed', {
    connectionRef,
    mode: 'Observe',
    selector: { names: ['shop.old'] },
    retention: { time: '2d' },
  }),
  aResource('KafkaTopicPolicy', 'compacts', { connectionRef, mode: 'Observe', selector: { names: ['shop.due'] }, cleanup: 'Compact' }),
  aResource('DelayQueue', 'pay', { connectionRef, maxDelay: '1h', tiers: ['5m'], target: { topic: 'shop.due' }, partitions: 2 }),
  aResource('DeadLetterPipeline', 'billing', { connectionRef, source: { topic: 'shop.old', group: 'billing' }, delivery: { topic: {} } }),
  aResource('SagaDefinition', 'later', { connectionRef, steps: [{ name: 'a', service: 's', action: 'A', compensation: 'none' }] }),
]

describe.each(EXAMPLES)('$kind $metadata.name', example => {
  test('should cause no write of any kind once the operator has done what it can', async () => {
    harness = new OperatorHarness(kinds)
    harness.kafka.addTopic('shop.old', { partitions: 2, bytesPerPartition: 5_000, configs: { 'retention.ms': '5' } })
    harness.kafka.addTopic('shop.due', { partitions: 2, keys: { records: 9, withoutKey: 1 } })
    harness.store.put(aConnection())
    harness.store.put(example)
    await harness.start()
    await harness.pass(60_000)
    const { writes } = harness
    const status = harness.store.get({ kind: example.kind, namespace: 'shop', name: example.metadata.name })?.status
    expect(status?.conditions?.find(({ type }) => type === 'Ready')?.status).not.toBe('Unknown')
    await harness.pass(900_000)
    expect(harness.writes).toEqual(writes)
    expect(harness.kafka.count('describeTopics') + harness.kafka.count('describeCluster')).toBeGreaterThan(50)
  })
})

test('should read records of a topic at rest once', async () => {
  harness = new OperatorHarness(kinds)
  harness.kafka.addTopic('shop.due', { keys: { records: 9, withoutKey: 1 } })
  harness.store.put(aConnection())
  for (const example of EXAMPLES) if (example.metadata.name === 'compacts') harness.store.put(example)
  await harness.start()
  await harness.pass(7_200_000)
  expect(harness.store.get({ kind: 'KafkaTopicPolicy', namespace: 'shop', name: 'compacts' })?.status).toMatchObject({
    warnings: [{ code: 'CompactionOnKeylessTopic', topic: 'shop.due' }],
  })
  expect(harness.kafka.count('sampleKeys')).toBe(1)
})

test('should know which examples become ready', async () => {
  harness = new OperatorHarness(kinds)
  harness.kafka.addTopic('shop.old', { partitions: 2, configs: { 'retention.ms': '5' } })
  harness.kafka.addTopic('shop.due', { partitions: 2 })
  harness.store.put(aConnection())
  for (const example of EXAMPLES) harness.store.put(example)
  await harness.start()
  await harness.pass(60_000)
  const readiness = EXAMPLES.map(({ kind, metadata: { namespace, name } }) => {
    const ready = harness.condition({ kind, namespace, name })
    return [kind, name, ready?.status, ready?.reason]
  })
  expect(readiness).toEqual([
    ['KafkaTopicPolicy', 'enforced', 'True', 'Ready'],
    ['KafkaTopicPolicy', 'observed', expect.any(String), expect.any(String)],
    ['KafkaTopicPolicy', 'compacts', expect.any(String), expect.any(String)],
    ['DelayQueue', 'pay', 'True', 'Ready'],
    ['DeadLetterPipeline', 'billing', 'True', 'Ready'],
    ['SagaDefinition', 'later', 'False', 'NotImplemented'],
  ])
})
