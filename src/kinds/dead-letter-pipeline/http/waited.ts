import type { EpochMs } from '../../../api/resource.ts'
import type { LogRecord, OutgoingRecord } from '../../../worker/task.ts'

/** What must outlive the worker of a failed record that waits where it is, its key behind it. */
export interface Waited {
  /** Deliveries made. */
  readonly made: number
  readonly firstFailureMs: EpochMs
  readonly lastFailureMs: EpochMs
  /** Not called again before. */
  readonly dueMs: EpochMs
  readonly errorClass: string
  readonly code: string
  readonly message: string
}

const LONGEST_MESSAGE = 300

/** @param offset of the record in the source; the partition is the same. */
export function waitedRecord(topic: string, partition: number, offset: number, waited: Waited | undefined): OutgoingRecord {
  const key = Buffer.from(String(offset))
  if (waited === undefined) return { topic, partition, key, value: null, headers: [] }
  const { made, firstFailureMs, lastFailureMs, dueMs, errorClass, code, message } = waited
  const told = [made, firstFailureMs, lastFailureMs, dueMs, errorClass, code, message.slice(0, LONGEST_MESSAGE)]
  return { topic, partition, key, value: Buffer.from(JSON.stringify(told)), headers: [] }
}

/** Offset and what waits there; undefined where it no longer does, or where the note is unreadable, so that the attempts begin anew. */
export function readWaited({ key, value }: LogRecord): readonly [offset: number, waited: Waited | undefined] {
  const offset = Number(key?.toString('latin1') ?? NaN)
  try {
    const told = value === null || value.length === 0 ? undefined : (JSON.parse(value.toString('utf8')) as unknown)
    return [offset, isTold(told) ? waitedOf(told) : undefined]
  } catch {
    return [offset, undefined]
  }
}

type Told = readonly [number, number, number, number, string, string, string]

const isTold = (told: unknown): told is Told =>
  Array.isArray(told) &&
  told.length >= 7 &&
  told.slice(0, 4).every(Number.isSafeInteger) &&
  told.slice(4, 7).every(each => typeof each === 'string')

const waitedOf = ([made, firstFailureMs, lastFailureMs, dueMs, errorClass, code, message]: Told): Waited => ({
  made,
  firstFailureMs,
  lastFailureMs,
  dueMs,
  errorClass,
  code,
  message,
})
