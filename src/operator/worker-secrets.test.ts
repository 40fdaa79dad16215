import { describe, expect, test } from '@jest/globals'
import type { SecretReader } from './ports.ts'
import { workerSecrets } from './worker-secrets.ts'

const reader = (secrets: Readonly<Record<string, Readonly<Record<string, string>>>>): SecretReader => ({
  read: (_, name) => {
    const found = secrets[name]
    return Promise.resolve(found && new Map(Object.entries(found).map(([key, value]) => [key, Buffer.from(value)])))
  },
})
const wishes = [
  { name: 'headers', keys: [] },
  { name: 'tls', keys: ['ca.crt'] },
]

describe('the Secrets of workers', () => {
  test('should be mounted under their names, with a hash that moves with what is in them', async () => {
    const read = (value: string) =>
      workerSecrets(wishes, 'shop', 'uid', reader({ headers: { Authorization: value }, tls: { 'ca.crt': 'x' } }))
    const [one, again, other] = [await read('one'), await read('one'), await read('other')]
    expect(one).toEqual({
      ok: true,
      mounts: [
        { folder: 'headers', secretName: 'headers' },
        { folder: 'tls', secretName: 'tls' },
      ],
      hash: expect.stringMatching(/^[0-9a-f]{32}$/),
    })
    expect(again).toEqual(one)
    expect(other).not.toEqual(one)
  })

  test.each([
    { secrets: { headers: {} }, says: 'Secret "tls" does not exist in namespace "shop"' },
    { secrets: { headers: {}, tls: { other: 'x' } }, says: 'Secret "tls" in namespace "shop" has no key "ca.crt"' },
  ])('should be named when they are missing: $says', async ({ secrets, says }) => {
    expect(await workerSecrets(wishes, 'shop', 'uid', reader(secrets))).toEqual({ ok: false, message: expect.stringContaining(says) })
  })

  test('should cost nothing when there are none', async () => {
    expect(await workerSecrets([], 'shop', 'uid', { read: () => Promise.reject(new Error('not asked')) })).toEqual({
      ok: true,
      mounts: [],
      hash: '',
    })
  })
})
