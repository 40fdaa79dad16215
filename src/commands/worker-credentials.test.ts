import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readCredentials } from './worker-credentials.ts'

describe('readCredentials', () => {
  let root: string
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'sluice-credentials-'))
    await mkdir(join(root, 'kafka'))
    for (const name of ['ca.crt', 'tls.crt', 'tls.key', 'user', 'password']) await writeFile(join(root, 'kafka', name), `<${name}>`)
  })
  afterAll(() => rm(root, { recursive: true }))

  test('should need no files for a plain connection', async () => {
    expect(await readCredentials({ bootstrapServers: ['a:1'] }, '/nowhere')).toEqual({ bootstrapServers: ['a:1'] })
  })

  test('should read TLS and SASL from below the root', async () => {
    const settings = await readCredentials(
      {
        bootstrapServers: ['a:1'],
        tls: { caFile: 'kafka/ca.crt', certificateFile: 'kafka/tls.crt', keyFile: 'kafka/tls.key' },
        sasl: { mechanism: 'SCRAM-SHA-256', usernameFile: 'kafka/user', passwordFile: 'kafka/password' },
      },
      root,
    )
    expect(settings).toEqual({
      bootstrapServers: ['a:1'],
      tls: { ca: '<ca.crt>', certificate: '<tls.crt>', key: '<tls.key>' },
      sasl: { mechanism: 'SCRAM-SHA-256', username: '<user>', password: '<password>' },
    })
  })

  test('should read the client of OAUTHBEARER', async () => {
    const sasl = {
      mechanism: 'OAUTHBEARER' as const,
      tokenEndpoint: 'https://t',
      clientIdFile: 'kafka/user',
      clientSecretFile: 'kafka/password',
      scope: 's',
    }
    expect((await readCredentials({ bootstrapServers: [], sasl }, root)).sasl).toEqual({
      mechanism: 'OAUTHBEARER',
      tokenEndpoint: 'https://t',
      clientId: '<user>',
      clientSecret: '<password>',
      scope: 's',
    })
  })

  test.each([
    { caFile: 'kafka/absent', message: 'cannot read the secret file' },
    { caFile: '../outside', message: 'not below the secrets root' },
    { caFile: '/etc/passwd', message: 'not below the secrets root' },
  ])('should refuse $caFile', async ({ caFile, message }) => {
    await expect(readCredentials({ bootstrapServers: [], tls: { caFile } }, root)).rejects.toThrow(message)
  })
})
