import type { EpochMs } from '../../api/resource.ts'
import type { LogHeader } from '../../worker/task.ts'
import { decimal } from '../delay-queue/outgoing.ts'
import { MOST_STACK_BYTES, cut } from './failure.ts'
import type { Failure, Origin } from './failure.ts'
import { HEADER } from './header-names.ts'

const CONTEXT: ReadonlySet<string> = new Set(Object.values(HEADER))
/** Of a message in a dead letter whose context had to shrink. */
const SHORT_BYTES = 256

/** Everything that Sluice says about a failed record beside the record itself. */
export interface Context {
  readonly failure: Pick<Failure, 'errorClass' | 'message' | 'code' | 'stack' | 'fingerprint'>
  readonly attempt: number
  readonly maxAttempts: number
  readonly firstFailureMs: EpochMs
  readonly lastFailureMs: EpochMs
  readonly deadlineMs: EpochMs | undefined
  readonly origin: Origin
  readonly disposition?: string
  /** Leave out what is long: the topic refused the record for its size. */
  readonly brief?: boolean
}

/** The record's own headers byte for byte and in order, then the context, each name once. */
export function withContext(headers: readonly LogHeader[], count: number, context: Context): LogHeader[] {
  const written: LogHeader[] = []
  for (let i = 0; i < count; i++) {
    const header = headers[i]
    if (header !== undefined && !CONTEXT.has(header[0])) written.push(header)
  }
  const { failure, origin, brief } = context
  const text = (name: string, value: string): void => {
    if (value !== '') written.push([name, Buffer.from(value)])
  }
  const whole = (name: string, value: number | undefined): void => {
    if (value !== undefined) written.push([name, decimal(value)])
  }
  text(HEADER.disposition, context.disposition ?? '')
  whole(HEADER.attempt, context.attempt)
  whole(HEADER.maxAttempts, context.maxAttempts)
  whole(HEADER.firstFailureAt, context.firstFailureMs)
  whole(HEADER.lastFailureAt, context.lastFailureMs)
  whole(HEADER.deadline, context.deadlineMs)
  text(HEADER.errorClass, failure.errorClass)
  text(HEADER.errorMessage, brief === true ? cut(Buffer.from(failure.message), SHORT_BYTES) : failure.message)
  text(HEADER.errorCode, failure.code)
  if (brief !== true) text(HEADER.errorStack, failure.stack)
  text(HEADER.fingerprint, failure.fingerprint)
  text(HEADER.originTopic, origin.topic)
  whole(HEADER.originPartition, origin.partition)
  whole(HEADER.originOffset, origin.offset)
  whole(HEADER.originTimestamp, origin.timestampMs)
  text(HEADER.originGroup, origin.group)
  return written
}

/** The same as Spring's dead letter publisher writes it: numbers big-endian. What the record has of them already stays. */
export function springHeaders({ failure, origin, brief }: Context, present: readonly LogHeader[]): readonly LogHeader[] {
  const long = (value: number): Buffer => {
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeBigInt64BE(BigInt(value))
    return bytes
  }
  const partition = Buffer.allocUnsafe(4)
  partition.writeInt32BE(origin.partition)
  const has = new Set(present.map(([name]) => name))
  const all: readonly LogHeader[] = [
    ['kafka_dlt-exception-fqcn', Buffer.from(failure.errorClass)],
    ['kafka_dlt-exception-message', Buffer.from(brief === true ? cut(Buffer.from(failure.message), SHORT_BYTES) : failure.message)],
    ['kafka_dlt-exception-stacktrace', Buffer.from(brief === true ? '' : cut(Buffer.from(failure.stack), MOST_STACK_BYTES))],
    ['kafka_dlt-original-topic', Buffer.from(origin.topic)],
    ['kafka_dlt-original-partition', partition],
    ['kafka_dlt-original-offset', long(origin.offset)],
    ['kafka_dlt-original-timestamp', long(origin.timestampMs)],
    ['kafka_dlt-original-timestamp-type', Buffer.from('CreateTime')],
    ['kafka_dlt-original-consumer-group', Buffer.from(origin.group)],
  ]
  return all.filter(([name]) => !has.has(name))
}
