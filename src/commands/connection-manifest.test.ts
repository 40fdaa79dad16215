import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { settingsOfManifest } from './connection-manifest.ts'

const CONNECTIONS = `
apiVersion: sluice.dev/v1alpha1
kind: KafkaConnection
metadata: {name: main}
spec:
  bootstrapServers: ["a:9092"]
  sasl:
    mechanism: SCRAM-SHA-512
    usernameSecretRef: {name: credentials, key: username}
    passwordSecretRef: {name: credentials, key: password}
---
apiVersion: v1
kind: Secret
metadata: {name: credentials}
stringData: {username: app, password: hush}
---
apiVersion: sluice.dev/v1alpha1
kind: KafkaConnection
metadata: {name: other}
spec:
  bootstrapServers: ["b:9092"]
  tls: {caSecretRef: {name: absent, key: ca.crt}}
`

describe('settingsOfManifest', () => {
  let folder: string
  const file = (name: string): string => join(folder, name)
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-connection-'))
    await writeFile(file('two.yaml'), CONNECTIONS)
    await writeFile(file('none.yaml'), 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n')
    await writeFile(file('bad.yaml'), 'kind: [')
    await writeFile(file('invalid.yaml'), 'apiVersion: sluice.dev/v1alpha1\nkind: KafkaConnection\nmetadata: {name: c}\nspec: {}\n')
  })
  afterAll(() => rm(folder, { recursive: true }))

  test('should take the credentials from the Secrets of the same file', async () => {
    expect(await settingsOfManifest(`${file('two.yaml')}#main`)).toEqual({
      bootstrapServers: ['a:9092'],
      sasl: { mechanism: 'SCRAM-SHA-512', username: 'app', password: 'hush' },
    })
  })

  test.each([
    { argument: 'two.yaml', message: 'has several KafkaConnections; choose one with' },
    { argument: 'two.yaml#third', message: 'has no KafkaConnection "third"; it has: main, other' },
    { argument: 'two.yaml#other', message: 'KafkaConnection/other: Secret "absent" does not exist' },
    { argument: 'none.yaml', message: 'none.yaml has no KafkaConnection' },
    { argument: 'bad.yaml', message: 'line 1: not YAML' },
    { argument: 'invalid.yaml', message: 'KafkaConnection/c: spec.bootstrapServers' },
    { argument: 'absent.yaml', message: '--connection: cannot read' },
  ])('should say what is wrong with $argument', async ({ argument, message }) => {
    await expect(settingsOfManifest(file(argument))).rejects.toThrow(message)
  })
})
