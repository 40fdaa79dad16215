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

/** The same grammar for CRDs and ajv; order and range are checked by `parseDuration` and, in the CRD, by the shape of the expression. */
export const DURATION_PATTERN = '^([0-9]{1,13}d)?([0-9]{1,13}h)?([0-9]{1,13}m)?([0-9]{1,13}s)?([0-9]{1,13}ms)?$'

/**
 * Milliseconds of a duration such as `500ms`, `30s`, `1h30m`, `30d`: whole numbers with units, largest first, each unit once.
 * @throws RangeError saying what is wrong: unreadable, zero, or above 36500d.
 */
export function parseDuration(text: string): number {
  const parts = text === '' ? null : new RegExp(DURATION_PATTERN).exec(text)
  if (parts === null) throw new RangeError(`"${text.slice(0, 40)}" is not a duration such as 500ms, 30s, 1h30m or 30d`)
  const totalMs = UNITS.reduce((sum, [unit, unitMs], i) => sum + Number(parts[i + 1]?.slice(0, -unit.length) ?? 0) * unitMs, 0)
  if (totalMs <= 0) throw new RangeError(`duration "${text}" must be above zero`)
  if (totalMs > MAX_DURATION_MS) throw new RangeError(`duration "${text}" is above 36500d`)
  return totalMs
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
