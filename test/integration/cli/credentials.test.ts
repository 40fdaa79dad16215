import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dump } from 'js-yaml'
import { sluice } from '../../support/command.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'

const TIMEOUT_MS = 60_000
const USER = { username: 'app', password: 'pass word$' }

describe('credentials of the command line', () => {
  let kafka: Kafka
  let folder: string
  const file = (name: string): string => join(folder, name)

  beforeAll(async () => {
    kafka = await startKafka({ listeners: ['tls', 'mutualTls', 'sasl', 'saslTls'], users: [USER] })
    folder = await mkdtemp(join(tmpdir(), 'sluice-cli-'))
    await writeFile(file('ca.pem'), kafka.ca)
    await writeFile(file('client.crt'), kafka.client?.certificate ?? '')
    await writeFile(file('client.key'), kafka.client?.key ?? '')
    await writeFile(file('password'), `${USER.password}\n`)
    await writeFile(file('wrong'), 'guess')
    await writeFile(file('connection.yaml'), connectionManifest(kafka))
  }, 120_000)
  afterAll(async () => {
    await kafka.stop()
    await rm(folder, { recursive: true })
  })

  const sizes = (...args: readonly string[]) => sluice(['sizes', '-o', 'json', ...args])
  const sasl = (mechanism: string, password: string) => [
    '--sasl-mechanism',
    mechanism,
    '--username',
    USER.username,
    '--password-file',
    file(password),
  ]
  const reached = { code: 0, stdout: expect.stringContaining('"topics": []'), stderr: '' }

  test(
    'should reach listeners with TLS, client certificates, PLAIN and SCRAM',
    async () => {
      const { tls = '', mutualTls = '', sasl: plainText = '', saslTls = '' } = kafka.listeners
      expect(await sizes('-b', tls, '--tls-ca', file('ca.pem'))).toEqual(reached)
      expect(
        await sizes('-b', mutualTls, '--tls-ca', file('ca.pem'), '--tls-cert', file('client.crt'), '--tls-key', file('client.key')),
      ).toEqual(reached)
      expect(await sizes('-b', plainText, ...sasl('PLAIN', 'password'))).toEqual(reached)
      expect(await sizes('-b', saslTls, '--tls-ca', file('ca.pem'), ...sasl('SCRAM-SHA-512', 'password'))).toEqual(reached)
    },
    TIMEOUT_MS,
  )

  test(
    'should take them from a KafkaConnection manifest and its Secrets',
    async () => {
      expect(await sizes('--connection', file('connection.yaml'))).toEqual(reached)
    },
    TIMEOUT_MS,
  )

  test(
    'should say which of them is wrong, and never show one',
    async () => {
      const { tls = '', sasl: plainText = '' } = kafka.listeners
      const guess = await sizes('-b', plainText, ...sasl('SCRAM-SHA-256', 'wrong'))
      expect(guess).toMatchObject({ code: 2, stderr: expect.stringMatching(/refused|credentials/i) })
      expect(guess.stderr).not.toContain('guess')
      expect(await sizes('-b', tls, '--tls')).toMatchObject({ code: 2, stderr: expect.stringMatching(/certificate|TLS/i) })
      expect(await sizes('-b', kafka.bootstrap, '--tls')).toMatchObject({ code: 2, stderr: expect.stringMatching(/TLS/) })
    },
    TIMEOUT_MS,
  )
})

function connectionManifest(kafka: Kafka): string {
  const connection = {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'KafkaConnection',
    metadata: { name: 'main' },
    spec: {
      bootstrapServers: [kafka.listeners.saslTls],
      tls: { caSecretRef: { name: 'kafka', key: 'ca.crt' } },
      sasl: {
        mechanism: 'SCRAM-SHA-256',
        usernameSecretRef: { name: 'kafka', key: 'username' },
        passwordSecretRef: { name: 'kafka', key: 'password' },
      },
    },
  }
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'kafka' }, stringData: { 'ca.crt': kafka.ca, ...USER } }
  return `${dump(connection)}---\n${dump(secret)}`
}
