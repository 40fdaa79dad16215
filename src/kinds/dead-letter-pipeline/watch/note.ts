import type { EpochMs } from '../../../api/resource.ts'

/** What the watch of one partition of the dead letters knows; stands beside its offset, for the operator and for the next owner. */
export interface WatchNote {
  /** The first dead letter that nobody has handled; what is below need not be read again. */
  readonly from: number
  readonly unhandled: number
  /** When the oldest of them died. */
  readonly oldestMs: EpochMs | undefined
  /** Unhandled ones by fingerprint, the most frequent first. */
  readonly byFingerprint: readonly (readonly [fingerprint: string, count: number])[]
  /** Fingerprints that were met so far, shortened. */
  readonly known: readonly string[]
  /** When the last one that was not known died. */
  readonly newestMs: EpochMs | undefined
}

const FORMAT = 'watch1'
/** The metadata of an offset holds 4,096 bytes. */
const MOST_FINGERPRINTS = 20
const LONGEST_FINGERPRINT = 40
export const MOST_KNOWN = 150
const KNOWN_LENGTH = 8

/** No blanks, commas, and quotes: a note is one line of words. */
const plain = (fingerprint: string): string => fingerprint.replace(/[^\x21-\x7e]|["\\,=]/g, '?')
export const shortened = (fingerprint: string): string => plain(fingerprint).slice(0, KNOWN_LENGTH)

export function encodeNote({ from, unhandled, oldestMs, byFingerprint, known, newestMs }: WatchNote): string {
  const counts = byFingerprint.slice(0, MOST_FINGERPRINTS).map(([name, count]) => `${plain(name).slice(0, LONGEST_FINGERPRINT)}=${count}`)
  return [
    FORMAT,
    from,
    unhandled,
    oldestMs ?? '-',
    newestMs ?? '-',
    counts.join(',') || '-',
    known.slice(-MOST_KNOWN).join(',') || '-',
  ].join(' ')
}

/** undefined: somebody else wrote it. */
export function decodeNote(text: string): WatchNote | undefined {
  const [format, from, unhandled, oldest = '-', newest = '-', counts = '-', known = '-'] = text.split(' ')
  if (format !== FORMAT || !Number.isSafeInteger(Number(from)) || !Number.isSafeInteger(Number(unhandled))) return undefined
  const instant = (word: string): EpochMs | undefined => (word === '-' ? undefined : Number(word))
  return {
    from: Number(from),
    unhandled: Number(unhandled),
    oldestMs: instant(oldest),
    newestMs: instant(newest),
    byFingerprint:
      counts === '-' ? [] : counts.split(',').map(one => [one.slice(0, one.indexOf('=')), Number(one.slice(one.indexOf('=') + 1))]),
    known: known === '-' ? [] : known.split(','),
  }
}

const MOST_SHOWN = 10

/** All partitions together, as the status shows it; undefined before any was read to its end. */
export function statusOf(notes: readonly WatchNote[]) {
  if (notes.length === 0) return undefined
  const counts = new Map<string, number>()
  for (const { byFingerprint } of notes) for (const [name, count] of byFingerprint) counts.set(name, (counts.get(name) ?? 0) + count)
  const oldestMs = Math.min(...notes.map(note => note.oldestMs ?? Infinity))
  return {
    count: notes.reduce((sum, { unhandled }) => sum + unhandled, 0),
    ...(oldestMs !== Infinity && { oldest: new Date(oldestMs).toISOString() }),
    byFingerprint: [...counts]
      .sort(([a, many], [b, more]) => more - many || a.localeCompare(b))
      .slice(0, MOST_SHOWN)
      .map(([fingerprint, count]) => ({ fingerprint, count })),
  }
}
