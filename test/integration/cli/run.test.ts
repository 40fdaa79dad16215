import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dump, load } from 'js-yaml'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Admin } from 'kafkajs'
import { sluice } from '../../support/command.ts'
import { eventually } from '../../support/eventually.ts'
import { sharedKafka, startKafka } from '../../support/kafka.ts'
import type { Kafka, SharedKafka } from '../../support/kafka.ts'
import { readiness, startSluiceRun } from '../../support/sluice-run.ts'

const TIMEOUT_MS = 120_000
const NOBODY = '127.0.0.1:1'

const resource = (kind: string, name: string, spec: object): string =>
  dump({ apiVersion: 'sluice.dev/v1alpha1', kind, metadata: { name }, spec })

describe('sluice run --once and sluice plan', () => {
  let kafka: SharedKafka
  let admin: Admin
  let root: string
  let topic: string
  const folder = (): string => join(root, 'manifests')

  beforeAll(async () => {
    kafka = await sharedKafka()
    admin = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    topic = `${kafka.uniquePrefix()}.events`
    root = await mkdtemp(join(tmpdir(), 'sluice-once-'))
    await mkdir(folder())
    await writeFile(
      join(folder(), 'connection.yaml'),
      resource('KafkaConnection', 'main', { bootstrapServers: [NOBODY], defaults: { replicationFactor: 1 } }),
    )
    const spec = { connectionRef: { name: 'main' }, topics: [{ name: topic, partitions: 2 }], retention: { time: '1h' } }
    await writeFile(join(folder(), 'policy.yaml'), resource('KafkaTopicPolicy', 'events', spec))
  }, TIMEOUT_MS)
  afterAll(async () => {
    await admin.disconnect()
    await kafka.stop()
    await rm(root, { recursive: true })
  })

  const command = (name: string, ...more: readonly string[]) => sluice([name, '-f', folder(), '--state', join(root, 'state'), ...more])

  test(
    'should plan without writing, converge once, and have nothing to plan then',
    async () => {
      const before = await command('plan', '--bootstrap', kafka.bootstrap)
      expect(before).toMatchObject({ code: 1, stderr: '' })
      expect(before.stdout).toContain(
        `KafkaTopicPolicy/events\n  + topic ${topic}: 2 partitions, replication factor 1\n      retention.ms = 3600000`,
      )
      expect(await admin.listTopics()).not.toContain(topic)
      expect(await readdir(root)).toEqual(['manifests'])

      const once = await command('run', '--bootstrap', kafka.bootstrap, '--once', '--listen', '127.0.0.1:0')
      expect(once).toMatchObject({ code: 0, stderr: '' })
      expect(once.stdout).toMatch(/ Listening +\/metrics, \/livez and \/readyz on port [1-9]\d*\n/)
      expect(await admin.listTopics()).toContain(topic)

      expect(await command('plan', '--bootstrap', kafka.bootstrap, '-o', 'json')).toMatchObject({ code: 0, stderr: '' })
    },
    TIMEOUT_MS,
  )

  test(
    'should plan one file from a desk, and say what it assumes of a connection that is elsewhere',
    async () => {
      const file = join(folder(), 'policy.yaml')
      const { code, stdout } = await sluice(['plan', '-f', file, '--bootstrap', kafka.bootstrap, '--state', join(root, 'desk')])
      // 1 before the policy was applied by the test above, 0 after it.
      expect(code).toBeLessThan(2)
      expect(stdout).toContain(`KafkaConnection/default/main is not among the files: assumed at ${kafka.bootstrap}, without credentials`)
    },
    TIMEOUT_MS,
  )

  test(
    'should tell no answer from no difference',
    async () => {
      const { code, stdout } = await command('plan')
      expect(code).toBe(2)
      expect(stdout).toContain('! ConnectionNotReady')
    },
    TIMEOUT_MS,
  )

  test(
    'should answer 1 when something is not ready in time, and name what is wrong with the files',
    async () => {
      await writeFile(
        join(folder(), 'queue.yaml'),
        resource('DelayQueue', 'late', { connectionRef: { name: 'main' }, maxDelay: 'soon', target: { topic } }),
      )
      try {
        const { code, stdout } = await command('run', '--once', '--timeout', '3s')
        expect(code).toBe(1)
        expect(stdout).toContain(`${join(folder(), 'queue.yaml')}:1: DelayQueue/late: spec.maxDelay: `)
        expect(stdout).toMatch(/KafkaConnection +default +main +False +BrokerUnreachable/)
      } finally {
        await rm(join(folder(), 'queue.yaml'))
      }
    },
    TIMEOUT_MS,
  )

  test('should refuse a folder that is not there', async () => {
    const { code, stderr } = await sluice(['run', '-f', join(root, 'absent')])
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('--filename: cannot read') })
  })
})

