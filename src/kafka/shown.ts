import { createHash } from 'node:crypto'
import type { EpochMs } from '../api/resource.ts'

const HASH_LENGTH = 12
const LONGEST_KEY = 60

/** A key that people can read, else a hash of it: equal keys have equal hashes. */
export function shownKey(key: Buffer | null): string | undefined {
  if (key === null) return undefined
  const text = key.toString()
  if (/^[\x21-\x7e]+$/.test(text) && text.length <= LONGEST_KEY) return text
  return `sha256:${createHash('sha256').update(key).digest('hex').slice(0, HASH_LENGTH)}`
}

export const shownInstant = (ms: EpochMs): string | undefined => (Number.isFinite(ms) ? new Date(ms).toISOString() : undefined)
