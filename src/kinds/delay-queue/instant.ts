import type { EpochMs } from '../../api/resource.ts'

const EPOCH_MS = /^[0-9]{1,15}$/
const RFC_3339 = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d+))?(?:[Zz]|([+-]\d{2}:\d{2}))$/

/** Epoch ms, or RFC 3339. Fractions of a millisecond are rounded up: a message is never early. */
export function parseInstant(text: string): EpochMs | undefined {
  if (EPOCH_MS.test(text)) return Number(text)
  const [, date, time, fraction = '', offset = 'Z'] = RFC_3339.exec(text) ?? []
  if (date === undefined || time === undefined || !isDay(date)) return undefined
  const wholeMs = Date.parse(`${date}T${time}${offset}`)
  return Number.isNaN(wholeMs) ? undefined : wholeMs + roundedUpMs(fraction)
}

const roundedUpMs = (fraction: string): number => Number(fraction.slice(0, 3).padEnd(3, '0')) + (/[1-9]/.test(fraction.slice(3)) ? 1 : 0)

/** Date.parse takes February 30 for March 2. */
const isDay = (date: string): boolean => {
  const dayMs = Date.parse(`${date}T00:00:00Z`)
  return !Number.isNaN(dayMs) && new Date(dayMs).toISOString().startsWith(date)
}
