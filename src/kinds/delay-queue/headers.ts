import { formatDuration, parseDuration } from '../../api/duration.ts'
import type { EpochMs } from '../../api/resource.ts'
import { TOPIC_MAX_LENGTH, TOPIC_PATTERN } from '../../api/topic-name.ts'
import type { LogHeader } from '../../worker/task.ts'
import { parseInstant } from './instant.ts'

/** The headers with which a producer steers a message; removed on delivery. A repeated one counts as its last value, as in Java's `lastHeader`. */
const CONTROL = [
  'sluice-deliver-at',
  'sluice-delay',
  'scheduler-epoch',
  'x-delay',
  'sluice-id',
  'sluice-op',
  'sluice-version',
  'sluice-target-topic',
  'scheduler-target-topic',
  'sluice-target-partition',
  'sluice-expires-at',
] as const
type Control = (typeof CONTROL)[number]
const SLOT: ReadonlyMap<string, number> = new Map(CONTROL.map((name, slot) => [name, slot]))

/** What delivery adds; an earlier delivery's values are replaced, so that a reader finds each once. */
export const ADDED = {
  scheduledFor: 'sluice-scheduled-for',
  firedAt: 'sluice-fired-at',
  originTopic: 'sluice-origin-topic',
  originPartition: 'sluice-origin-partition',
  originOffset: 'sluice-origin-offset',
  originTimestamp: 'sluice-origin-timestamp',
} as const
const NOT_DELIVERED: ReadonlySet<string> = new Set([...CONTROL, ...Object.values(ADDED)])

const MAX_ID_BYTES = 1024
const TOPIC = new RegExp(TOPIC_PATTERN)
const DIGITS = /^[0-9]{1,15}$/
const NEGATIVE = /^-[0-9]/
const ZERO_DURATION = /^(0+(d|h|m|s|ms))+$/

/** What a record asks for. */
export interface Instructions {
  readonly op: 'schedule' | 'cancel' | 'fire'
  /** NaN where the op or the topic needs none. */
  readonly dueMs: EpochMs
  /** Bytes of `sluice-id`, one character each. */
  readonly id: string | undefined
  readonly version: number
  readonly targetTopic: string | undefined
  /** -1: by key. */
  readonly targetPartition: number
  /** Infinity: never. */
  readonly expiresAtMs: EpochMs
}

/** Why a record cannot be handled: goes to the dead letter topic with it. */
export class BadRecord {
  readonly code: string
  readonly message: string
  constructor(code: string, message: string) {
    this.code = code
    this.message = message
  }
}

/** How the topic that a record stands in tells its due time. */
export type DueRule =
  /** By its headers, at most so long after its append time. */
  | { readonly by: 'headers'; readonly maxDelayMs: number }
  /** The topic is the delay; due headers are ignored. */
  | { readonly by: 'topic' }
  /** It was worked out when the record was first read. */
  | { readonly by: 'hop' }

const values = new Array<Buffer | null | undefined>(CONTROL.length)

function collect(headers: readonly LogHeader[], count: number): boolean {
  let any = false
  for (let i = 0; i < count; i++) {
    const header = headers[i]
    const slot = header === undefined ? undefined : SLOT.get(header[0])
    if (header === undefined || slot === undefined) continue
    if (!any) values.fill(undefined)
    any = true
    values[slot] = header[1]
  }
  return any
}

const valueOf = (name: Control): Buffer | null | undefined => values[SLOT.get(name) ?? -1]
const textOf = (name: Control): string | undefined => valueOf(name)?.toString('latin1')

/** For a message: short, printable, whatever the bytes were. */
const shown = (name: Control): string => {
  const value = valueOf(name)
  if (value === null) return `${name} is null`
  const text = value?.toString('latin1') ?? ''
  return `${name} "${text.slice(0, 40).replace(/[^\x20-\x7e]/g, '?')}${text.length > 40 ? '...' : ''}"`
}

/** Of a record that asks for nothing. */
export const NOTHING: Instructions = {
  op: 'schedule',
  dueMs: NaN,
  id: undefined,
  version: 0,
  targetTopic: undefined,
  targetPartition: -1,
  expiresAtMs: Infinity,
}

/** Reads the first `count` headers of a record that was appended at `appendedMs`. */
export function readInstructions(
  headers: readonly LogHeader[],
  count: number,
  appendedMs: EpochMs,
  rule: DueRule,
): Instructions | BadRecord {
  if (!collect(headers, count)) return rule.by === 'headers' ? noDelay() : NOTHING
  const op = opOf(rule)
  if (typeof op !== 'string') return op
  const id = idOf(op)
  if (id instanceof BadRecord) return id
  const version = wholeOf('sluice-version', 0, 'InvalidVersion')
  if (typeof version !== 'number') return version
  if (op !== 'schedule') return { ...NOTHING, op, id, version }
  const targetTopic = targetOf()
  if (targetTopic instanceof BadRecord) return targetTopic
  const targetPartition = wholeOf('sluice-target-partition', -1, 'InvalidTargetPartition')
  if (typeof targetPartition !== 'number') return targetPartition
  const expiresAtMs = valueOf('sluice-expires-at') === undefined ? Infinity : instantOf('sluice-expires-at', 'InvalidExpiresAt')
  if (typeof expiresAtMs !== 'number') return expiresAtMs
  const dueMs = rule.by === 'headers' ? dueOf(appendedMs, rule.maxDelayMs) : NaN
  if (typeof dueMs !== 'number') return dueMs
  return { op, dueMs, id, version, targetTopic, targetPartition, expiresAtMs }
}

