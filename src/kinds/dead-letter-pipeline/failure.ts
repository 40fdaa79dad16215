import { parseDuration } from '../../api/duration.ts'
import type { EpochMs } from '../../api/resource.ts'
import type { LogHeader } from '../../worker/task.ts'
import { fingerprintOf } from './fingerprint.ts'
import { ALIASES, HEADER } from './header-names.ts'
import type { ContextHeader } from './header-names.ts'

/** Of a stack; cut where a character ends. */
export const MOST_STACK_BYTES = 8192
/** Of any other text that Sluice writes again. */
const MOST_TEXT_BYTES = 4096
const DIGITS = /^[0-9]{1,15}$/

/** Where a record came from. */
export interface Origin {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: EpochMs
  readonly group: string
}

/** What the headers of a failed record say. */
export interface Failure {
  /** Deliveries made so far; undefined: the header is there and is not a number from 1. */
  readonly made: number | undefined
  readonly firstFailureMs: EpochMs | undefined
  readonly deadlineMs: EpochMs | undefined
  readonly retryAfterMs: number | undefined
  /** The application refuses the record for good. */
  readonly rejected: boolean
  readonly errorClass: string
  readonly message: string
  readonly code: string
  readonly stack: string
  readonly fingerprint: string
  /** undefined: nobody wrote it down; the record itself is where it began. */
  readonly origin: Origin | undefined
}

/**
 * Reads the first `count` headers of a record. Never fails: whatever a producer may write there is either understood or left out.
 * @param group of the application: for an origin that does not name one.
 */
export const readFailure = (headers: readonly LogHeader[], count: number, group: string): Failure =>
  new ToldFailure(lastValues(headers, count), group)

/** Texts, fingerprint and origin are read when they are asked for: a decision rarely needs them, and every record takes one. */
class ToldFailure implements Failure {
  readonly #told: Told
  readonly #group: string
  readonly made: number | undefined
  readonly firstFailureMs: EpochMs | undefined
  readonly deadlineMs: EpochMs | undefined
  readonly retryAfterMs: number | undefined
  readonly rejected: boolean

  constructor(told: Told, group: string) {
    this.#told = told
    this.#group = group
    this.made = told.has(HEADER.attempt) ? wholeOf(told, HEADER.attempt, 1) : 1
    this.firstFailureMs = wholeOf(told, HEADER.firstFailureAt)
    this.deadlineMs = wholeOf(told, HEADER.deadline)
    this.retryAfterMs = durationOf(textOf(told, HEADER.retryAfter))
    this.rejected = textOf(told, HEADER.disposition) === 'rejected'
  }

  get errorClass(): string {
    return textOf(this.#told, HEADER.errorClass)
  }

  get message(): string {
    return textOf(this.#told, HEADER.errorMessage)
  }

  get code(): string {
    return textOf(this.#told, HEADER.errorCode)
  }

  get stack(): string {
    return textOf(this.#told, HEADER.errorStack, MOST_STACK_BYTES)
  }

  get fingerprint(): string {
    return textOf(this.#told, HEADER.fingerprint, 128) || fingerprintOf(this.errorClass, this.message, this.stack)
  }

  get origin(): Origin | undefined {
    return originOf(this.#told, this.#group)
  }
}

/** Deliveries made so far, as the first `count` headers say; undefined: unreadable. */
export function madeOf(headers: readonly LogHeader[], count: number): number | undefined {
  for (let i = count - 1; i >= 0; i--) if (headers[i]?.[0] === HEADER.attempt) return decimalOf(headers[i]?.[1] ?? null, 1)
  return 1
}

type Told = ReadonlyMap<string, Buffer | null>

/** A repeated header counts as its last value, as in Java's `lastHeader`. */
function lastValues(headers: readonly LogHeader[], count: number): Told {
  const last = new Map<string, Buffer | null>()
  for (let i = 0; i < count; i++) {
    const header = headers[i]
    if (header !== undefined) last.set(header[0], header[1])
  }
  return last
}

function textOf(told: Told, name: ContextHeader, mostBytes: number = MOST_TEXT_BYTES): string {
  const value = told.get(name) ?? ALIASES[name]?.map(alias => told.get(alias.name)).find(found => found !== undefined && found !== null)
  return value ? cut(value, mostBytes) : ''
}

function wholeOf(told: Told, name: ContextHeader, least = 0): number | undefined {
  const own = told.get(name)
  if (own !== undefined) return decimalOf(own, least)
  for (const { name: other, encoding } of ALIASES[name] ?? []) {
    const value = told.get(other)
    if (value) return encoding === 'text' ? decimalOf(value, least) : bigEndian(value)
  }
  return undefined
}

function decimalOf(value: Buffer | null, least: number): number | undefined {
  const text = value?.toString('latin1') ?? ''
  return DIGITS.test(text) && Number(text) >= least ? Number(text) : undefined
}

function bigEndian(value: Buffer): number | undefined {
  const whole = value.length === 4 ? value.readInt32BE() : value.length === 8 ? Number(value.readBigInt64BE()) : NaN
  return Number.isSafeInteger(whole) && whole >= 0 ? whole : undefined
}

function durationOf(text: string): number | undefined {
  if (text === '') return undefined
  if (DIGITS.test(text)) return Number(text)
  try {
    return parseDuration(text)
  } catch {
    return undefined // the computed wait applies
  }
}

function originOf(told: Told, group: string): Origin | undefined {
  const topic = textOf(told, HEADER.originTopic, 249)
  const partition = wholeOf(told, HEADER.originPartition)
  const offset = wholeOf(told, HEADER.originOffset)
  if (topic === '' || partition === undefined || offset === undefined) return undefined
  const timestampMs = wholeOf(told, HEADER.originTimestamp) ?? 0
  return { topic, partition, offset, timestampMs, group: textOf(told, HEADER.originGroup, 249) || group }
}

/** UTF-8 text of at most so many bytes, no character cut in two. */
export function cut(value: Buffer, mostBytes: number): string {
  let end = Math.min(value.length, mostBytes)
  // A byte 10xxxxxx continues a character.
  while (end > 0 && end < value.length && ((value[end] ?? 0) & 0xc0) === 0x80) end--
  return value.toString('utf8', 0, end)
}
