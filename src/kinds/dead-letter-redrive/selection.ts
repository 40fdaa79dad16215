import type { LogRecord } from '../../worker/task.ts'
import { readFailure } from '../dead-letter-pipeline/failure.ts'
import { HEADER } from '../dead-letter-pipeline/header-names.ts'
import type { Select } from './resource.ts'

/** Whether a dead letter is wanted. */
export type Selection = (record: LogRecord) => boolean

/** Every selector that is given must match; a list that is empty matches nothing. */
export function selectionOf(select: Select): Selection {
  const tests: Selection[] = []
  const { fingerprint, errorClass, key, header } = select
  if (select.partitions !== undefined) {
    const partitions = new Set(select.partitions)
    tests.push(({ partition }) => partitions.has(partition))
  }
  if (select.offsets !== undefined) {
    const ranges = select.offsets
    tests.push(({ partition, offset }) => ranges.some(range => range.partition === partition && offset >= range.from && offset <= range.to))
  }
  if (select.from !== undefined) {
    const fromMs = Date.parse(select.from)
    tests.push(({ timestampMs }) => timestampMs >= fromMs)
  }
  if (select.to !== undefined) {
    const toMs = Date.parse(select.to)
    tests.push(({ timestampMs }) => timestampMs < toMs)
  }
  if (key !== undefined) {
    const bytes = Buffer.from(key)
    tests.push(record => record.key !== null && bytes.equals(record.key))
  }
  if (header !== undefined) {
    const { name, value } = header
    tests.push(record => {
      const found = record.headers.findLast(([other]) => other === name)
      return found !== undefined && (value === undefined || found[1]?.toString() === value)
    })
  }
  if (errorClass !== undefined) tests.push(record => classOf(record) === errorClass)
  if (fingerprint !== undefined) tests.push(record => fingerprintIn(record) === fingerprint)
  return record => tests.every(wanted => wanted(record))
}

/** As Sluice wrote it beside the dead letter; worked out for dead letters of other systems. */
export const fingerprintIn = (record: LogRecord): string =>
  last(record, HEADER.fingerprint) ?? readFailure(record.headers, record.headers.length, '').fingerprint

const classOf = (record: LogRecord): string =>
  last(record, HEADER.errorClass) ?? readFailure(record.headers, record.headers.length, '').errorClass

function last({ headers }: LogRecord, name: string): string | undefined {
  const value = headers.findLast(([other]) => other === name)?.[1]
  return value === undefined || value === null || value.length === 0 ? undefined : value.toString()
}
