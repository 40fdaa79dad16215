import { placeOf } from './log-entry.ts'
import type { LogEntry } from './log-entry.ts'
import { originOf, readInputs } from './promises.ts'
import type { Message, QueueFacts } from './promises.ts'

/** What can be broken, in the words of the report. */
export const KINDS = ['lost', 'doubled', 'early', 'misordered', 'cancelled', 'superseded', 'phantom', 'wrong'] as const
export type ViolationKind = (typeof KINDS)[number]

export interface Violation {
  readonly kind: ViolationKind
  readonly what: string
  readonly about: readonly LogEntry[]
}

export interface Judgement {
  readonly violations: readonly Violation[]
  readonly messages: number
  readonly delivered: number
  readonly deadLettered: number
  /** Ended by a cancel or a higher version. */
  readonly ended: number
}

/** Slack of the promise that a cancel wins, and of the one about order (design: DelayQueue). */
const CANCEL_AHEAD_MS = 1_000
const ORDER_AHEAD_MS = 2_000

/**
 * Holds what is in the logs against what is promised. A message is identified by where it stands in the input, not by what its producer believes: a
 * record that was written twice is two messages, one that is not there was never accepted.
 *
 * @param inputs committed records of the input and of the fixed delays; @param outcomes those of the targets and of the dead letter topic.
 */
export function judge(queue: QueueFacts, inputs: readonly LogEntry[], outcomes: readonly LogEntry[]): Judgement {
  const { messages, ids } = readInputs(queue, inputs)
  const ends = new Map<string, LogEntry[]>()
  for (const outcome of outcomes) {
    const origin = originOf(outcome)
    ends.set(origin, [...(ends.get(origin) ?? []), outcome])
  }
  const violations: Violation[] = []
  const broken = (kind: ViolationKind, what: string, ...about: LogEntry[]): void => {
    violations.push({ kind, what, about })
  }
  let [delivered, deadLettered, ended] = [0, 0, 0]
  for (const message of messages.values()) {
    const found = ends.get(placeOf(message.entry)) ?? []
    ends.delete(placeOf(message.entry))
    if (found.length > 1) broken('doubled', `ended ${found.length} times`, message.entry, ...found)
    const fate = fateOf(message, ids.get(message.idKey))
    if (found.length === 0 && fate.may !== undefined) ended++
    else if (found.length === 0) broken('lost', 'ended nowhere', message.entry)
    for (const outcome of found) {
      if (outcome.topic === queue.deadLetter) deadLettered++
      else delivered++
      if (fate.must !== undefined) broken(fate.must.kind, fate.must.what, message.entry, outcome)
      for (const { kind, what } of faultsOf(queue, message, outcome)) broken(kind, what, message.entry, outcome)
    }
  }
  for (const outcome of [...ends.values()].flat()) broken('phantom', 'came from no committed record of the input', outcome)
  for (const [before, after] of misordered(queue, messages, outcomes))
    broken('misordered', `${placeOf(after)} came after ${placeOf(before)}, which was due later`, before, after)
  return { violations, messages: messages.size, delivered, deadLettered, ended }
}

interface Fate {
  /** Why it may be absent. */
  readonly may?: string
  /** Why it must be. */
  readonly must?: { readonly kind: 'cancelled' | 'superseded'; readonly what: string }
}