const noDelay = (): BadRecord =>
  new BadRecord('MissingDelay', 'no header says when: set sluice-deliver-at (epoch ms or RFC 3339) or sluice-delay (such as 30s, or ms)')

function opOf(rule: DueRule): Instructions['op'] | BadRecord {
  const op = valueOf('sluice-op') === undefined ? 'schedule' : textOf('sluice-op')
  if (op === 'schedule') return op
  if (op === 'cancel' || op === 'fire')
    return rule.by === 'topic'
      ? new BadRecord('InvalidOp', `${shown('sluice-op')} works on the input topic only, not on a fixed delay`)
      : op
  return new BadRecord('InvalidOp', `${shown('sluice-op')} is not schedule, cancel or fire`)
}

function idOf(op: string): string | undefined | BadRecord {
  const value = valueOf('sluice-id')
  if (value === undefined)
    return op === 'schedule' ? undefined : new BadRecord('MissingId', `sluice-op ${op} needs sluice-id: it says which message is meant`)
  if (value === null || value.length === 0 || value.length > MAX_ID_BYTES)
    return new BadRecord(
      'InvalidId',
      `sluice-id must have 1 to ${MAX_ID_BYTES} bytes; this one ${value === null ? 'is null' : `has ${value.length}`}`,
    )
  return value.toString('latin1')
}

function wholeOf(name: Control, absent: number, code: string): number | BadRecord {
  if (valueOf(name) === undefined) return absent
  const text = textOf(name)
  if (text !== undefined && DIGITS.test(text)) return Number(text)
  return new BadRecord(code, `${shown(name)} is not a whole number from 0`)
}

function targetOf(): string | undefined | BadRecord {
  const name: Control = valueOf('sluice-target-topic') === undefined ? 'scheduler-target-topic' : 'sluice-target-topic'
  if (valueOf(name) === undefined) return undefined
  const text = textOf(name)
  if (text !== undefined && text.length <= TOPIC_MAX_LENGTH && TOPIC.test(text) && text !== '.' && text !== '..') return text
  return new BadRecord('InvalidTarget', `${shown(name)} is not a topic name`)
}

/** The first that is present decides; when it is unreadable, the next is no substitute: the producer meant something else. */
function dueOf(appendedMs: EpochMs, maxDelayMs: number): EpochMs | BadRecord {
  const dueMs = askedFor(appendedMs)
  if (typeof dueMs !== 'number') return dueMs
  if (dueMs - appendedMs <= maxDelayMs) return dueMs
  return new BadRecord(
    'DelayAboveMaximum',
    `due ${formatDuration(dueMs - appendedMs)} after its append time, above maxDelay ${formatDuration(maxDelayMs)} of the queue`,
  )
}

function askedFor(appendedMs: EpochMs): EpochMs | BadRecord {
  if (valueOf('sluice-deliver-at') !== undefined) return instantOf('sluice-deliver-at', 'InvalidDeliverAt')
  const after = (name: Control, delayMs: number | BadRecord): number | BadRecord => {
    if (typeof delayMs === 'number') return appendedMs + delayMs
    return NEGATIVE.test(textOf(name) ?? '') ? new BadRecord('NegativeDelay', `${shown(name)} is negative`) : delayMs
  }
  if (valueOf('sluice-delay') !== undefined) return after('sluice-delay', delayOf())
  if (valueOf('scheduler-epoch') !== undefined) {
    const seconds = wholeOf('scheduler-epoch', 0, 'InvalidDeliverAt')
    return typeof seconds === 'number' ? seconds * 1000 : seconds
  }
  if (valueOf('x-delay') !== undefined) return after('x-delay', wholeOf('x-delay', 0, 'InvalidDelay'))
  return noDelay()
}

function delayOf(): number | BadRecord {
  const text = textOf('sluice-delay') ?? ''
  if (DIGITS.test(text)) return Number(text)
  if (ZERO_DURATION.test(text)) return 0
  try {
    return parseDuration(text)
  } catch {
    return new BadRecord('InvalidDelay', `${shown('sluice-delay')} is neither a duration such as 30s or 1h30m nor milliseconds`)
  }
}

function instantOf(name: Control, code: string): EpochMs | BadRecord {
  const atMs = parseInstant(textOf(name) ?? '')
  return atMs ?? new BadRecord(code, `${shown(name)} is neither epoch milliseconds nor a time such as 2030-01-31T09:30:00Z`)
}

/** The producer's own headers, byte for byte and in order; room for what delivery adds. */
export function withoutControl(headers: readonly LogHeader[], count: number): LogHeader[] {
  const own: LogHeader[] = []
  for (let i = 0; i < count; i++) {
    const header = headers[i]
    if (header !== undefined && !NOT_DELIVERED.has(header[0])) own.push(header)
  }
  return own
}
