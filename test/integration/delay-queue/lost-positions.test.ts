import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Admin, Consumer } from 'kafkajs'
import type { Resource } from '../../../src/api/resource.ts'
import { sluice } from '../../support/command.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'
import { conditionOf, readiness, startSluiceRun } from '../../support/sluice-run.ts'
import type { SluiceRun } from '../../support/sluice-run.ts'

const TIMEOUT_MS = 180_000

let kafka: Kafka
let client: KafkaJs
let admin: Admin
let run: SluiceRun
const consumers: Consumer[] = []
const came = new Map<string, string[]>()

beforeAll(async () => {
  kafka = await startKafka()
  client = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING })
  admin = client.admin()
  await admin.connect()
  run = await startSluiceRun()
  await run.apply('KafkaConnection', 'main', { bootstrapServers: [kafka.bootstrap], defaults: { replicationFactor: 1 } })
}, TIMEOUT_MS)
afterAll(async () => {
  await run.stop()
  await Promise.all([admin.disconnect(), ...consumers.map(consumer => consumer.disconnect())])
  await kafka.stop()
}, TIMEOUT_MS)

/** A queue of its own that has delivered three messages. */
async function aQueue(name: string): Promise<void> {
  await admin.createTopics({ topics: [{ topic: `due.${name}` }] })
  await listen(name)
  await workers(name, 1)
  await run.settled<Resource>('DelayQueue', name, queue => readiness(queue) === 'Ready')
  await send(name, 'first', 3)
  await arrived(name, 3)
}

const workers = (name: string, replicas: number): Promise<void> =>
  run.apply('DelayQueue', name, {
    connectionRef: { name: 'main' },
    partitions: 1,
    maxDelay: '5m',
    target: { topic: `due.${name}` },
    workers: { replicas },
  })

/** No member is left: offsets may be moved. */
async function stopped(name: string): Promise<void> {
  await workers(name, 0)
  await eventually('an empty group', async () => {
    const { groups } = await admin.describeGroups([groupOf(name)])
    return groups.every(({ members }) => members.length === 0)
  })
}

const groupOf = (name: string): string => `sluice.default.${name}.dq`
const inputOf = (name: string): string => `default.${name}.in`

async function send(name: string, value: string, count: number): Promise<void> {
  // One that knows nothing of topics that are gone.
  const producer = client.producer()
  await producer.connect()
  const messages = Array.from({ length: count }, (_, i) => ({ value: `${value} ${i}`, headers: { 'sluice-delay': '100ms' } }))
  await producer.send({ topic: inputOf(name), messages })
  await producer.disconnect()
}

const delivered = (name: string): readonly string[] => came.get(name) ?? []
const arrived = (name: string, count: number) => eventually(`${count} deliveries of ${name}`, () => delivered(name).length >= count, 30_000)

/** Reads the target of a queue until the end of the test. */
async function listen(name: string): Promise<void> {
  const values: string[] = []
  came.set(name, values)
  const consumer = client.consumer({ groupId: `reader.${name}`, maxWaitTimeInMs: 50 })
  consumers.push(consumer)
  await consumer.connect()
  await consumer.subscribe({ topics: [`due.${name}`], fromBeginning: true })
  await consumer.run({
    eachMessage: ({ message }) => {
      values.push(message.value?.toString() ?? '')
      return Promise.resolve()
    },
  })
}

/** The condition names the reason of the task; answers the whole message. */
async function stops(name: string, reason: string): Promise<string> {
  const isStopped = (queue: Resource): boolean => {
    const ready = conditionOf(queue, 'WorkersReady')
    return ready?.reason === 'TaskStopped' && ready.message.includes(`(${reason})`)
  }
  const queue = await run.settled<Resource>('DelayQueue', name, isStopped, 90_000)
  return conditionOf(queue, 'WorkersReady')?.message ?? ''
}

/** Runs the command that a message names, as a user would. */
async function obey(message: string): Promise<void> {
  const [, command = ''] = /run `sluice (offsets reset .*? --execute)`/.exec(message) ?? []
  expect(command).not.toBe('')
  expect(await sluice([...command.split(' '), '--bootstrap', kafka.bootstrap])).toMatchObject({ code: 0 })
}

async function clean(topic: string, before: string): Promise<void> {
  const command = ['clean', '--topic', topic, '--before', 'offset', before, '--execute', '--bootstrap', kafka.bootstrap]
  expect(await sluice(command)).toMatchObject({ code: 0, stderr: '' })
}

describe('a queue whose positions mean nothing any more', () => {
  test(
    'should stop when its input was made again and the offsets fit, and go on as the condition says',
    async () => {
      await aQueue('again')
      const input = inputOf('again')
      await admin.deleteTopics({ topics: [input] })
      await eventually('the topic to be made again', async () => {
        await admin.createTopics({ topics: [{ topic: input, numPartitions: 1 }] }).catch(() => false)
        return (await admin.listTopics()).includes(input)
      })
      await eventually('records of the new topic', async () => {
        await send('again', 'second', 10)
        return true
      })
      const message = await stops('again', 'TopicRecreated')
      expect(message).toContain(`${input}[0] was deleted and made again`)
      await stopped('again')
      await obey(message)
      await admin.deleteTopics({ topics: ['default.again.journal', 'default.again.ids'] })
      await workers('again', 1)
      await run.settled<Resource>('DelayQueue', 'again', queue => readiness(queue) === 'Ready', 90_000)
      await eventually('all of the new topic', () => new Set(delivered('again')).size === 13, 30_000)
    },
    TIMEOUT_MS,
  )

  test(
    'should stop when brokers forgot its offsets and its journal does not tell, and not when it does',
    async () => {
      await aQueue('forgotten')
      await stopped('forgotten')
      await admin.deleteGroups([groupOf('forgotten')])
      await workers('forgotten', 1)
      await run.settled<Resource>('DelayQueue', 'forgotten', queue => readiness(queue) === 'Ready')
      await send('forgotten', 'second', 1)
      await arrived('forgotten', 4)

      await stopped('forgotten')
      await admin.deleteGroups([groupOf('forgotten')])
      const [end] = await admin.fetchTopicOffsets('default.forgotten.journal')
      await clean('default.forgotten.journal', end?.high ?? '')
      await workers('forgotten', 1)
      const message = await stops('forgotten', 'OffsetsExpired')
      await stopped('forgotten')
      await workers('forgotten', 1)
      await stops('forgotten', 'OffsetsExpired')
      await stopped('forgotten')
      await obey(message)
      await workers('forgotten', 1)
      await run.settled<Resource>('DelayQueue', 'forgotten', queue => readiness(queue) === 'Ready', 60_000)
    },
    TIMEOUT_MS,
  )

  test(
    'should stop when the log starts above its offset',
    async () => {
      await aQueue('cut')
      await stopped('cut')
      await send('cut', 'lost', 5)
      await clean(inputOf('cut'), '6')
      await workers('cut', 1)
      const message = await stops('cut', 'OffsetOutOfRange')
      expect(message).toContain('3 offsets were deleted unread')
    },
    TIMEOUT_MS,
  )
})
