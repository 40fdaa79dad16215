import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka as KafkaJs, ResourcePatternTypes, logLevel } from 'kafkajs'
import type { KafkaAdmin } from '../../../src/kafka/admin.ts'
import { platformaticAdmin } from '../../../src/kafka/platformatic-admin.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'

const clientId = 'sluice-test'

let kafka: Kafka
let admin: KafkaAdmin
let other: KafkaJs

beforeAll(async () => {
  const properties = {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
  }
  kafka = await startKafka({ listeners: ['sasl'], properties })
  admin = platformaticAdmin({ bootstrapServers: [kafka.bootstrap] }, { clientId })
  other = new KafkaJs({ clientId: 'independent', brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING })
}, 120_000)
afterAll(async () => {
  await admin.close()
  await kafka.stop()
})

async function make(name: string, partitions = 1, configs: Readonly<Record<string, string>> = {}): Promise<void> {
  expect([...(await admin.createTopics([{ name, partitions, replicationFactor: 1, configs }])).values()]).toEqual([undefined])
  await eventually(`${name} to have leaders`, async () => {
    const answers = await admin.listOffsets(
      Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition, at: 'latest' })),
    )
    return answers.every(({ error }) => error === undefined)
  })
}

interface Message {
  readonly key: string | null
  readonly partition?: number
}
const of = (key: string | null, count: number, partition = 0): readonly Message[] => Array<Message>(count).fill({ key, partition })

async function produce(topic: string, messages: readonly Message[], valueBytes = 10): Promise<void> {
  const producer = other.producer()
  await producer.connect()
  await producer.send({ topic, messages: messages.map(message => ({ value: 'v'.repeat(valueBytes), ...message })) })
  await producer.disconnect()
}

const sample = async (topic: string, partitions = 1, by = admin) =>
  (await by.sampleKeys([{ topic, partitions: Array.from({ length: partitions }, (_, partition) => partition) }])).get(topic)

describe('sampling the keys of the newest records', () => {
  // The broker packs anew what it gets: so the formats are those of Kafka's own library.
  test.each(['uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'])('should count records with and without a key, %s', async codec => {
    const topic = `codec-${codec}`
    await make(topic, 1, { 'compression.type': codec })
    await produce(topic, [...of('k', 20), ...of(null, 5), ...of('', 1)], 500)
    expect(await sample(topic)).toEqual({ records: 26, withoutKey: 5 })
  })

  test('should know nothing of an empty topic, of one whose records are gone, and of none', async () => {
    await make('empty', 3)
    await make('emptied')
    await produce('emptied', of(null, 3))
    await admin.deleteRecords([{ topic: 'emptied', partition: 0, offset: -1n }])
    const topics = ['empty', 'emptied', 'missing'].map(topic => ({ topic, partitions: [0] }))
    expect([...(await admin.sampleKeys([...topics, { topic: 'emptied', partitions: [0, 7] }])).keys()]).toEqual([])
  })

  test('should judge by the newest records of the three fullest partitions', async () => {
    await make('filled', 5)
    await produce('filled', [...of(null, 1, 0), ...of('k', 2, 1), ...of('k', 3, 2), ...of('k', 4, 3)])
    expect(await sample('filled', 5)).toEqual({ records: 9, withoutKey: 0 })
    await make('reformed')
    await produce('reformed', of(null, 100))
    for (let i = 0; i < 70; i++) await produce('reformed', of('k', 1))
    expect(await sample('reformed')).toEqual({ records: 64, withoutKey: 0 })
  })

  test('should read little of large records', async () => {
    await make('large')
    for (let i = 0; i < 10; i++) await produce('large', of(null, 1), 20_000)
    const found = await sample('large')
    expect(found?.records).toBeGreaterThan(0)
    expect(found?.records).toBeLessThan(5)
  })

  test('should look behind the marks of transactions', async () => {
    await make('transactional')
    const producer = other.producer({ transactionalId: 'samples', idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    for (const end of ['commit', 'abort', 'commit'] as const) {
      const transaction = await producer.transaction()
      await transaction.send({ topic: 'transactional', messages: [{ key: null, value: 'v' }] })
      await transaction[end]()
    }
    await producer.disconnect()
    expect(await sample('transactional')).toEqual({ records: 3, withoutKey: 3 })
  })

  test('should know nothing of a topic that it may describe and not read, and still answer for the others', async () => {
    for (const topic of ['readable', 'described']) {
      await make(topic)
      await produce(topic, of(null, 2))
    }
    const acl = (resourceName: string, operation: AclOperationTypes) => ({
      resourceType: AclResourceTypes.TOPIC,
      resourceName,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: 'User:sluice',
      host: '*',
      operation,
      permissionType: AclPermissionTypes.ALLOW,
    })
    const giver = other.admin()
    await giver.connect()
    await giver.createAcls({
      acl: [
        acl('readable', AclOperationTypes.READ),
        acl('readable', AclOperationTypes.DESCRIBE),
        acl('described', AclOperationTypes.DESCRIBE),
      ],
    })
    await giver.disconnect()
    const sasl = { mechanism: 'SCRAM-SHA-256', username: 'sluice', password: 'sluice-secret' } as const
    const limited = platformaticAdmin({ bootstrapServers: [kafka.listeners.sasl ?? ''], sasl }, { clientId })
    try {
      const topics = ['described', 'readable', 'large'].map(topic => ({ topic, partitions: [0] }))
      await eventually('the rights to be known', async () => (await limited.sampleKeys(topics)).has('readable'))
      expect([...(await limited.sampleKeys(topics))]).toEqual([['readable', { records: 2, withoutKey: 2 }]])
    } finally {
      await limited.close()
    }
  })
})
