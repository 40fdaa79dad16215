import type { LogRecord, OutgoingRecord } from '../../../worker/task.ts'
import { HEADER_OVERHEAD_BYTES, RECORD_OVERHEAD_BYTES } from '../../delay-queue/source.ts'
import type { DeadReason } from '../../delay-queue/source.ts'
import type { Waited } from './waited.ts'

/** How a record leaves the task. */
export type Ending =
  | { readonly type: 'done' }
  | { readonly type: 'dropped' }
  | { readonly type: 'handedOver'; readonly output: OutgoingRecord }
  | { readonly type: 'dead'; readonly reason: DeadReason }

/** A record that was read and is not finished. */
export class Entry {
  readonly record: LogRecord
  readonly bytes: number
  /** What was noted of its failures, where it waits here and not in the retry topic. */
  waited: Waited | undefined
  /** Decided, and not committed yet. */
  ending: Ending | undefined
  /** The one behind it, of the same key. */
  behind: Entry | undefined
  /** A topic refused the record with all of its context. */
  brief = false

  constructor(record: LogRecord, waited: Waited | undefined) {
    this.record = record
    this.bytes = sizeOf(record)
    this.waited = waited
    this.ending = undefined
    this.behind = undefined
  }
}

/**
 * The same record with key and value in one piece of memory that many records share. As the client hands them over, each has memory and bookkeeping of its
 * own: of 100,000 small records that wait, more than half of what they take.
 */
export function compacted(record: LogRecord): LogRecord {
  const { key, value } = record
  if (key === null || value === null) return record
  const whole = Buffer.concat([key, value])
  return { ...record, key: whole.subarray(0, key.length), value: whole.subarray(key.length) }
}

function sizeOf({ key, value, headers }: LogRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
  for (const [name, header] of headers) bytes += HEADER_OVERHEAD_BYTES + name.length + (header?.length ?? 0)
  return bytes
}
