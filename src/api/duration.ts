/** Units, largest first: the order in which a duration must name them. */
const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const

/** Longest duration of the API: 36500d, a hundred years. */
export const MAX_DURATION_MS = 36_500 * 86_400_000

/** Digits per unit are those of the longest duration: arithmetic on what matches cannot overflow, in CEL neither. */
export const DURATION_PATTERN = '^([0-9]{1,5}d)?([0-9]{1,6}h)?([0-9]{1,8}m)?([0-9]{1,10}s)?([0-9]{1,13}ms)?$'
export const DURATION_MAX_LENGTH = 48
const SHAPE = /^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$/
const IN_RANGE = new RegExp(DURATION_PATTERN)

/**
 * Milliseconds of a duration such as `500ms`, `30s`, `1h30m`, `30d`: whole numbers with units, largest first, each unit once.
 * @throws RangeError saying what is wrong: unreadable, zero, or above 36500d.
 */
export function parseDuration(text: string): number {
  if (text === '' || text.length > DURATION_MAX_LENGTH || !SHAPE.test(text)) {
    throw new RangeError(`"${text.slice(0, 40)}" is not a duration such as 500ms, 30s, 1h30m or 30d`)
  }
  const parts = IN_RANGE.exec(text)
  if (parts === null) throw new RangeError(`duration "${text}" is above 36500d`)
  const totalMs = UNITS.reduce((sum, [unit, unitMs], i) => sum + Number(parts[i + 1]?.slice(0, -unit.length) ?? 0) * unitMs, 0)
  if (totalMs <= 0) throw new RangeError(`duration "${text}" must be above zero`)
  if (totalMs > MAX_DURATION_MS) throw new RangeError(`duration "${text}" is above 36500d`)
  return totalMs
}

/** No limit, where a field allows it. */
export const UNLIMITED_MS = -1

/**
 * Milliseconds of a duration, or -1 (number or text) for unlimited.
 * @throws RangeError as `parseDuration` does.
 */
export function parseDurationOrUnlimited(value: string | number): number {
  if (String(value) === '-1') return UNLIMITED_MS
  if (typeof value === 'number') throw new RangeError(`${value} has no unit; write a duration such as 12h or 7d, or -1 for unlimited`)
  return parseDuration(value)
}

/** The shortest text that `parseDuration` reads back as the same number; `0s` for zero, for display only. */
export function formatDuration(durationMs: number): string {
  let rest = Math.round(durationMs)
  if (rest <= 0) return '0s'
  let text = ''
  for (const [unit, unitMs] of UNITS) {
    const count = Math.floor(rest / unitMs)
    if (count > 0) text += `${count}${unit}`
    rest -= count * unitMs
  }
  return text
}
