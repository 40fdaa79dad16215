import type { EpochMs } from '../../api/resource.ts'
import { dueAtTheEarliest } from '../../kinds/delay-queue/survey.ts'
import type { Found, Survey } from '../../kinds/delay-queue/survey.ts'
import type { Answer } from '../output.ts'
import { Look } from './desk.ts'
import type { Desk } from './desk.ts'
import { Earliest } from './earliest.ts'
import { messageOf, messageTable, shownDistance } from './shown.ts'

export interface Window {
  readonly limit: number
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
  readonly partitions: readonly number[]
}

interface Listed {
  readonly found: readonly Found[]
  /** More wait in the window than were asked for. */
  readonly more: boolean
  readonly remarks: readonly string[]
}

/** The first messages of a window of due times. Of tiers and fixed delays only the head is read, where that is enough. */
async function firstDue(desk: Desk, { limit, fromMs, toMs, partitions }: Window): Promise<Listed> {
  const look = await Look.at(desk, partitions)
  const surveys = new Map(look.surveys.map(survey => [survey.partition, survey]))
  // A cancel further on in the input may end a message that has an id: judged when all of it has been read.
  const named: Found[] = []
  const first = new Earliest<Found>(limit + 1)
  const lastMs = (): EpochMs => Math.min(toMs, first.boundMs)
  const judge = (found: Found): void => {
    if (alive(surveys, found)) first.add(found)
  }
  const visit = (found: Found): void => {
    if (found.deed !== 'deliver' || found.dueMs < fromMs || found.dueMs > toMs) return
    if (found.role === 'in' && found.id !== undefined) named.push(found)
    else judge(found)
  }
  await look.read(['input'], visit)
  for (const found of named) judge(found)
  await look.read(['fixed', 'tier'], visit, (source, appendedMs) => dueAtTheEarliest(source, appendedMs) > lastMs())
  const found = first.take()
  return { found: found.slice(0, limit), more: found.length > limit || first.dropped > 0, remarks: look.remarks }
}

const alive = (surveys: ReadonlyMap<number, Survey>, found: Found): boolean => surveys.get(found.partition)?.verdict(found) === 'alive'

const stateOf = ({ dueMs }: Found, nowMs: EpochMs): string => (dueMs <= nowMs ? 'overdue' : 'waiting')

/** `sluice delay pending` */
export async function pending(desk: Desk, window: Window): Promise<Answer> {
  const { found, more, remarks } = await firstDue(desk, window)
  const nowMs = desk.clock.now()
  const messages = found.map(one => messageOf(one, stateOf(one, nowMs)))
  const count = more
    ? `the first ${messages.length} messages; there are more: raise --limit or narrow --from and --to`
    : messages.length === 1
      ? 'one message'
      : `${messages.length} messages`
  return {
    data: { queue: `${desk.queue.namespace}/${desk.queue.name}`, messages, more, remarks },
    text: [
      messages.length === 0 ? 'nothing waits in this window' : messageTable(messages, nowMs),
      ...(messages.length === 0 ? [] : [count]),
      ...remarks,
    ],
  }
}

/** Longest value of a header that is shown. */
const HEADER_CHARACTERS = 120

/** `sluice delay peek`: headers as well, and the payload only where it is asked for. */
export async function peek(desk: Desk, window: Window, withPayload: boolean): Promise<Answer> {
  const { found, remarks } = await firstDue(desk, window)
  const nowMs = desk.clock.now()
  const messages = found.map(one => ({
    ...messageOf(one, stateOf(one, nowMs)),
    headers: one.record.headers.slice(0, one.headerCount).map(([name, value]) => ({ name, value: value?.toString() ?? null })),
    payloadBytes: one.record.value?.length ?? 0,
    ...(withPayload && { payload: one.record.value?.toString() ?? null }),
  }))
  const blocks = messages.map(({ due = '', id, key, where, partition, offset, headers, payloadBytes, payload }) =>
    [
      `${due} (${shownDistance(Date.parse(due) - nowMs)})  ${id === undefined ? 'no id' : `id ${id}`}  key ${key ?? '(none)'}  ${where}[${partition}] offset ${offset}`,
      ...headers.map(({ name, value }) => `    ${name}: ${printable(value)}`),
      payload === undefined ? `    payload of ${payloadBytes} bytes; --payload shows it` : `    ${payload ?? '(null)'}`,
    ].join('\n'),
  )
  return {
    data: { queue: `${desk.queue.namespace}/${desk.queue.name}`, messages, remarks },
    text: [...(blocks.length === 0 ? ['nothing waits'] : blocks), ...remarks],
  }
}

const printable = (value: string | null): string =>
  value === null
    ? '(null)'
    : value.slice(0, HEADER_CHARACTERS).replace(/[^\x20-\x7e]/g, '?') + (value.length > HEADER_CHARACTERS ? '...' : '')
