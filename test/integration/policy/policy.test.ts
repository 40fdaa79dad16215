import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { ConfigResourceTypes, Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Admin } from 'kafkajs'
import type { KafkaTopicPolicy } from '../../../src/kinds/kafka-topic-policy/resource.ts'
import { eventually } from '../../support/eventually.ts'
import { sharedKafka } from '../../support/kafka.ts'
import type { SharedKafka } from '../../support/kafka.ts'
import { readiness, startSluiceRun } from '../../support/sluice-run.ts'
import type { SluiceRun } from '../../support/sluice-run.ts'

const HOUR_MS = 3_600_000

let kafka: SharedKafka
let sluice: SluiceRun
/** Another client: what the operator's own client says of its work proves little. */
let independent: Admin

beforeAll(async () => {
  kafka = await sharedKafka()
  independent = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).admin()
  await independent.connect()
  sluice = await startSluiceRun()
  await sluice.apply('KafkaConnection', 'main', { bootstrapServers: [kafka.bootstrap], defaults: { replicationFactor: 1 } })
  await sluice.settled('KafkaConnection', 'main', connection => readiness(connection) === 'Connected')
}, 120_000)
afterAll(async () => {
  await sluice.stop()
  await independent.disconnect()
  await kafka.stop()
})

const create = (topic: string, configs: Readonly<Record<string, string>> = {}, numPartitions = 1) =>
  independent.createTopics({
    waitForLeaders: true,
    topics: [{ topic, numPartitions, configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })) }],
  })

