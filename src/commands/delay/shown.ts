import { formatDuration, parseDuration } from '../../api/duration.ts'
import type { EpochMs } from '../../api/resource.ts'
import { shownInstant, shownKey } from '../../kafka/shown.ts'
import type { Found } from '../../kinds/delay-queue/survey.ts'
import { parseMoment } from '../moments.ts'
import type { Table } from '../output.ts'

/** `in` the input (and the memory of a worker), or the topic of a fixed delay or of a tier. */
export function shownRole(role: string): string {
  const [type = '', delayMs] = role.split(' ')
  return delayMs === undefined ? type : `${type} ${formatDuration(Number(delayMs))}`
}

const SECOND_MS = 1_000
/** `in 3m20s`, `4s ago`; whole seconds from one second on, for people. */
export function shownDistance(ms: number): string {
  const far = Math.abs(ms) >= SECOND_MS ? Math.trunc(Math.abs(ms) / SECOND_MS) * SECOND_MS : Math.max(1, Math.round(Math.abs(ms)))
  return ms >= 0 ? `in ${formatDuration(far)}` : `${formatDuration(far)} ago`
}

/** A moment, or a duration from now. @throws Error that says how to write one */
export function parseWhen(text: string): EpochMs {
  try {
    return Date.now() + parseDuration(text)
  } catch {
    return parseMoment(text)
  }
}

/** A message as the commands tell of it: no payload. */
export const messageOf = ({ id, version, dueMs, appendedMs, partition, role, topic, offset, originOffset, key }: Found, state: string) => ({
  id,
  key: shownKey(key),
  version,
  state,
  due: shownInstant(dueMs),
  appended: shownInstant(appendedMs),
  where: shownRole(role),
  topic,
  partition,
  offset,
  /** Of the producer's own record: what `sluice-origin-offset` will say. */
  originOffset,
})
export type Message = ReturnType<typeof messageOf>

export const messageTable = (messages: readonly Message[], nowMs: EpochMs): Table => ({
  columns: [
    { heading: 'DUE' },
    { heading: '' },
    { heading: 'STATE' },
    { heading: 'ID' },
    { heading: 'KEY' },
    { heading: 'VERSION', align: 'right' },
    { heading: 'WHERE' },
    { heading: 'PARTITION', align: 'right' },
    { heading: 'OFFSET', align: 'right' },
    { heading: 'ORIGIN', align: 'right' },
  ],
  rows: messages.map(({ due, state, id, key, version, where, partition, offset, originOffset }) => [
    due,
    due === undefined ? '' : shownDistance(Date.parse(due) - nowMs),
    state,
    id,
    key,
    version,
    where,
    partition,
    offset,
    originOffset,
  ]),
})
