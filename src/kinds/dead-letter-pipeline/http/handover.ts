import type { LogHeader, OutgoingRecord } from '../../../worker/task.ts'
import { HEADER } from '../header-names.ts'
import type { Delivery } from './delivery.ts'
import type { Reply } from './reply.ts'

const CONTEXT: ReadonlySet<string> = new Set(Object.values(HEADER))
/** Of an earlier failure: none of it may outlive a new one. */
const REPLACED: ReadonlySet<string> = new Set([
  HEADER.errorClass,
  HEADER.errorMessage,
  HEADER.errorCode,
  HEADER.errorStack,
  HEADER.fingerprint,
  HEADER.retryAfter,
  HEADER.disposition,
])

export type CallFailed = Extract<Reply, { type: 'failed' }>

/** What an application with topic delivery would write to the retry topic: the record as it came, this failure instead of the last, and its origin. */
export function handedOver({ record, origin, told }: Delivery, failed: CallFailed, topic: string, partition: number): OutgoingRecord {
  const { key, value } = record
  const isFirst = told.size === 0
  const dropped = isFirst ? CONTEXT : REPLACED
  const headers: LogHeader[] = record.headers.filter(([name]) => !dropped.has(name))
  const text = (name: string, content: string | number): void => {
    headers.push([name, Buffer.from(String(content))])
  }
  text(HEADER.errorClass, failed.errorClass)
  text(HEADER.errorMessage, failed.message)
  if (failed.code !== '') text(HEADER.errorCode, failed.code)
  if (failed.retryAfterMs !== undefined) text(HEADER.retryAfter, failed.retryAfterMs)
  if (isFirst) {
    text(HEADER.originTopic, origin.topic)
    text(HEADER.originPartition, origin.partition)
    text(HEADER.originOffset, origin.offset)
    text(HEADER.originTimestamp, origin.timestampMs)
    text(HEADER.originGroup, origin.group)
  }
  return { topic, partition, key, value, headers }
}
