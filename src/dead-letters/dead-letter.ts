import type { LogRecord } from '../kafka/log.ts'
import { shownInstant, shownKey } from '../kafka/shown.ts'
import { readFailure } from '../kinds/dead-letter-pipeline/failure.ts'
import { HEADER } from '../kinds/dead-letter-pipeline/header-names.ts'
import type { Marker } from '../kinds/dead-letter-redrive/handled.ts'

/** A dead letter as it is told of: no payload. */
export function deadLetterOf(record: LogRecord, handled: Marker['how'] | undefined) {
  const failure = readFailure(record.headers, record.headers.length, '')
  const disposition = textOf(record, HEADER.disposition)
  return {
    partition: record.partition,
    offset: record.offset,
    died: shownInstant(record.timestampMs),
    key: shownKey(record.key),
    fingerprint: failure.fingerprint,
    class: failure.errorClass,
    message: failure.message,
    ...(disposition !== undefined && { disposition }),
    ...(failure.made !== undefined && { attempts: failure.made }),
    ...(failure.origin && { origin: failure.origin }),
    ...(handled !== undefined && { handled }),
  }
}
export type DeadLetter = ReturnType<typeof deadLetterOf>

const textOf = ({ headers }: LogRecord, name: string): string | undefined => headers.findLast(([other]) => other === name)?.[1]?.toString()

/** Bytes as text where they are text, else in Base64 with another name. */
export function bytesAs(name: string, bytes: Buffer | null): Readonly<Record<string, string | null>> {
  if (bytes === null) return { [name]: null }
  const text = bytes.toString()
  return Buffer.from(text).equals(bytes) ? { [name]: text } : { [`${name}Base64`]: bytes.toString('base64') }
}

export const headersOf = ({ headers }: LogRecord): readonly object[] =>
  headers.map(([name, value]) => ({ name, ...bytesAs('value', value), ...numberIn(name, value) }))

const SPRING_NUMBERS = /^kafka_(dlt-)?original-(partition|offset|timestamp)$/

/** Spring writes numbers big-endian: as text they are noise. */
function numberIn(name: string, value: Buffer | null): { readonly number?: string } {
  if (value === null || !SPRING_NUMBERS.test(name)) return {}
  if (value.length === 4) return { number: String(value.readInt32BE()) }
  return value.length === 8 ? { number: String(value.readBigInt64BE()) } : {}
}

export const payloadOf = ({ key, value }: LogRecord): object => ({ ...bytesAs('key', key), ...bytesAs('value', value) })
