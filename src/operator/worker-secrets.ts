import { createHash, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import type { SecretWish } from './plan.ts'
import type { SecretMount, SecretReader } from './ports.ts'

/** Secrets that a resource gives its workers, or what is missing of them. */
export type WorkerSecrets =
  { readonly ok: true; readonly mounts: readonly SecretMount[]; readonly hash: string } | { readonly ok: false; readonly message: string }

/** Hashes by a quick digest of what was hashed: the slow one is made once for each content. */
const hashes = new Map<string, string>()
const MOST_HASHES = 1_000

/**
 * Reads the Secrets, so that a missing one is told by name, and a changed one rolls the workers. Rejects when Secrets cannot be read at all.
 * @param salt of the hash: the uid of the resource
 */
export async function workerSecrets(
  wishes: readonly SecretWish[],
  namespace: string,
  salt: string,
  reader: SecretReader,
): Promise<WorkerSecrets> {
  if (wishes.length === 0) return { ok: true, mounts: [], hash: '' }
  const contents: [string, string, string][] = []
  for (const { name, keys } of wishes) {
    const values = await reader.read(namespace, name)
    if (values === undefined) return { ok: false, message: `Secret "${name}" does not exist in namespace "${namespace}": create it` }
    const missing = keys.find(key => !values.has(key))
    if (missing !== undefined) return { ok: false, message: `Secret "${name}" in namespace "${namespace}" has no key "${missing}": add it` }
    for (const [key, value] of [...values].sort(([a], [b]) => (a < b ? -1 : 1))) contents.push([name, key, value.toString('base64')])
  }
  const names = [...new Set(wishes.map(({ name }) => name))].sort()
  return {
    ok: true,
    mounts: names.map(secretName => ({ folder: secretName, secretName })),
    hash: await slowHash(JSON.stringify(contents), salt),
  }
}

/** Slow on purpose: it becomes an annotation, which more people may read than the Secret. */
async function slowHash(text: string, salt: string): Promise<string> {
  const quick = createHash('sha256').update(salt).update('\n').update(text).digest('base64')
  const known = hashes.get(quick)
  if (known !== undefined) return known
  const hash = (await promisify<string, string, number, Buffer>(scrypt)(text, salt, 16)).toString('hex')
  if (hashes.size >= MOST_HASHES) hashes.clear()
  hashes.set(quick, hash)
  return hash
}
