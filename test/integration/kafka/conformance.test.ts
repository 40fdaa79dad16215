import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { KafkaAdmin } from '../../../src/kafka/admin.ts'
import { confluentLog } from '../../../src/kafka/confluent-log.ts'
import { KafkaError } from '../../../src/kafka/errors.ts'
import { platformaticAdmin } from '../../../src/kafka/platformatic-admin.ts'
import { scenarios } from '../../conformance/scenarios.ts'
import { Stage, record, write } from '../../conformance/stage.ts'
import type { Kafka } from '../../conformance/stage.ts'
import { startKafka } from '../../support/kafka.ts'

/** What the model promises is what Kafka does: the scenarios of `test/unit/conformance.test.ts` on a real broker, through the real adapter. */
let broker: Awaited<ReturnType<typeof startKafka>>
let admin: KafkaAdmin
let kafka: Kafka

beforeAll(async () => {
  broker = await startKafka({
    properties: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200', 'log.cleaner.backoff.ms': '100' },
  })
  admin = platformaticAdmin({ bootstrapServers: [broker.bootstrap] }, { clientId: 'conformance' })
  kafka = real()
}, 60_000)

afterAll(async () => {
  await admin.close()
  await broker.stop()
}, 60_000)

function real(): Kafka {
  const log = confluentLog({ bootstrapServers: [broker.bootstrap] }, { clientId: 'conformance' })
  const kafkaOf: Kafka = {
    log,
    createTopic: async (name, { partitions = 1, maxMessageBytes, compacted = false }) => {
      const configs = {
        ...(maxMessageBytes !== undefined && { 'max.message.bytes': String(maxMessageBytes) }),
        ...(compacted && {
          'cleanup.policy': 'compact',
          'segment.ms': '100',
          'min.cleanable.dirty.ratio': '0.01',
          'max.compaction.lag.ms': '100',
        }),
      }
      await until(async () => {
        const outcomes = await admin.createTopics([{ name, partitions, replicationFactor: 1, configs }])
        return [...outcomes.values()].every(outcome => outcome?.code !== 'TopicExists')
      }, `${name} was made`)
      await until(async () => {
        const asked = Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition, at: 'latest' as const }))
        const answers = await admin.listOffsets(asked).catch(() => [])
        return answers.length === partitions && answers.every(({ error }) => error === undefined)
      }, `${name} has leaders`)
    },
    deleteTopic: async name => {
      await admin.deleteTopics([name])
    },
    deleteBefore: async (partition, offset) => {
      await deleteRecords(partition.topic, partition.partition, offset)
    },
    compact: async ({ topic }) => {
      const producer = await log.producer({ transactionalId: `filler-${topic}`, transactionTimeoutMs: 10_000 })
      await producer.initTransactions(10_000)
      const reader = new Stage(kafkaOf, 'compaction')
      // Only closed segments are cleaned, and one is closed by a record that comes after its time.
      await until(async () => {
        await write(producer, [record(topic, 'filler', 'f')])
        const { values } = await reader.read(topic)
        return !values.includes('old') && !values.includes('gone')
      }, 'the cleaner was there')
      await reader.close()
      await producer.close()
    },
  }
  return kafkaOf
}

async function deleteRecords(topic: string, partition: number, offset: number): Promise<void> {
  const client = new KafkaJs({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING }).admin()
  await client.connect()
  // It knows only topics that it was asked about.
  await client.fetchTopicOffsets(topic)
  await client.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] })
  await client.disconnect()
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await condition().catch((error: unknown) => unless(error)))) {
    if (performance.now() > deadline) throw new Error(`timed out waiting until ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** A broker may be slow to know what another call has just made. */
function unless(error: unknown): false {
  if (error instanceof KafkaError) return false
  throw error
}

test.each(scenarios)(
  'should do as the model does: $name',
  async ({ name, play, sees }) => {
    const stage = new Stage(kafka, name)
    try {
      expect(await play(stage)).toEqual(sees)
    } finally {
      await stage.close()
    }
  },
  60_000,
)
