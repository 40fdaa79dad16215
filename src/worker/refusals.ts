import type { KafkaErrorCode } from '../kafka/errors.ts'
import type { Commit, OutgoingRecord, Refusal } from '../kafka/log.ts'
import type { Logger } from '../observability/logger.ts'
import type { Hosted } from './hosted.ts'
import type { Proposal } from './task.ts'

/** One task's part of a transaction in the making. */
export interface Entry {
  readonly hosted: Hosted
  readonly proposal: Proposal
  /** Written for nothing but its append time. */
  readonly stamp: OutgoingRecord | undefined
  /** As they are written: with our name in the metadata. */
  readonly offsets: readonly Commit[]
  /** The record that the client refused before it left. */
  refused: OutgoingRecord | undefined
}

/** Whether the error is about the record, and lasting. */
export const isRefusal = (code: KafkaErrorCode): code is Refusal['code'] =>
  code === 'MessageTooLarge' || code === 'AuthorizationFailed' || code === 'UnknownTopic'

interface Suspect {
  readonly entry: Entry
  readonly record: OutgoingRecord
}

/**
 * Tells tasks which of their records the brokers refused. A topic that is missing or forbidden condemns every record for it. A batch that is too large
 * is refused as one, and librdkafka does not split it: so the suspects' tasks are given transactions of their own and ever smaller batches, until one
 * record is left.
 */
export function blame(entries: readonly Entry[], refusals: readonly Refusal[], logger: Logger): void {
  for (const refusal of refusals) {
    const suspects = suspectsOf(entries, refusal)
    const [only] = suspects
    if (only === undefined) continue
    if (refusal.code !== 'MessageTooLarge' || suspects.length === 1)
      suspects.forEach(suspect => {
        condemn(suspect, refusal, logger)
      })
    else narrow(suspects, refusal, logger)
  }
}

function suspectsOf(entries: readonly Entry[], { topic, partition }: Refusal): readonly Suspect[] {
  const suspects: Suspect[] = []
  for (const entry of entries) {
    if (entry.refused !== undefined) return [{ entry, record: entry.refused }]
    for (const record of entry.proposal.outputs) {
      if (record.topic === topic && (partition < 0 || record.partition === partition)) suspects.push({ entry, record })
    }
  }
  return suspects
}

function narrow(suspects: readonly Suspect[], refusal: Refusal, logger: Logger): void {
  const hosted = new Set(suspects.map(({ entry }) => entry.hosted))
  const smallest = [...hosted].every(({ limit, alone }) => limit === 1 && alone)
  if (smallest && hosted.size === 1) {
    // One piece of work writes several records here: the largest it is.
    const largest = suspects.reduce((a, b) => (sizeOf(b.record) > sizeOf(a.record) ? b : a))
    condemn(largest, refusal, logger)
    return
  }
  for (const each of hosted) {
    const outputs = suspects.find(({ entry }) => entry.hosted === each)?.entry.proposal.outputs.length ?? 1
    each.limit = Math.max(1, Math.min(each.limit, outputs) >> 1)
    each.alone = true
  }
}

function condemn({ entry, record }: Suspect, { code, message }: Refusal, logger: Logger): void {
  const { topic, partition } = record
  logger.warn({ task: entry.hosted.name, topic, partition, code, sizeBytes: sizeOf(record) }, `a record was refused for good: ${message}`)
  entry.hosted.task.rejected(record, code, message)
}

const sizeOf = ({ key, value, headers }: OutgoingRecord): number =>
  headers.reduce((sum, [name, bytes]) => sum + name.length + (bytes?.length ?? 0), (key?.length ?? 0) + (value?.length ?? 0))