describe('sluice run with workers', () => {
  let kafka: Kafka
  let client: KafkaJs
  const USER = { username: 'app', password: 'pass word$' }

  beforeAll(async () => {
    kafka = await startKafka({ listeners: ['saslTls'], users: [USER] })
    client = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING })
  }, TIMEOUT_MS)
  afterAll(() => kafka.stop())

  test(
    'should delay a message over TLS and SCRAM, start a killed worker again, and leave nothing behind when killed itself',
    async () => {
      const run = await startSluiceRun()
      try {
        await run.applySecret('kafka', { 'ca.crt': kafka.ca, ...USER })
        await run.apply('KafkaConnection', 'main', {
          bootstrapServers: [kafka.listeners.saslTls],
          defaults: { replicationFactor: 1 },
          tls: { caSecretRef: { name: 'kafka', key: 'ca.crt' } },
          sasl: {
            mechanism: 'SCRAM-SHA-512',
            usernameSecretRef: { name: 'kafka', key: 'username' },
            passwordSecretRef: { name: 'kafka', key: 'password' },
          },
        })
        await run.apply('KafkaTopicPolicy', 'target', { connectionRef: { name: 'main' }, topics: [{ name: 'due', partitions: 1 }] })
        await run.apply('DelayQueue', 'pay', {
          connectionRef: { name: 'main' },
          partitions: 1,
          maxDelay: '1h',
          target: { topic: 'due' },
          workers: { replicas: 1 },
        })
        const ready = () => run.settled('DelayQueue', 'pay', queue => readiness(queue) === 'Ready')
        await ready()
        await delayed('first')

        const [first = 0] = workerPids(run.printed())
        process.kill(first, 'SIGKILL')
        await eventually('another worker', () => workerPids(run.printed()).length === 2)
        await ready()
        await delayed('second')
        expect(run.printed()).not.toContain(USER.password)

        const [, second = 0] = workerPids(run.printed())
        const secrets = await secretsFolderOf(second)
        expect(existsSync(join(secrets, 'kafka', 'password'))).toBe(true)
        process.kill(run.pid, 'SIGKILL')
        await eventually('the worker leaves when its operator is gone', () => !existsSync(`/proc/${second}`))
        await rm(secrets, { recursive: true })
      } finally {
        await run.stop()
      }
    },
    TIMEOUT_MS,
  )

  const workerPids = (printed: string): readonly number[] =>
    [...printed.matchAll(/WorkerStarted .* process (\d+)/g)].map(([, pid]) => Number(pid))

  async function secretsFolderOf(pid: number): Promise<string> {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8')
    return /SLUICE_SECRETS=([^\0]+)/.exec(environment)?.[1] ?? ''
  }

  /** Sends a message with a delay of a second and waits for it at the target. */
  async function delayed(value: string): Promise<void> {
    const [producer, consumer] = [client.producer(), client.consumer({ groupId: `reader-${value}`, maxWaitTimeInMs: 50 })]
    const came: string[] = []
    await Promise.all([producer.connect(), consumer.connect()])
    try {
      await consumer.subscribe({ topics: ['due'], fromBeginning: true })
      await consumer.run({
        eachMessage: ({ message }) => {
          came.push(message.value?.toString() ?? '')
          return Promise.resolve()
        },
      })
      await producer.send({ topic: 'default.pay.in', messages: [{ value, headers: { 'sluice-delay': '1s' } }] })
      await eventually(`"${value}" comes`, () => came.includes(value))
    } finally {
      await Promise.all([producer.disconnect(), consumer.disconnect()])
    }
  }
})

describe('a folder that changes while sluice runs', () => {
  let kafka: SharedKafka

  beforeAll(async () => {
    kafka = await sharedKafka()
  }, TIMEOUT_MS)
  afterAll(() => kafka.stop())

  test(
    'should write alert rules for a queue, scale its workers, and remove both with its file',
    async () => {
      const prefix = kafka.uniquePrefix()
      const run = await startSluiceRun(kafka.bootstrap)
      const queue = (replicas: number) => ({
        connectionRef: { name: 'main' },
        partitions: 2,
        maxDelay: '1h',
        topicPrefix: prefix,
        target: { topic: `${prefix}.due` },
        workers: { replicas },
      })
      try {
        await run.apply('KafkaConnection', 'main', { bootstrapServers: [NOBODY], defaults: { replicationFactor: 1 } })
        await run.apply('KafkaTopicPolicy', 'target', {
          connectionRef: { name: 'main' },
          topics: [{ name: `${prefix}.due`, partitions: 1 }],
        })
        await run.apply('DelayQueue', 'pay', queue(1))
        await run.settled('DelayQueue', 'pay', found => readiness(found) === 'Ready')
        const [, state = ''] = /state in (\S+);/.exec(run.printed()) ?? []
        const rules = join(state, 'rules', 'default.dq-pay.rules.yaml')
        const { groups } = load(await readFile(rules, 'utf8')) as { readonly groups: readonly { readonly rules: readonly object[] }[] }
        expect(groups[0]?.rules.length).toBeGreaterThan(0)

        await run.apply('DelayQueue', 'pay', queue(2))
        const ready = (count: number) => (found: { readonly status?: object }) =>
          (found.status as { workers?: { ready?: number } }).workers?.ready === count
        await run.settled('DelayQueue', 'pay', ready(2))
        const pids = [...run.printed().matchAll(/process (\d+)/g)].map(([, pid]) => Number(pid))
        expect(pids).toHaveLength(2)

        await run.remove('DelayQueue', 'pay')
        await eventually('workers and rules are gone', () => !existsSync(rules) && pids.every(pid => !existsSync(`/proc/${pid}`)))
      } finally {
        await run.stop()
      }
    },
    TIMEOUT_MS,
  )
})
