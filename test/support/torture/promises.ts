import { placeOf } from './log-entry.ts'
import type { LogEntry } from './log-entry.ts'

/** What the judge must know of the queue. All its topics and targets have the same number of partitions. */
export interface QueueFacts {
  readonly input: string
  /** Delay by topic. */
  readonly fixed: ReadonlyMap<string, number>
  readonly target: string
  readonly deadLetter: string
}

/** The producer's header that says how a bad record must end. */
export const EXPECT = 'expect'

/** A record of the input and what it asks for, read from its headers alone. */
export interface Message {
  readonly entry: LogEntry
  readonly op: 'schedule' | 'cancel'
  readonly dueMs: number
  readonly version: number
  readonly target: string
  /** It is bad: it ends as a dead letter of this disposition. */
  readonly disposition: string | undefined
  /** Partition and id, or empty. */
  readonly idKey: string
}

export interface Inputs {
  /** What has to end somewhere, by place. */
  readonly messages: ReadonlyMap<string, Message>
  /** Schedules and cancels under each id of each partition. */
  readonly ids: ReadonlyMap<string, readonly Message[]>
}

export function readInputs(queue: QueueFacts, entries: readonly LogEntry[]): Inputs {
  const messages = new Map<string, Message>()
  const ids = new Map<string, Message[]>()
  for (const entry of entries) {
    const message = read(queue, entry)
    if (message.op === 'schedule' || message.disposition !== undefined) messages.set(placeOf(entry), message)
    if (message.idKey !== '' && message.disposition === undefined) ids.set(message.idKey, [...(ids.get(message.idKey) ?? []), message])
  }
  return { messages, ids }
}

function read(queue: QueueFacts, entry: LogEntry): Message {
  const { headers, topic, partition } = entry
  const id = topic === queue.input ? headers['sluice-id'] : undefined
  return {
    entry,
    op: headers['sluice-op'] === 'cancel' ? 'cancel' : 'schedule',
    dueMs: dueOf(queue, entry),
    version: Number(headers['sluice-version'] ?? 0),
    target: headers['sluice-target-topic'] ?? queue.target,
    disposition: headers[EXPECT],
    idKey: id === undefined ? '' : `${partition}/${id}`,
  }
}

/** The forms that the load uses: milliseconds, and seconds where the header has them. */
function dueOf({ fixed }: QueueFacts, { topic, appendedMs, headers }: LogEntry): number {
  const fixedMs = fixed.get(topic)
  if (fixedMs !== undefined) return appendedMs + fixedMs
  const at = headers['sluice-deliver-at']
  if (at !== undefined) return Number(at)
  const delay = headers['sluice-delay']
  if (delay !== undefined) return appendedMs + Number(delay)
  const epoch = headers['scheduler-epoch']
  if (epoch !== undefined) return Number(epoch) * 1000
  return appendedMs + Number(headers['x-delay'])
}

/** Where a delivered or dead record says that it came from. */
export const originOf = ({ headers }: LogEntry): string =>
  `${headers['sluice-origin-topic']}/${headers['sluice-origin-partition']}/${headers['sluice-origin-offset']}`
