import type { LogRecord } from '../../../worker/task.ts'
import type { Origin } from '../failure.ts'
import { HEADER } from '../header-names.ts'

const DIGITS = /^[0-9]{1,15}$/

/** A record on its way to the application. */
export interface Delivery {
  readonly record: LogRecord
  /** Number of this delivery, from 1. */
  readonly attempt: number
  readonly origin: Origin
  /** A header of Sluice's that the record carries; null for a null value. */
  readonly told: ReadonlyMap<string, Buffer | null>
}

/**
 * Of the source topic: whatever context its headers seem to carry is another pipeline's, this one begins here.
 * @param group of the application
 */
export const firstDelivery = (record: LogRecord, group: string): Delivery => ({
  record,
  attempt: 1,
  origin: placeOf(record, group),
  told: NONE,
})

/** Of the redelivery topic: it carries what the pipeline wrote of it. */
export function redelivery(record: LogRecord, group: string): Delivery {
  const told = new Map<string, Buffer | null>()
  for (const [name, value] of record.headers) if (name.startsWith('sluice-')) told.set(name, value)
  const number = (name: string): number | undefined => {
    const text = told.get(name)?.toString('latin1') ?? ''
    return DIGITS.test(text) ? Number(text) : undefined
  }
  const topic = told.get(HEADER.originTopic)?.toString('utf8') ?? ''
  const [partition, offset] = [number(HEADER.originPartition), number(HEADER.originOffset)]
  const known = topic !== '' && partition !== undefined && offset !== undefined
  const origin = known
    ? { topic, partition, offset, timestampMs: number(HEADER.originTimestamp) ?? record.timestampMs, group }
    : placeOf(record, group)
  return { record, attempt: Math.max(1, number(HEADER.attempt) ?? 1), origin, told }
}

const NONE: ReadonlyMap<string, Buffer | null> = new Map()

const placeOf = ({ topic, partition, offset, timestampMs }: LogRecord, group: string): Origin => ({
  topic,
  partition,
  offset,
  timestampMs,
  group,
})
