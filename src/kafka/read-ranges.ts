import type { Clock } from '../api/clock.ts'
import type { LogReader, LogRecord, TopicPartition } from './log.ts'

export interface Range extends TopicPartition {
  readonly from: number
  /** Exclusive: the high watermark at the time of asking. */
  readonly to: number
}

const AT_ONCE = 5_000
const POLL_MS = 100
/** A transaction that is still open hides what stands behind it. Ours last milliseconds, those of others up to 15 minutes: that is not waited for. */
const OPEN_TRANSACTION_MS = 3_000
/** Nothing at all arrives for so long: the brokers are gone. */
const SILENCE_MS = 20_000

/**
 * Reads committed records of all ranges, in offset order per partition; `visit` says when one partition has given enough. Answers what could not be
 * read to its end, because a transaction was open there.
 * @throws KafkaError of a partition that cannot be read, or the reason of the signal
 */
export async function readRanges(
  reader: LogReader,
  ranges: readonly Range[],
  visit: (record: LogRecord) => 'more' | 'enough',
  clock: Clock,
  signal?: AbortSignal,
): Promise<readonly TopicPartition[]> {
  const open = new Map(ranges.filter(({ from, to }) => from < to).map(range => [nameOf(range), range]))
  await reader.assign([...open.values()].map(({ topic, partition, from }) => ({ topic, partition, offset: from })))
  const finish = async (partitions: readonly TopicPartition[]): Promise<void> => {
    const known = partitions.filter(partition => open.delete(nameOf(partition)))
    if (known.length > 0) await reader.unassign(known)
  }
  let heardAtMs = clock.monotonicMs()
  const atEnd = new Set<string>()
  while (open.size > 0) {
    signal?.throwIfAborted()
    const { records, ends, stopped } = await reader.poll(AT_ONCE, POLL_MS)
    const [refused] = stopped
    if (refused !== undefined) throw refused.error
    if (records.length > 0) heardAtMs = clock.monotonicMs()
    for (const record of records) {
      const range = open.get(nameOf(record))
      if (range === undefined) continue
      atEnd.delete(nameOf(record))
      if (record.offset >= range.to || visit(record) === 'enough') await finish([range])
    }
    for (const end of ends) atEnd.add(nameOf(end))
    // The position passes markers, which are never delivered.
    const left = [...open.values()]
    const positions = reader.positions(left)
    await finish(left.filter(({ to }, i) => (positions[i] ?? 0) >= to))
    const silentMs = clock.monotonicMs() - heardAtMs
    const hidden = [...open.values()].filter(range => atEnd.has(nameOf(range)))
    if (hidden.length === open.size && silentMs > OPEN_TRANSACTION_MS) {
      await finish(hidden)
      return hidden
    }
    if (silentMs > SILENCE_MS) throw new Error(`nothing arrives of ${[...open.keys()].slice(0, 3).join(', ')}: are the brokers well?`)
  }
  return []
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}[${partition}]`
