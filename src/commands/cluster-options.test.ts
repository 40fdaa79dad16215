import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClusterOptions } from './cluster-options.ts'
import { connectionSettings } from './cluster-options.ts'

describe('connectionSettings', () => {
  let folder: string
  const file = (name: string): string => join(folder, name)
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-options-'))
    await writeFile(file('password'), 'hush \n')
    await writeFile(file('ca.pem'), 'CA')
    await writeFile(file('tls.crt'), 'CERT')
    await writeFile(file('tls.key'), 'KEY')
  })
  afterAll(() => rm(folder, { recursive: true }))

  test('should prefer the option to the environment', async () => {
    expect(await connectionSettings({}, { KAFKA_BOOTSTRAP: 'a:1, b:2' })).toEqual({ bootstrapServers: ['a:1', 'b:2'] })
    expect(await connectionSettings({ bootstrap: '[::1]:9092' }, { KAFKA_BOOTSTRAP: 'a:1' })).toEqual({ bootstrapServers: ['[::1]:9092'] })
  })

  test('should read credentials from files and cut one line break only', async () => {
    const options: ClusterOptions = {
      bootstrap: 'a:1',
      tlsCa: file('ca.pem'),
      tlsCert: file('tls.crt'),
      tlsKey: file('tls.key'),
      saslMechanism: 'SCRAM-SHA-512',
      username: 'app',
      passwordFile: file('password'),
    }
    expect(await connectionSettings(options, {})).toEqual({
      bootstrapServers: ['a:1'],
      tls: { ca: 'CA', certificate: 'CERT', key: 'KEY' },
      sasl: { mechanism: 'SCRAM-SHA-512', username: 'app', password: 'hush ' },
    })
  })

  test('should encrypt with the authorities of the system on a bare --tls', async () => {
    expect(await connectionSettings({ bootstrap: 'a:1', tls: true }, {})).toEqual({ bootstrapServers: ['a:1'], tls: {} })
  })

  const refused: { readonly options: ClusterOptions; readonly message: string }[] = [
    { options: {}, message: 'Give --bootstrap HOST:PORT or --connection FILE, or set KAFKA_BOOTSTRAP' },
    { options: { bootstrap: 'kafka' }, message: '"kafka" is not HOST:PORT' },
    { options: { bootstrap: 'a:9092,kafka:99999' }, message: '"kafka:99999": the port must be from 1 to 65535' },
    { options: { bootstrap: 'a:1', tlsCert: 'x' }, message: 'give both' },
    { options: { bootstrap: 'a:1', username: 'x' }, message: 'need --sasl-mechanism' },
    { options: { bootstrap: 'a:1', saslMechanism: 'PLAIN', username: 'x' }, message: 'needs --username and --password-file' },
    { options: { bootstrap: 'a:1', tlsCa: '/nowhere/ca.pem' }, message: '--tls-ca: cannot read /nowhere/ca.pem' },
    { options: { connection: 'f.yaml', passwordFile: 'p' }, message: '--connection brings its own credentials: remove --password-file' },
  ]
  test.each(refused)('should say what to change: $message', async ({ options, message }) => {
    await expect(connectionSettings(options, {})).rejects.toThrow(message)
  })
})
