import type { LogRecord } from '../kafka/log.ts'
import { readRanges } from '../kafka/read-ranges.ts'
import type { Range } from '../kafka/read-ranges.ts'
import type { Marker } from '../kinds/dead-letter-redrive/handled.ts'
import { selectionOf } from '../kinds/dead-letter-redrive/selection.ts'
import type { Select } from '../kinds/dead-letter-redrive/resource.ts'
import type { DeadLetterDesk } from './desk.ts'

/** What becomes of a visit. */
export interface Visitor {
  /** What is selected, in offset order per partition. */
  readonly visit: (record: LogRecord, handled: Marker['how'] | undefined) => void
  /** True: what comes next is left unread. */
  readonly enough?: () => boolean
  /** How many offsets there are to go through, once it is known. */
  readonly begun?: (offsets: number) => void
  /** Every record that was read, selected or not, before it is visited. */
  readonly passed?: (record: LogRecord) => void
}

/** Visits what is selected. Answers remarks for what could not be seen. */
export async function visitDeadLetters(
  desk: DeadLetterDesk,
  select: Select,
  { visit, enough = () => false, begun, passed }: Visitor,
): Promise<readonly string[]> {
  const selected = selectionOf(select)
  const ranges = await narrowed(desk, select)
  begun?.(ranges.reduce((sum, { from, to }) => sum + Math.max(0, to - from), 0))
  const hidden = await readRanges(
    desk.reader,
    ranges,
    record => {
      if (enough()) return 'enough'
      passed?.(record)
      if (selected(record)) visit(record, desk.handled[record.partition]?.at(record.offset)?.how)
      return enough() ? 'enough' : 'more'
    },
    desk.clock,
    desk.signal,
  )
  return hidden.map(({ topic, partition }) => `${topic}[${partition}]: a transaction is open; what stands behind it is not seen yet`)
}

/** Partitions, offsets and times say where to begin; brokers find a time by their index. */
async function narrowed({ ranges, admin }: DeadLetterDesk, { partitions, offsets, from }: Select): Promise<readonly Range[]> {
  const listed = partitions === undefined ? ranges : ranges.filter(({ partition }) => partitions.includes(partition))
  const wanted = offsets === undefined ? listed : listed.flatMap(range => withinOffsets(range, offsets))
  if (from === undefined || wanted.length === 0) return wanted
  const answers = await admin.listOffsets(wanted.map(({ topic, partition }) => ({ topic, partition, at: { timestamp: Date.parse(from) } })))
  return wanted.map((range, i) => {
    const answer = answers[i]
    const start = answer?.error === undefined ? Number(answer?.offset ?? range.from) : range.from
    return { ...range, from: Math.min(range.to, Math.max(range.from, start)) }
  })
}

function withinOffsets(range: Range, offsets: NonNullable<Select['offsets']>): readonly Range[] {
  const own = offsets.filter(({ partition }) => partition === range.partition)
  if (own.length === 0) return []
  const from = Math.max(range.from, Math.min(...own.map(one => one.from)))
  const to = Math.min(range.to, Math.max(...own.map(one => one.to + 1)))
  return from < to ? [{ ...range, from, to }] : []
}
