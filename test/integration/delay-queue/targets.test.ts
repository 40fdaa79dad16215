import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka as KafkaJs, ResourcePatternTypes, logLevel } from 'kafkajs'
import type { Admin, Producer } from 'kafkajs'
import { QueueOnKafka, createTopic } from '../../support/delay-queue/queue-on-kafka.ts'
import type { WorkerProcess } from '../../support/delay-queue/queue-on-kafka.ts'
import { Reader, headerText } from '../../support/delay-queue/reader.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka.ts'

jest.setTimeout(120_000)

const USER = { username: 'worker', password: 'worker-secret' }
const PARTITIONS = 2
const TARGETS = ['shop.open', 'shop.closed', 'shop.hidden', 'shop.gone']
/** Long enough to take rights away and topics meanwhile. */
const DELAY_MS = 8_000

let admin: Admin
let queue: QueueOnKafka
let worker: WorkerProcess
let producer: Producer
let reader: Reader
const closing: (() => Promise<unknown>)[] = []

type Operation = keyof typeof AclOperationTypes

const rule = (resourceType: AclResourceTypes, resourceName: string, resourcePatternType: ResourcePatternTypes, operation: Operation) => ({
  resourceType,
  resourceName,
  resourcePatternType,
  principal: `User:${USER.username}`,
  host: '*',
  operation: AclOperationTypes[operation],
  permissionType: AclPermissionTypes.ALLOW,
})
const onTarget = (topic: string, operation: Operation) => rule(AclResourceTypes.TOPIC, topic, ResourcePatternTypes.LITERAL, operation)

/** What a worker must be allowed, and no more. */
const rights = () => [
  ...(['READ', 'WRITE', 'DESCRIBE'] as const).map(each => rule(AclResourceTypes.TOPIC, 'shop.q.', ResourcePatternTypes.PREFIXED, each)),
  ...(['READ', 'DESCRIBE'] as const).map(each => rule(AclResourceTypes.GROUP, 'sluice.', ResourcePatternTypes.PREFIXED, each)),
  ...(['WRITE', 'DESCRIBE'] as const).map(each => rule(AclResourceTypes.TRANSACTIONAL_ID, 'sluice.', ResourcePatternTypes.PREFIXED, each)),
  ...TARGETS.flatMap(topic => (['WRITE', 'DESCRIBE'] as const).map(each => onTarget(topic, each))),
]

const withdraw = (topic: string, operation: Operation): Promise<unknown> => admin.deleteAcls({ filters: [onTarget(topic, operation)] })

beforeAll(async () => {
  const broker = await startKafka({
    listeners: ['sasl'],
    users: [USER],
    properties: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
    },
  })
  closing.push(() => broker.stop())
  const kafka = new KafkaJs({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
  admin = kafka.admin()
  await admin.connect()
  closing.push(() => admin.disconnect())
  for (const topic of TARGETS) await createTopic(admin, topic, 1, {})
  const spec = { partitions: PARTITIONS, maxDelay: '1h', allowedTargets: ['shop.*'] }
  queue = await QueueOnKafka.create(kafka, broker.listeners.sasl!, 'shop', spec, { user: USER })
  closing.push(() => queue.close())
  await admin.createAcls({ acl: rights() })
  reader = await Reader.of(kafka, 'witness', ['shop.open', 'shop.closed', 'shop.hidden', queue.topic('dlq')])
  closing.push(() => reader.close())
  producer = kafka.producer({ idempotent: true })
  await producer.connect()
  closing.push(() => producer.disconnect())
  worker = queue.start()
  await queue.allOwned([worker])
}, 120_000)

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
}, 60_000)

const send = (name: string, target: string, delayMs: number): Promise<unknown> =>
  producer.send({
    topic: queue.topic('in'),
    messages: [{ key: name, value: name, headers: { name, 'sluice-target-topic': target, 'sluice-delay': String(delayMs) } }],
  })
const names = (topic: string): readonly string[] => reader.of(topic).map(record => headerText(record, 'name'))
const dead = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    reader
      .of(queue.topic('dlq'))
      .map(record => [
        headerText(record, 'name'),
        `${headerText(record, 'sluice-disposition')} ${headerText(record, 'sluice-error-code')}`,
      ]),
  )

describe('targets that change while messages wait', () => {
  test('should make dead letters of what they refuse then, each with its reason, and deliver the rest', async () => {
    for (const target of TARGETS) await send(`first of ${target}`, target, 1)
    await eventually('each target to be written once', () => names('shop.open').length + names('shop.closed').length === 2, 30_000)
    for (const target of TARGETS) for (const i of [1, 2, 3]) await send(`${target} ${i}`, target, DELAY_MS)
    await withdraw('shop.closed', 'WRITE')
    await withdraw('shop.hidden', 'WRITE')
    await withdraw('shop.hidden', 'DESCRIBE')
    await admin.deleteTopics({ topics: ['shop.gone'] })
    await eventually('an end of each', () => Object.keys(dead()).length === 9 && names('shop.open').length === 4, 60_000)
    expect(names('shop.open').toSorted()).toEqual(['first of shop.open', 'shop.open 1', 'shop.open 2', 'shop.open 3'])
    for (const i of [1, 2, 3]) {
      expect(dead()[`shop.closed ${i}`]).toBe('target-not-allowed AuthorizationFailed')
      // A worker that asks for a topic is told that there is none; one that knew it a moment ago learns why by writing.
      expect(dead()[`shop.hidden ${i}`]).toMatch(/^target-(missing (TargetMissing|UnknownTopic)|not-allowed AuthorizationFailed)$/)
      expect(dead()[`shop.gone ${i}`]).toMatch(/^target-missing (TargetMissing|UnknownTopic)$/)
    }
    // Those that were delivered before are no dead letters, and the worker goes on.
    expect(reader.of(queue.topic('dlq'))).toHaveLength(9)
    await send('afterwards', 'shop.open', 1)
    await eventually('one more', () => names('shop.open').includes('afterwards'))
    expect(await worker.running()).toHaveLength(PARTITIONS)
  })

  test('should deliver there again once it may', async () => {
    await admin.createAcls({
      acl: (['WRITE', 'DESCRIBE'] as const).flatMap(each => [onTarget('shop.closed', each), onTarget('shop.hidden', each)]),
    })
    await eventually(
      'both to be written again',
      async () => {
        for (const target of ['shop.closed', 'shop.hidden']) await send('again', target, 1)
        return names('shop.closed').includes('again') && names('shop.hidden').includes('again')
      },
      30_000,
    )
  })
})
