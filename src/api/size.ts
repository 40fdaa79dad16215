const SUFFIXES: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
}

export const SIZE_PATTERN = '^([0-9]{1,16}(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?|-1)$'

/** No limit, where a field allows it. */
export const UNLIMITED = -1

/**
 * Bytes of a quantity (`512Mi`, `10G`) or of a plain number; -1 means unlimited and is left to the field to allow.
 * @throws RangeError when unreadable, negative but for -1, fractional, or above 2^53-1 bytes.
 */
export function parseSize(size: string | number): number {
  const text = String(size)
  if (text === '-1') return UNLIMITED
  const match = /^([0-9]{1,16})([kMGTP]|[KMGTP]i)?$/.exec(text)
  const unit = SUFFIXES[match?.[2] ?? '']
  if (match === null || unit === undefined) throw new RangeError(`"${text.slice(0, 40)}" is not a size such as 512Mi, 10G or 1048576`)
  const bytes = Number(match[1]) * unit
  if (!Number.isSafeInteger(bytes)) throw new RangeError(`size "${text}" is above 2^53-1 bytes`)
  return bytes
}

/** For people: `1.5Gi`, `512Mi`, `37`. */
export function formatSize(bytes: number): string {
  if (bytes === UNLIMITED) return 'unlimited'
  for (const suffix of ['Pi', 'Ti', 'Gi', 'Mi', 'Ki'] as const) {
    const unit = SUFFIXES[suffix] ?? 1
    if (bytes >= unit) return `${Number((bytes / unit).toFixed(1))}${suffix}`
  }
  return String(bytes)
}
