import type { EpochMs } from '../api/resource.ts'

const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/

/**
 * An instant as RFC 3339 with a time zone, or as epoch milliseconds: a local time without zone means different records to different people.
 * @throws Error that says how to write one.
 */
export function parseMoment(text: string): EpochMs {
  const ms = RFC3339.test(text) ? Date.parse(text) : /^\d{12,15}$/.test(text) ? Number(text) : NaN
  if (Number.isNaN(ms))
    throw new Error(`"${text.slice(0, 40)}" is not an instant; write 2026-01-31T12:00:00Z, 2026-01-31T13:00:00+01:00 or epoch milliseconds`)
  return ms
}

/** @throws Error naming what the number is for. */
export function parseOffset(text: string, what: string): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN
  if (!Number.isSafeInteger(value)) throw new Error(`${what}: "${text.slice(0, 40)}" is not an offset; write a whole number from 0`)
  return value
}
