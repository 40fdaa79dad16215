import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { podAccount } from './pod-account.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-account-'))
  for (const [name, text] of Object.entries({ namespace: 'sluice-system\n', token: 'one\n', 'ca.crt': 'CA' }))
    await writeFile(join(folder, name), text)
})
afterEach(() => rm(folder, { recursive: true }))

const POD = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '6443' }

describe('service account of a pod', () => {
  test('should be absent outside of a pod', () => {
    expect(podAccount({}, { folder })).toBeUndefined()
  })

  test.each([
    { env: POD, want: 'https://10.0.0.1:6443' },
    { env: { KUBERNETES_SERVICE_HOST: 'fd00::1' }, want: 'https://[fd00::1]:443' },
  ])('should find the API server at $want', ({ env, want }) => {
    expect(podAccount(env, { folder })).toMatchObject({ url: want, namespace: 'sluice-system', proxied: false })
  })

  test('should trust the CA of the cluster and show the token, renewed after a minute', async () => {
    let nowMs = 5_000
    const account = podAccount(POD, { folder, nowMs: () => nowMs })
    expect(await account?.credentials()).toEqual({ ca: 'CA', headers: { Authorization: 'Bearer one' } })
    await writeFile(join(folder, 'token'), 'two')
    nowMs += 59_999
    expect(await account?.credentials()).toMatchObject({ headers: { Authorization: 'Bearer one' } })
    nowMs += 1
    expect(await account?.credentials()).toMatchObject({ headers: { Authorization: 'Bearer two' } })
  })

  test('should read again at once what could not be read', async () => {
    await rm(join(folder, 'token'))
    const account = podAccount(POD, { folder, nowMs: () => 0 })
    await expect(account?.credentials()).rejects.toMatchObject({ code: 'ENOENT' })
    await writeFile(join(folder, 'token'), 'late')
    expect(await account?.credentials()).toMatchObject({ headers: { Authorization: 'Bearer late' } })
  })
})
