import type { Message, MessageHeader } from '@confluentinc/kafka-javascript'
import type { LogHeader, LogRecord } from '../log.ts'

const NO_HEADERS: readonly LogHeader[] = []
const SMALL_BYTES = 64

/** The binding allocates every key and header by itself, some 370 bytes for ten; a copy in Node's pool of buffers costs 140. Empty ones stay as they are. */
const compact = <Bytes extends Buffer | null>(bytes: Bytes): Bytes | Buffer =>
  bytes === null || bytes.length === 0 || bytes.length > SMALL_BYTES ? bytes : Buffer.from(bytes)

export function logRecord(message: Message): LogRecord {
  return {
    topic: message.topic,
    partition: message.partition,
    offset: message.offset,
    timestampMs: message.timestamp ?? -1,
    key: compact(message.key as Buffer | null),
    value: message.value,
    headers: message.headers === undefined ? NO_HEADERS : message.headers.map(logHeader),
  }
}

/** The binding hands over one object per header, with one property. */
function logHeader(header: MessageHeader): LogHeader {
  for (const name in header) {
    if (Object.hasOwn(header, name)) return [name, compact(header[name] as Buffer)]
  }
  // It sets the property plainly, so a header of this name became the prototype of its object.
  return ['__proto__', Object.getPrototypeOf(header) as Buffer]
}

const NULL_VALUE = Buffer.alloc(0)

/**
 * The binding writes a buffer without memory of its own as null and refuses null itself; an empty string is written as empty. Its reader makes
 * both an empty buffer (`LogHeader`).
 */
export function vendorHeaders(headers: readonly LogHeader[]): MessageHeader[] | undefined {
  if (headers.length === 0) return undefined
  return headers.map(([name, value]) => ({ [name]: value === null ? NULL_VALUE : value.length === 0 ? '' : value }))
}

const EMPTY = Buffer.from('-').subarray(0, 0)

/** Keeps empty apart from null: an empty buffer without memory of its own is not trusted to survive. */
export const vendorBytes = (bytes: Buffer | null): Buffer | null => (bytes?.length === 0 ? EMPTY : bytes)