/** Configs set on the topic itself. */
async function configsOf(topic: string): Promise<Readonly<Record<string, string>>> {
  const { resources } = await independent.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }],
  })
  const entries = resources[0]?.configEntries ?? []
  // 1: set on the topic.
  return Object.fromEntries(
    entries.filter(entry => (entry.configSource as number) === 1).map(entry => [entry.configName, entry.configValue]),
  )
}
const partitionsOf = async (topic: string) => (await independent.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions.length

const policy = (name: string, spec: object) => sluice.apply('KafkaTopicPolicy', name, { connectionRef: { name: 'main' }, ...spec })
const settled = (name: string, wanted: (policy: KafkaTopicPolicy) => boolean, withinMs?: number) =>
  sluice.settled<KafkaTopicPolicy>('KafkaTopicPolicy', name, wanted, withinMs)
const ready = (one: KafkaTopicPolicy) => readiness(one) === 'Ready'

/** Changes one key by hand and leaves the others alone, as an administrator would: kafkajs can only replace the whole set. */
async function setByHand(topic: string, key: string, value: string): Promise<void> {
  const whole = { ...(await configsOf(topic)), [key]: value }
  await independent.alterConfigs({
    validateOnly: false,
    resources: [
      { type: ConfigResourceTypes.TOPIC, name: topic, configEntries: Object.entries(whole).map(([name, value]) => ({ name, value })) },
    ],
  })
}

describe('a policy on real Kafka', () => {
  test('should adopt existing topics and touch only the keys that it names', async () => {
    const prefix = kafka.uniquePrefix()
    await create(`${prefix}.a`, { 'segment.bytes': '2097152', 'retention.ms': '1000' })
    await create(`${prefix}.b`, { 'max.message.bytes': '4242' })
    await create(`${prefix}x`)
    await policy(prefix, { selector: { prefixes: [`${prefix}.`] }, retention: { time: '2h' } })
    const seen = await settled(prefix, ready)
    expect(await configsOf(`${prefix}.a`)).toEqual({ 'segment.bytes': '2097152', 'retention.ms': '7200000' })
    expect(await configsOf(`${prefix}.b`)).toEqual({ 'max.message.bytes': '4242', 'retention.ms': '7200000' })
    expect(await configsOf(`${prefix}x`)).toEqual({})
    expect(seen.status?.topics).toMatchObject({ matched: 2, compliant: 2, drifted: 0 })
  }, 60_000)

  test('should create missing topics, grow partitions, and refuse to shrink them', async () => {
    const topic = `${kafka.uniquePrefix()}-made`
    await policy(topic, { topics: [{ name: topic, partitions: 2 }], cleanup: 'Compact' })
    await settled(topic, ready)
    expect(await partitionsOf(topic)).toBe(2)
    expect(await configsOf(topic)).toEqual({ 'cleanup.policy': 'compact' })
    await policy(topic, { topics: [{ name: topic, partitions: 5 }], cleanup: 'Compact' })
    await settled(topic, ready)
    expect(await partitionsOf(topic)).toBe(5)
    await policy(`${topic}-less`, { topics: [{ name: topic, partitions: 3 }] })
    const refused = await settled(`${topic}-less`, one => readiness(one) === '!PartitionsDecreased')
    expect(JSON.stringify(refused.status?.conditions)).toContain('has 5 partitions and the spec asks for 3')
    expect(await partitionsOf(topic)).toBe(5)
    await sluice.remove('KafkaTopicPolicy', `${topic}-less`)
  }, 60_000)

  test('should revert a change by hand within a minute', async () => {
    const topic = `${kafka.uniquePrefix()}-drift`
    await create(topic)
    await policy(topic, { selector: { names: [topic] }, retention: { time: '2h' } })
    await settled(topic, ready)
    // A new policy is looked at twice: the second change is left to the looks of a policy at rest.
    for (const value of ['5000', '6000']) {
      await setByHand(topic, 'retention.ms', value)
      await eventually(`${value} to be reverted`, async () => (await configsOf(topic))['retention.ms'] === '7200000', 60_000)
    }
  }, 150_000)

  test('should report and write nothing in mode Observe', async () => {
    const topic = `${kafka.uniquePrefix()}-seen`
    await create(topic, { 'retention.ms': '1000' })
    await policy(topic, { mode: 'Observe', selector: { names: [topic] }, retention: { time: '2h' }, topics: [{ name: `${topic}.absent` }] })
    const seen = await settled(topic, one => readiness(one) === 'Observed' && one.status?.topics?.matched === 2)
    expect(seen.status?.drift).toContainEqual({ topic, key: 'retention.ms', desired: '7200000', actual: '1000' })
    expect(seen.status?.topics).toMatchObject({ matched: 2, drifted: 2 })
    expect(await configsOf(topic)).toEqual({ 'retention.ms': '1000' })
    expect(await independent.listTopics()).not.toContain(`${topic}.absent`)
  }, 60_000)

  test('should warn of records without keys before it compacts their topic, and while they are there', async () => {
    const topic = `${kafka.uniquePrefix()}-keyless`
    await create(topic)
    await create(`${topic}.keyed`)
    const producer = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).producer()
    await producer.connect()
    await producer.send({ topic, messages: [{ key: 'k', value: 'v' }, { value: 'v' }] })
    await producer.send({ topic: `${topic}.keyed`, messages: [{ key: 'k', value: 'v' }] })
    const warned = (one: KafkaTopicPolicy) => one.status?.warnings?.map(({ code, topic }) => [code, topic])
    const want = [['CompactionOnKeylessTopic', topic]]
    const spec = { selector: { prefixes: [topic] }, cleanup: 'Compact' }
    await policy(topic, { ...spec, mode: 'Observe' })
    expect(warned(await settled(topic, one => readiness(one) === 'Observed' && one.status?.topics?.matched === 2))).toEqual(want)
    expect(await configsOf(topic)).toEqual({})
    await policy(topic, spec)
    expect(warned(await settled(topic, ready))).toEqual(want)
    expect(await configsOf(topic)).toEqual({ 'cleanup.policy': 'compact' })
    // What the warning says of new records.
    await expect(producer.send({ topic, messages: [{ value: 'v' }] })).rejects.toThrow(/failed the validation/)
    await producer.disconnect()
  }, 60_000)

  test('should leave a contested key alone, tell both, and apply it once one ranks higher', async () => {
    const topic = `${kafka.uniquePrefix()}-contested`
    await create(topic)
    await policy(`${topic}-1`, { mode: 'Observe', selector: { names: [topic] }, retention: { time: '1h' } })
    await policy(`${topic}-2`, { mode: 'Observe', selector: { names: [topic] }, retention: { time: '2h' }, segment: { bytes: 2097152 } })
    await Promise.all([
      settled(`${topic}-1`, one => readiness(one) === 'Observed'),
      settled(`${topic}-2`, one => readiness(one) === 'Observed'),
    ])
    await policy(`${topic}-1`, { selector: { names: [topic] }, retention: { time: '1h' }, suspend: true })
    await policy(`${topic}-2`, { selector: { names: [topic] }, retention: { time: '2h' }, segment: { bytes: 2097152 }, suspend: true })
    await Promise.all([
      settled(`${topic}-1`, one => readiness(one) === '!Suspended'),
      settled(`${topic}-2`, one => readiness(one) === '!Suspended'),
    ])
    await policy(`${topic}-1`, { selector: { names: [topic] }, retention: { time: '1h' } })
    await policy(`${topic}-2`, { selector: { names: [topic] }, retention: { time: '2h' }, segment: { bytes: 2097152 } })
    await Promise.all(['1', '2'].map(which => settled(`${topic}-${which}`, one => readiness(one) === '!PolicyConflict')))
    await eventually('the uncontested key', async () => (await configsOf(topic))['segment.bytes'] === '2097152')
    await policy(`${topic}-2`, { priority: 200, selector: { names: [topic] }, retention: { time: '2h' }, segment: { bytes: 2097152 } })
    await settled(`${topic}-2`, ready)
    await settled(`${topic}-1`, ready)
    expect((await configsOf(topic))['retention.ms']).toBe('7200000')
  }, 90_000)

  test('should name the topic and the key when the broker refuses a value, and still apply the rest', async () => {
    const prefix = kafka.uniquePrefix()
    await create(`${prefix}.a`)
    await policy(prefix, { selector: { names: [`${prefix}.a`] }, config: { 'compression.type': 'no-such-codec' } })
    const refused = await settled(prefix, one => readiness(one) === '!InvalidConfig')
    expect(JSON.stringify(refused.status?.conditions)).toContain(`${prefix}.a`)
    await policy(prefix, { selector: { names: [`${prefix}.a`] }, config: { 'compression.type': 'zstd' } })
    await settled(prefix, ready)
    expect(await configsOf(`${prefix}.a`)).toEqual({ 'compression.type': 'zstd' })
  }, 60_000)

  test('should say what a shorter retention will delete before it deletes it', async () => {
    const topic = `${kafka.uniquePrefix()}-full`
    await create(topic, { 'retention.ms': String(24 * HOUR_MS), 'segment.bytes': '1048576' })
    const producer = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).producer()
    await producer.connect()
    const old = String(Date.now() - 12 * HOUR_MS)
    for (let i = 0; i < 4; i++)
      await producer.send({ topic, messages: Array.from({ length: 8 }, () => ({ timestamp: old, value: Buffer.alloc(100_000) })) })
    await producer.disconnect()
    const spec = { selector: { names: [topic] }, retention: { time: '1h' } }
    await policy(topic, { ...spec, mode: 'Observe' })
    const warned = await settled(topic, one => one.status?.pendingDeletion !== undefined)
    expect(warned.status?.pendingDeletion?.topics).toBe(1)
    expect(warned.status?.pendingDeletion?.bytes).toBeGreaterThan(1_000_000)
    expect((await independent.fetchTopicOffsets(topic))[0]?.low).toBe('0')
    await policy(topic, spec)
    const done = await settled(topic, ready)
    expect(done.status?.pendingDeletion?.bytes).toBeGreaterThan(1_000_000)
    await eventually('the broker to delete', async () => Number((await independent.fetchTopicOffsets(topic))[0]?.low) > 0)
  }, 90_000)

  test('should announce a deletion in the status before it lowers the limit, also without Observe', async () => {
    const topic = `${kafka.uniquePrefix()}-announced`
    await create(topic, { 'retention.ms': String(24 * HOUR_MS) })
    const producer = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).producer()
    await producer.connect()
    await producer.send({ topic, messages: [{ timestamp: String(Date.now() - 12 * HOUR_MS), value: Buffer.alloc(1000) }] })
    await producer.disconnect()
    await policy(topic, { selector: { names: [topic] }, retention: { time: '1h' } })
    const announced = await settled(topic, one => readiness(one) === '!RetentionDecreasing')
    expect(announced.status?.pendingDeletion).toMatchObject({ topics: 1 })
    await settled(topic, ready)
    expect((await configsOf(topic))['retention.ms']).toBe(String(HOUR_MS))
  }, 60_000)

  test('should lower a retention in steps', async () => {
    const topic = `${kafka.uniquePrefix()}-steps`
    await create(topic, { 'retention.ms': String(8 * HOUR_MS) })
    await policy(topic, { selector: { names: [topic] }, retention: { time: '1h' }, retentionDecrease: { maxStep: '50%', interval: '2s' } })
    const walked = new Set<string>()
    await eventually(
      'the last step',
      async () => {
        const now = (await configsOf(topic))['retention.ms'] ?? ''
        walked.add(now)
        return now === String(HOUR_MS)
      },
      90_000,
    )
    expect([...walked].map(text => Number(text) / HOUR_MS).filter(hours => hours !== 8)).toEqual([4, 2, 1])
    await settled(topic, ready)
  }, 150_000)

  test('should keep the topics of a deleted policy, and delete only its own on request', async () => {
    const prefix = kafka.uniquePrefix()
    await create(`${prefix}.theirs`)
    await policy(`${prefix}-keeps`, { topics: [{ name: `${prefix}.kept` }] })
    await policy(`${prefix}-deletes`, {
      topics: [{ name: `${prefix}.made` }],
      selector: { prefixes: [`${prefix}.t`] },
      deletionPolicy: 'Delete',
    })
    await Promise.all(['keeps', 'deletes'].map(which => settled(`${prefix}-${which}`, ready)))
    await Promise.all(['keeps', 'deletes'].map(which => sluice.remove('KafkaTopicPolicy', `${prefix}-${which}`)))
    await eventually('its own topic to go', async () => !(await independent.listTopics()).includes(`${prefix}.made`))
    await eventually('the policies to be forgotten', async () => (await sluice.read('KafkaTopicPolicy', `${prefix}-deletes`)) === undefined)
    const left = await independent.listTopics()
    expect(left).toContain(`${prefix}.kept`)
    expect(left).toContain(`${prefix}.theirs`)
  }, 60_000)
})
