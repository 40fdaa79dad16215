import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'
import { conditionOf, readiness, startSluiceRun } from '../../support/sluice-run.ts'
import type { SluiceRun } from '../../support/sluice-run.ts'

let kafka: Kafka
let sluice: SluiceRun

beforeAll(async () => {
  kafka = await startKafka({ listeners: ['tls', 'mutualTls', 'sasl', 'saslTls'] })
  sluice = await startSluiceRun()
  await sluice.applySecret('ca', { 'ca.crt': kafka.ca })
  await sluice.applySecret('client', { 'tls.crt': kafka.client?.certificate ?? '', 'tls.key': kafka.client?.key ?? '' })
  await sluice.applySecret('right', { username: 'sluice', password: 'sluice-secret' })
}, 120_000)
afterAll(async () => {
  await sluice.stop()
  await kafka.stop()
})

const tls = { caSecretRef: { name: 'ca', key: 'ca.crt' } }
const sasl = (mechanism: string, secret: string) => ({
  mechanism,
  usernameSecretRef: { name: secret, key: 'username' },
  passwordSecretRef: { name: secret, key: 'password' },
})
const becomes = (name: string, want: string, withinMs?: number) =>
  sluice.settled('KafkaConnection', name, connection => readiness(connection) === want, withinMs)

describe('connections', () => {
  test.each([
    { name: 'tls', listener: 'tls', rest: { tls } },
    { name: 'mutual', listener: 'mutualTls', rest: { tls: { ...tls, clientCertificateSecretRef: { name: 'client' } } } },
    { name: 'plain', listener: 'sasl', rest: { sasl: sasl('PLAIN', 'right') } },
    { name: 'scram', listener: 'saslTls', rest: { tls, sasl: sasl('SCRAM-SHA-512', 'right') } },
  ] as const)(
    'should become ready over $name',
    async ({ name, listener, rest }) => {
      await sluice.apply('KafkaConnection', name, { bootstrapServers: [kafka.listeners[listener]], ...rest })
      const connection = await becomes(name, 'Connected')
      expect(connection.status).toMatchObject({ brokers: 1, features: ['transactions', 'consumer-protocol'] })
    },
    60_000,
  )

  test('should name a missing Secret, then a wrong password, and heal when it is put right', async () => {
    await sluice.apply('KafkaConnection', 'late', { bootstrapServers: [kafka.listeners.sasl], sasl: sasl('SCRAM-SHA-256', 'later') })
    const missing = await becomes('late', '!SecretNotFound')
    expect(conditionOf(missing, 'Ready')?.message).toContain('later')
    await sluice.applySecret('later', { username: 'sluice', password: 'hunter2' })
    const refused = await becomes('late', '!AuthenticationFailed')
    expect(JSON.stringify(refused)).not.toContain('hunter2')
    await sluice.applySecret('later', { username: 'sluice', password: 'sluice-secret' })
    await becomes('late', 'Connected')
    expect(sluice.printed()).not.toContain('hunter2')
  }, 120_000)

  test.each([
    { name: 'nowhere', servers: ['kafka.invalid:9092'], rest: {}, want: '!UnknownHost' },
    { name: 'closed', servers: ['127.0.0.1:1'], rest: {}, want: '!BrokerUnreachable' },
  ])(
    'should say $want of $servers',
    async ({ name, servers, rest, want }) => {
      await sluice.apply('KafkaConnection', name, { bootstrapServers: servers, ...rest })
      await becomes(name, want)
    },
    60_000,
  )

  test('should say TlsFailed of a plaintext listener', async () => {
    await sluice.apply('KafkaConnection', 'confused', { bootstrapServers: [kafka.bootstrap], tls })
    await becomes('confused', '!TlsFailed')
  }, 60_000)

  test('should tell that the broker went away within 30 s, hold back its policies, and heal when it is back', async () => {
    await sluice.apply('KafkaConnection', 'main', { bootstrapServers: [kafka.bootstrap] })
    await sluice.apply('KafkaTopicPolicy', 'made', {
      connectionRef: { name: 'main' },
      topics: [{ name: 'made' }],
      retention: { time: '1h' },
    })
    await sluice.settled('KafkaTopicPolicy', 'made', policy => readiness(policy) === 'Ready')
    await kafka.kill()
    await becomes('main', '!BrokerUnreachable', 30_000)
    await sluice.settled('KafkaTopicPolicy', 'made', policy => readiness(policy) === '!ConnectionNotReady')
    await kafka.restart()
    await becomes('main', 'Connected', 30_000)
    await sluice.settled('KafkaTopicPolicy', 'made', policy => readiness(policy) === 'Ready')
  }, 180_000)
})