/** `rivals`: everything under the id of the message, itself included. */
function fateOf(message: Message, rivals: readonly Message[] | undefined): Fate {
  if (rivals === undefined || message.disposition !== undefined) return {}
  const lastChanceMs = Math.max(message.dueMs, message.entry.appendedMs) - CANCEL_AHEAD_MS
  const { offset } = message.entry
  let fate: Fate = {}
  let lastCut = -1
  for (const { op, entry } of rivals) if (op === 'cancel' && entry.offset < offset) lastCut = Math.max(lastCut, entry.offset)
  for (const rival of rivals) {
    const after = rival.entry.offset > offset
    const inTime = rival.entry.appendedMs <= lastChanceMs
    if (rival.op === 'cancel') {
      if (!after) continue
      const what = `delivered though cancelled by ${placeOf(rival.entry)}, ${message.dueMs - rival.entry.appendedMs} ms ahead`
      fate = { may: 'cancelled', ...fate, ...(inTime && { must: { kind: 'cancelled', what } }) }
    } else if (rival.version > message.version && rival.entry.offset > lastCut) {
      const what = `delivered though version ${rival.version} stands at ${placeOf(rival.entry)}`
      fate = { may: 'superseded', ...fate, ...((!after || inTime) && { must: { kind: 'superseded', what } }) }
    }
  }
  return fate
}

const CONTROL = ['sluice-deliver-at', 'sluice-delay', 'scheduler-epoch', 'x-delay', 'sluice-id', 'sluice-version', 'sluice-target-topic']

function* faultsOf(
  queue: QueueFacts,
  message: Message,
  outcome: LogEntry,
): Generator<{ readonly kind: ViolationKind; readonly what: string }> {
  const { entry, dueMs, disposition, target } = message
  const dead = outcome.topic === queue.deadLetter
  if (outcome.key !== entry.key || outcome.value !== entry.value) yield { kind: 'wrong', what: 'has another key or value' }
  for (const [name, value] of Object.entries(entry.headers))
    if ((dead || !CONTROL.includes(name)) && outcome.headers[name] !== value) yield { kind: 'wrong', what: `lost its header ${name}` }
  if (dead) {
    const found = outcome.headers['sluice-disposition'] ?? ''
    if (found !== disposition) yield { kind: 'wrong', what: `is dead as ${found}, expected ${disposition ?? 'delivery'}` }
    return
  }
  if (disposition !== undefined) yield { kind: 'wrong', what: `was delivered, expected dead letter ${disposition}` }
  if (outcome.topic !== target || outcome.partition !== entry.partition)
    yield { kind: 'wrong', what: `went to ${outcome.topic}[${outcome.partition}], expected ${target}[${entry.partition}]` }
  const control = CONTROL.find(name => outcome.headers[name] !== undefined)
  if (control !== undefined) yield { kind: 'wrong', what: `still has ${control}` }
  if (outcome.headers['sluice-scheduled-for'] !== String(dueMs))
    yield { kind: 'wrong', what: `was scheduled for another time than ${dueMs}` }
  // The append time says nothing: a worker may write ahead of the due time and commit at it.
  const firstMs = Math.min(outcome.seenAtMs ?? Infinity, Number(outcome.headers['sluice-fired-at']))
  if (firstMs < dueMs) yield { kind: 'early', what: `${dueMs - firstMs} ms early` }
}

/** Per key and target partition, of what was appended 2 s ahead: by due time, and equal due times of one topic as they were appended. */
function* misordered(
  queue: QueueFacts,
  messages: ReadonlyMap<string, Message>,
  outcomes: readonly LogEntry[],
): Generator<readonly [LogEntry, LogEntry]> {
  const last = new Map<string, { readonly message: Message; readonly outcome: LogEntry }>()
  const sorted = outcomes.filter(({ topic }) => topic !== queue.deadLetter).sort((a, b) => a.offset - b.offset)
  for (const outcome of sorted) {
    const message = messages.get(originOf(outcome))
    if (message === undefined || message.dueMs - message.entry.appendedMs < ORDER_AHEAD_MS) continue
    const line = `${outcome.topic}/${outcome.partition}/${outcome.key}`
    const before = last.get(line)
    if (before !== undefined && isAfter(before.message, message)) yield [before.outcome, outcome]
    else last.set(line, { message, outcome })
  }
}

const isAfter = (before: Message, { dueMs, entry }: Message): boolean =>
  before.dueMs > dueMs || (before.dueMs === dueMs && before.entry.topic === entry.topic && before.entry.offset > entry.offset)
