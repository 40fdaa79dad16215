import type { LogHeader, LogRecord } from '../../worker/task.ts'
import type { Item, Origin } from './source.ts'

/** Last header of every record in a tier, ours alone: origin offset, origin append time, due time. The producer's headers before it stay as they were. */
const HOP = 'sluice-hop'
const VALUE = /^([0-9]{1,16}) (-?[0-9]{1,16}) ([0-9]{1,16})$/

export const hopHeaders = (item: Item): readonly LogHeader[] => [
  ...item.record.headers.slice(0, item.headerCount),
  [HOP, Buffer.from(`${item.originOffset} ${item.originMs} ${item.dueMs}`)],
]

/** Where a record of a tier came from; undefined when no hop of this queue wrote it. */
export function readHop(record: LogRecord, inputTopic: string): Origin | undefined {
  const last = record.headers.at(-1)
  if (last?.[0] !== HOP) return undefined
  const [, offset, appendedMs, dueMs] = VALUE.exec(last[1]?.toString('latin1') ?? '') ?? []
  if (offset === undefined) return undefined
  return {
    topic: inputTopic,
    offset: Number(offset),
    appendedMs: Number(appendedMs),
    dueMs: Number(dueMs),
    headerCount: record.headers.length - 1,
  }
}
