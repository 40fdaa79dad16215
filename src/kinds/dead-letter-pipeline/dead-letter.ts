import type { EpochMs } from '../../api/resource.ts'
import type { LogRecord, OutgoingRecord } from '../../worker/task.ts'
import type { DeadReason } from '../delay-queue/source.ts'
import type { PipelineConfig } from './config.ts'
import { springHeaders, withContext } from './context.ts'
import type { Context } from './context.ts'

export interface Dead {
  readonly record: LogRecord
  /** How many of the record's headers are its own. */
  readonly headerCount: number
  readonly context: Context
  readonly reason: DeadReason
  readonly topic: string
  /** Of that topic. */
  readonly partitions: number
  readonly now: EpochMs
}

/** The record stays whole; of the context, what is long goes first when a topic takes no more. */
export function deadLetterOf(
  { record, headerCount, context, reason, topic, partitions, now }: Dead,
  config: Pick<PipelineConfig, 'springHeaders'>,
): OutgoingRecord {
  const { key, value, headers } = record
  const told = context.failure
  // An application that said nothing of an error leaves room for ours.
  const silent = told.errorClass === '' && told.message === '' && told.code === ''
  const { stack, fingerprint } = told
  const failure = silent ? { errorClass: '', code: reason.code, message: reason.message, stack, fingerprint } : told
  const whole = { ...context, failure, disposition: reason.disposition }
  const written = withContext(headers, headerCount, whole)
  if (config.springHeaders) written.push(...springHeaders(whole, written))
  return { topic, partition: context.origin.partition % partitions, key, value, headers: written, timestampMs: now }
}
