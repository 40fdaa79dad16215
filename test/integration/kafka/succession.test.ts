import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import type { KafkaAdmin } from '../../../src/kafka/admin.ts'
import { confluentLog } from '../../../src/kafka/confluent-log.ts'
import type { GroupConsumer } from '../../../src/kafka/log.ts'
import { platformaticAdmin } from '../../../src/kafka/platformatic-admin.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'

jest.setTimeout(60_000)

const GHOST = fileURLToPath(new URL('../../support/worker/ghost.ts', import.meta.url))
/** The sessions of the ghosts last longer than any test here. */
const SESSION_MS = 6_000
const PARTITIONS = 4

let kafka: Kafka
let admin: KafkaAdmin
const joined: GroupConsumer[] = []

beforeAll(async () => {
  // As in production: the first member of an empty group is made to wait.
  kafka = await startKafka({ properties: { 'group.initial.rebalance.delay.ms': '3000' } })
  admin = platformaticAdmin({ bootstrapServers: [kafka.bootstrap] }, { clientId: 'succession-test' })
  await admin.createTopics(['one', 'two', 'three'].map(name => ({ name, partitions: PARTITIONS, replicationFactor: 1, configs: {} })))
}, 60_000)

afterAll(async () => {
  for (const member of joined) await member.close()
  await admin.close()
  await kafka.stop()
}, 60_000)

/** A member that was killed: the group knows nothing of it yet. */
async function killed(topic: string, clientId: string): Promise<void> {
  const ghost = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', GHOST, kafka.bootstrap, topic, topic, clientId], {
    env: { ...process.env, NODE_OPTIONS: '', UV_THREADPOOL_SIZE: '16' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(ghost.stdout, 'data')
  ghost.kill('SIGKILL')
  await once(ghost, 'exit')
}

async function member(topic: string, clientId: string, lineage?: string): Promise<Set<number>> {
  const owned = new Set<number>()
  const log = confluentLog({ bootstrapServers: [kafka.bootstrap] }, { clientId, ...(lineage !== undefined && { lineage }) })
  joined.push(
    await log.groupConsumer({
      groupId: topic,
      topics: [topic],
      sessionTimeoutMs: SESSION_MS,
      assigned: partitions => {
        for (const { partition } of partitions) owned.add(partition)
        return Promise.resolve()
      },
      revoked: partitions => {
        for (const { partition } of partitions) owned.delete(partition)
        return Promise.resolve()
      },
      failed: error => {
        throw error
      },
    }),
  )
  return owned
}

const members = async (group: string): Promise<readonly string[]> =>
  (await admin.describeGroup(group)).members.map(({ clientId }) => clientId).toSorted()

test('should own what an earlier life owned, long before the session of that one is over', async () => {
  await killed('one', 'pod_1')
  const owned = await member('one', 'pod_2', 'pod_')
  await eventually('all partitions', () => Promise.resolve(owned.size === PARTITIONS), 30_000)
  expect(await members('one')).toEqual(['pod_2'])
})

test('should leave members of other names alone', async () => {
  await killed('two', 'pod-other_1')
  await member('two', 'pod_2', 'pod_')
  await eventually('both in the group', async () => (await members('two')).length === 2)
  // Whoever would be expelled is expelled as soon as this one is a member, so a third that is succeeded shows that it is over.
  await killed('three', 'pod_1')
  const owned = await member('three', 'pod_2', 'pod_')
  await eventually('all partitions', () => Promise.resolve(owned.size === PARTITIONS), 30_000)
  expect(await members('two')).toEqual(['pod-other_1', 'pod_2'])
})
