import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Consumer } from 'kafkajs'
import type { KafkaAdmin } from '../../../src/kafka/admin.ts'
import type { ConnectionSettings } from '../../../src/kafka/connection.ts'
import { platformaticAdmin, platformaticAdminWith } from '../../../src/kafka/platformatic-admin.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'

const clientId = 'sluice-test'
const WAIT_MS = 60_000

/** Polls until `seen` holds: metadata of new topics reaches a broker with a delay. */
async function until<T>(look: () => Promise<T>, seen: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + WAIT_MS
  for (;;) {
    const value = await look()
    if (seen(value) || Date.now() > deadline) return value
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

let kafka: Kafka
let admin: KafkaAdmin
let other: KafkaJs

beforeAll(async () => {
  kafka = await startKafka({ listeners: ['tls', 'mutualTls', 'sasl', 'saslTls'] })
  admin = platformaticAdmin({ bootstrapServers: [kafka.bootstrap] }, { clientId })
  other = new KafkaJs({ clientId: 'independent', brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING })
}, 120_000)
afterAll(async () => {
  await admin.close()
  await kafka.stop()
})

const described = (names: readonly string[]) =>
  until(
    () => admin.describeTopics(names),
    topics => topics.size === names.length,
  )

async function make(name: string, partitions = 1, configs: Readonly<Record<string, string>> = {}): Promise<void> {
  const outcomes = await admin.createTopics([{ name, partitions, replicationFactor: 1, configs }])
  expect([...outcomes.values()]).toEqual([undefined])
  await described([name])
}

async function produce(topic: string, values: readonly string[], partition = 0): Promise<void> {
  const producer = other.producer()
  await producer.connect()
  await producer.send({ topic, messages: values.map(value => ({ value, partition })) })
  await producer.disconnect()
}

describe('cluster', () => {
  test('should tell the cluster id, the brokers and what they can do', async () => {
    const cluster = await admin.describeCluster()
    expect(cluster.clusterId).toMatch(/^[\w-]{22}$/)
    expect(cluster.brokers).toEqual([{ id: 1, host: '127.0.0.1', port: Number(kafka.bootstrap.split(':')[1]) }])
    expect(cluster.features).toEqual({ transactions: true, shareGroups: false, consumerProtocol: true })
  })
})

describe('topics', () => {
  test('should create topics with configs of their own and describe them', async () => {
    const outcomes = await admin.createTopics([
      { name: 'own-a', partitions: 3, replicationFactor: 1, configs: { 'retention.ms': '1000' } },
      { name: 'own-b', partitions: 1, replicationFactor: -1, configs: { 'cleanup.policy': 'compact' } },
    ])
    expect([...outcomes]).toEqual([
      ['own-a', undefined],
      ['own-b', undefined],
    ])
    const topics = await described(['own-a', 'own-b'])
    expect(topics.get('own-a')).toMatchObject({ name: 'own-a', partitions: 3, replicationFactor: 1, underReplicated: 0 })
    expect(topics.get('own-a')?.id).not.toBe(topics.get('own-b')?.id)
    const configs = await admin.describeConfigs(['own-a', 'own-b'], ['retention.ms', 'cleanup.policy'])
    expect(configs.get('own-a')?.get('retention.ms')).toEqual({ value: '1000', source: 'Topic', readOnly: false })
    expect(configs.get('own-b')?.get('cleanup.policy')).toEqual({ value: 'compact', source: 'Topic', readOnly: false })
    expect(configs.get('own-b')?.get('retention.ms')?.source).toBe('Default')
    expect([...(configs.get('own-a')?.keys() ?? [])].sort()).toEqual(['cleanup.policy', 'retention.ms'])
  })

  test('should answer each topic for itself when one of a batch is refused', async () => {
    const outcomes = await admin.createTopics([
      { name: 'batch-good', partitions: 1, replicationFactor: 1, configs: {} },
      { name: 'batch bad', partitions: 1, replicationFactor: 1, configs: {} },
      { name: 'batch-replicas', partitions: 1, replicationFactor: 9, configs: {} },
      { name: 'batch-config', partitions: 1, replicationFactor: 1, configs: { 'retention.ms': 'soon' } },
    ])
    expect([...outcomes].map(([name, error]) => [name, error?.code])).toEqual([
      ['batch-good', undefined],
      ['batch bad', 'InvalidTopic'],
      ['batch-replicas', 'InvalidReplicationFactor'],
      ['batch-config', 'InvalidConfig'],
    ])
    expect(outcomes.get('batch-config')?.message).toContain('topic "batch-config"')
    await described(['batch-good'])
    expect(
      (await admin.createTopics([{ name: 'batch-good', partitions: 1, replicationFactor: 1, configs: {} }])).get('batch-good')?.code,
    ).toBe('TopicExists')
  })

  test('should validate without creating', async () => {
    const outcomes = await admin.createTopics([{ name: 'only-validated', partitions: 1, replicationFactor: 1, configs: {} }], {
      validateOnly: true,
    })
    expect(outcomes.get('only-validated')).toBeUndefined()
    expect(await admin.listTopics()).not.toContain('only-validated')
  })

  test('should list topics sorted, internal ones on request only', async () => {
    // Makes __consumer_offsets; its coordinator answers once it has loaded.
    await until(
      () =>
        admin.groupOffsets('nobody').then(
          () => true,
          () => false,
        ),
      loaded => loaded,
    )
    await until(
      () => admin.listTopics({ includeInternal: true }),
      names => names.includes('__consumer_offsets'),
    )
    const names = await admin.listTopics()
    expect(names).toEqual([...names].sort())
    expect(names.filter(name => name.startsWith('__'))).toEqual([])
  })

  test('should leave unknown topics out and neither fail nor create them', async () => {
    await make('known')
    expect([...(await admin.describeTopics(['unknown', 'known'])).keys()]).toEqual(['known'])
    expect([...(await admin.describeConfigs(['unknown', 'known'])).keys()]).toEqual(['known'])
    expect(await admin.listTopics()).not.toContain('unknown')
  })

  test('should describe all topics but internal ones by name, and answer with the same object until something changes', async () => {
    await make('described-a', 2)
    const before = await until(
      () => admin.describeTopics(),
      topics => topics.has('described-a'),
    )
    expect([...before.keys()]).toEqual(await admin.listTopics())
    expect(before.get('described-a')).toMatchObject({ name: 'described-a', partitions: 2, replicationFactor: 1, underReplicated: 0 })
    expect(before).toEqual(await admin.describeTopics([...before.keys()]))
    expect(await admin.describeTopics()).toBe(before)
    await make('described-b')
    const after = await until(
      () => admin.describeTopics(),
      topics => topics.has('described-b'),
    )
    expect(after.size).toBe(before.size + 1)
  })

  test('should grow partitions, two calls at once included, and refuse to shrink', async () => {
    await Promise.all([make('grow-a'), make('grow-b'), make('grow-c', 3)])
    const both = await Promise.all([
      admin.createPartitions([{ name: 'grow-a', count: 2 }]),
      admin.createPartitions([
        { name: 'grow-b', count: 4 },
        { name: 'grow-c', count: 2 },
      ]),
    ])
    expect(both.flatMap(outcomes => [...outcomes].map(([name, error]) => [name, error?.code]))).toEqual([
      ['grow-a', undefined],
      ['grow-b', undefined],
      ['grow-c', 'InvalidPartitions'],
    ])
    const grown = await until(
      () => admin.describeTopics(['grow-a', 'grow-b']),
      topics => topics.get('grow-a')?.partitions === 2 && topics.get('grow-b')?.partitions === 4,
    )
    expect([...grown.values()].map(topic => [topic.name, topic.partitions]).sort()).toEqual([
      ['grow-a', 2],
      ['grow-b', 4],
    ])
  })

  test('should create the same name with different partitions from two calls as one wins and one exists', async () => {
    const twice = await Promise.all(
      [1, 9].map(partitions => admin.createTopics([{ name: 'race', partitions, replicationFactor: 1, configs: {} }])),
    )
    expect(twice.map(outcomes => outcomes.get('race')?.code).sort()).toEqual(['TopicExists', undefined])
  })

  test('should delete topics and name the ones that were not there', async () => {
    await make('doomed')
    const outcomes = await admin.deleteTopics(['doomed', 'never-was'])
    expect([...outcomes].map(([name, error]) => [name, error?.code])).toEqual([
      ['doomed', undefined],
      ['never-was', 'UnknownTopic'],
    ])
    expect(
      await until(
        () => admin.describeTopics(['doomed']),
        topics => topics.size === 0,
      ),
    ).toEqual(new Map())
  })
})

describe('configs', () => {
  test('should change only the keys that are named', async () => {
    await make('alter', 1, { 'retention.ms': '1000', 'segment.bytes': '2097152', 'max.message.bytes': '1234' })
    const outcomes = await admin.alterConfigs([
      { topic: 'alter', set: { 'retention.ms': '2000' }, remove: ['max.message.bytes'] },
      { topic: 'missing', set: { 'retention.ms': '2000' }, remove: [] },
      { topic: 'own-a', set: { 'retention.ms': 'never' }, remove: [] },
    ])
    expect([...outcomes].map(([topic, error]) => [topic, error?.code]).sort()).toEqual([
      ['alter', undefined],
      ['missing', 'UnknownTopic'],
      ['own-a', 'InvalidConfig'],
    ])
    const configs = await until(
      () => admin.describeConfigs(['alter']),
      seen => seen.get('alter')?.get('retention.ms')?.value === '2000',
    )
    expect(configs.get('alter')?.get('segment.bytes')).toMatchObject({ value: '2097152', source: 'Topic' })
    expect(configs.get('alter')?.get('max.message.bytes')?.source).toBe('Default')
  })

  test('should tell the configs of topics with names of any length, and share those that are alike', async () => {
    const names = [1, 126, 127, 128, 249].map(length => 'n'.repeat(length))
    for (const name of names) await make(name, 1, { 'retention.ms': String(name.length) })
    await make('alike', 1, { 'retention.ms': '249' })
    const keys = ['retention.ms', 'cleanup.policy']
    const configs = await admin.describeConfigs([...names, 'alike'], keys)
    expect([...configs.keys()]).toEqual([...names, 'alike'])
    for (const name of names) {
      expect(configs.get(name)?.get('retention.ms')).toEqual({ value: String(name.length), source: 'Topic', readOnly: false })
      expect(configs.get(name)?.get('cleanup.policy')).toEqual({ value: 'delete', source: 'Default', readOnly: false })
      expect(configs.get(name)?.size).toBe(2)
    }
    expect(configs.get('alike')).toBe(configs.get('n'.repeat(249)))
    expect((await admin.describeConfigs([...names, 'alike'], keys)).get('n')).toBe(configs.get('n'))
    expect((await admin.describeConfigs(['alike'])).get('alike')?.size).toBeGreaterThan(20)
  })

  test('should validate a change without making it', async () => {
    await make('dry', 1, { 'retention.ms': '1000' })
    expect(
      [...(await admin.alterConfigs([{ topic: 'dry', set: { 'retention.ms': 'x' }, remove: [] }], { validateOnly: true })).values()].map(
        error => error?.code,
      ),
    ).toEqual(['InvalidConfig'])
    expect([
      ...(await admin.alterConfigs([{ topic: 'dry', set: { 'retention.ms': '5' }, remove: [] }], { validateOnly: true })).values(),
    ]).toEqual([undefined])
    expect((await admin.describeConfigs(['dry'], ['retention.ms'])).get('dry')?.get('retention.ms')?.value).toBe('1000')
  })
})

describe('records', () => {
  test('should tell sizes and offsets, and delete records up to an offset', async () => {
    await make('filled', 2)
    const before = Date.now() - 60_000
    await produce('filled', ['one', 'two', 'three'])
    const sizes = await admin.logDirSizes([{ topic: 'filled', partitions: [0, 1] }])
    expect(sizes.get('filled')?.get(0)).toBeGreaterThan(50)
    expect(sizes.get('filled')?.get(1)).toBe(0)
    const at = (at: 'earliest' | 'latest' | { timestamp: number }, partition = 0) => ({ topic: 'filled', partition, at })
    const offsets = await admin.listOffsets([
      at('earliest'),
      at('latest'),
      at({ timestamp: before }),
      at({ timestamp: Date.now() + 60_000 }),
      at('latest', 7),
      { topic: 'no-such', partition: 0, at: 'latest' },
    ])
    expect(offsets.map(answer => answer.error?.code ?? answer.offset)).toEqual([0n, 3n, 0n, 3n, 'UnknownTopic', 'UnknownTopic'])
    expect(offsets[3]?.timestamp).toBe(-1)
    const deleted = await admin.deleteRecords([
      { topic: 'filled', partition: 0, offset: 2n },
      { topic: 'filled', partition: 1, offset: 99n },
    ])
    expect(deleted.map(answer => answer.error?.code ?? answer.offset)).toEqual([2n, 'OffsetOutOfRange'])
    expect((await admin.listOffsets([at('earliest')]))[0]?.offset).toBe(2n)
  })
})

describe('groups', () => {
  const consumers: Consumer[] = []
  afterAll(() => Promise.all(consumers.map(consumer => consumer.disconnect())))

  test('should describe a living classic group with its assignments and protect its offsets', async () => {
    await make('grouped', 2)
    const consumer = other.consumer({ groupId: 'classic-group', sessionTimeout: 10_000 })
    consumers.push(consumer)
    await consumer.connect()
    await consumer.subscribe({ topic: 'grouped', fromBeginning: true })
    await consumer.run({ eachMessage: async () => undefined })
    const group = await until(
      () => admin.describeGroup('classic-group').catch(() => undefined),
      seen => (seen?.members[0]?.assignments.length ?? 0) > 0,
    )
    expect(group).toMatchObject({ id: 'classic-group', state: 'Stable', protocol: 'classic' })
    expect(group?.members[0]?.clientId).toBe('independent')
    expect(group?.members[0]?.assignments).toEqual([{ topic: 'grouped', partitions: [0, 1] }])
    expect(await admin.listGroups()).toContainEqual({ id: 'classic-group', state: 'Stable', protocol: 'classic' })
    await expect(admin.alterGroupOffsets('classic-group', [{ topic: 'grouped', partition: 0, offset: 0n }])).rejects.toMatchObject({
      code: 'GroupActive',
    })
    await expect(admin.deleteGroup('classic-group')).rejects.toMatchObject({ code: 'GroupActive' })
  }, 60_000)

  test('should set, read and delete the offsets of a group without members', async () => {
    await make('reset', 2)
    await admin.alterGroupOffsets('idle-group', [
      { topic: 'reset', partition: 0, offset: 7n },
      { topic: 'reset', partition: 1, offset: 9n },
    ])
    expect([...(await admin.groupOffsets('idle-group'))].sort((a, b) => a.partition - b.partition)).toEqual([
      { topic: 'reset', partition: 0, offset: 7n, metadata: '' },
      { topic: 'reset', partition: 1, offset: 9n, metadata: '' },
    ])
    await admin.deleteGroup('idle-group')
    expect(await admin.groupOffsets('idle-group')).toEqual([])
  })

  test('should call a group unknown that never was', async () => {
    await expect(admin.describeGroup('never-was')).rejects.toMatchObject({ code: 'UnknownGroup' })
    await expect(admin.deleteGroup('never-was')).rejects.toMatchObject({ code: 'UnknownGroup' })
  })
})

describe('ways to connect', () => {
  const probe = async (settings: ConnectionSettings, timeouts = { connectMs: 3_000, requestMs: 5_000 }): Promise<string> => {
    const one = platformaticAdminWith(timeouts)(settings, { clientId })
    try {
      return (await one.describeCluster()).brokers.length === 1 ? 'connected' : 'no brokers'
    } catch (error) {
      return (error as { code: string }).code
    } finally {
      await one.close()
    }
  }
  const password = { username: 'sluice', password: 'sluice-secret' }
  const at = (listener: keyof Kafka['listeners'], rest: Omit<ConnectionSettings, 'bootstrapServers'> = {}): ConnectionSettings => ({
    bootstrapServers: [kafka.listeners[listener] ?? ''],
    ...rest,
  })

  test.each([
    { what: 'TLS', settings: () => at('tls', { tls: { ca: kafka.ca } }), want: 'connected' },
    {
      what: 'TLS by name',
      settings: () => ({
        ...at('tls', { tls: { ca: kafka.ca } }),
        bootstrapServers: [`localhost:${kafka.listeners.tls?.split(':')[1] ?? ''}`],
      }),
      want: 'connected',
    },
    { what: 'TLS without the CA', settings: () => at('tls', { tls: {} }), want: 'TlsFailed' },
    { what: 'TLS without verification', settings: () => at('tls', { tls: { insecureSkipVerify: true } }), want: 'connected' },
    { what: 'TLS towards a plaintext listener', settings: () => at('plaintext', { tls: { ca: kafka.ca } }), want: 'TlsFailed' },
    { what: 'plaintext towards a TLS listener', settings: () => at('tls'), want: 'TlsFailed' },
    {
      what: 'mutual TLS',
      settings: () =>
        at('mutualTls', { tls: { ca: kafka.ca, certificate: kafka.client?.certificate ?? '', key: kafka.client?.key ?? '' } }),
      want: 'connected',
    },
    { what: 'mutual TLS without a client certificate', settings: () => at('mutualTls', { tls: { ca: kafka.ca } }), want: 'TlsFailed' },
    { what: 'PLAIN', settings: () => at('sasl', { sasl: { mechanism: 'PLAIN', ...password } }), want: 'connected' },
    { what: 'SCRAM-SHA-256', settings: () => at('sasl', { sasl: { mechanism: 'SCRAM-SHA-256', ...password } }), want: 'connected' },
    {
      what: 'SCRAM-SHA-512 over TLS',
      settings: () => at('saslTls', { tls: { ca: kafka.ca }, sasl: { mechanism: 'SCRAM-SHA-512', ...password } }),
      want: 'connected',
    },
    {
      what: 'a wrong PLAIN password',
      settings: () => at('sasl', { sasl: { mechanism: 'PLAIN', username: 'sluice', password: 'wrong' } }),
      want: 'AuthenticationFailed',
    },
    {
      what: 'a wrong SCRAM password',
      settings: () => at('saslTls', { tls: { ca: kafka.ca }, sasl: { mechanism: 'SCRAM-SHA-512', username: 'sluice', password: 'wrong' } }),
      want: 'AuthenticationFailed',
    },
    {
      what: 'SASL towards a plaintext listener',
      settings: () => at('plaintext', { sasl: { mechanism: 'PLAIN', ...password } }),
      want: 'AuthenticationFailed',
    },
    { what: 'a host that does not resolve', settings: () => ({ bootstrapServers: ['kafka.invalid:9092'] }), want: 'UnknownHost' },
    { what: 'nobody listening', settings: () => ({ bootstrapServers: ['127.0.0.1:1'] }), want: 'BrokerUnreachable' },
    {
      what: 'a dead server before a living one',
      settings: () => ({ bootstrapServers: ['127.0.0.1:1', kafka.bootstrap] }),
      want: 'connected',
    },
  ] satisfies readonly { what: string; settings: () => ConnectionSettings; want: string }[])(
    'should answer $want for $what',
    async ({ settings, want }) => {
      expect(await probe(settings())).toBe(want)
    },
  )

  test('should never show a password in an error', async () => {
    const one = platformaticAdmin(at('sasl', { sasl: { mechanism: 'PLAIN', username: 'sluice', password: 'hunter2' } }), { clientId })
    const error: unknown = await one.describeCluster().catch((failure: unknown) => failure)
    await one.close()
    expect(String(error)).toContain(kafka.listeners.sasl)
    expect(String(error)).not.toContain('hunter2')
  })
})

describe('a broker that goes away', () => {
  test('should fail while it is away and work again without being rebuilt', async () => {
    await admin.describeCluster()
    await kafka.kill()
    await expect(admin.describeCluster()).rejects.toMatchObject({ code: 'BrokerUnreachable', retriable: true })
    await expect(admin.createTopics([{ name: 'while-away', partitions: 1, replicationFactor: 1, configs: {} }])).rejects.toMatchObject({
      code: 'BrokerUnreachable',
    })
    await kafka.restart()
    const back = await until(
      () => admin.describeCluster().catch(() => undefined),
      cluster => cluster !== undefined,
    )
    expect(back?.brokers).toHaveLength(1)
    await make('after-return')
  }, 120_000)

  test('should give up on a hung broker within its own time and recover when it answers', async () => {
    const impatient = platformaticAdminWith({ connectMs: 500, requestMs: 500 })({ bootstrapServers: [kafka.bootstrap] }, { clientId })
    await impatient.listTopics()
    await kafka.pause()
    try {
      await expect(impatient.listTopics()).rejects.toMatchObject({ code: 'Timeout', retriable: true })
    } finally {
      kafka.resume()
    }
    expect(
      await until(
        () => impatient.listTopics().catch(() => undefined),
        names => names !== undefined,
      ),
    ).toContain('after-return')
    await impatient.close()
  }, 60_000)
})
