import type { EpochMs } from '../../api/resource.ts'
import type { LogRecord } from '../../worker/task.ts'
import type { Instructions } from './headers.ts'
import { GUARD_MS } from './ladder.ts'
import { Limits } from './limits.ts'
import { Position } from './position.ts'
import type { EngineConfig } from './protocol.ts'

/** Slack of the promise that a cancel wins: one appended this long before the due time has been read before the firing. */
const CANCEL_SLACK_MS = 1_000
/** Records read ahead of one fixed delay or tier; the rest waits in the log. */
const READ_AHEAD_RECORDS = 512
const READ_AHEAD_BYTES = 524_288
/**
 * Far records that wait for their transaction before the input is held: two transactions. What lives longer than it takes to write it outlives the young
 * generation, and 20,000 per partition made 1 GiB of an intake.
 */
const UNSETTLED_RECORDS = 2_000

/** Names a source in the journal and in notes. */
export const roleOf = (type: Source['type'], delayMs: number): string => (type === 'input' ? 'in' : `${type} ${delayMs}`)

/** One topic that is consumed with a committed offset, in the partition of the task. */
export class Source {
  readonly topic: string
  readonly type: 'input' | 'fixed' | 'tier'
  /** How long a record stays in it; 0 for the input. */
  readonly delayMs: number
  /** Its name in the journal. */
  readonly role: string
  /** How long the messages may ask to wait that stand in it. */
  readonly limits: Limits
  position = new Position(0)
  /** Last committed watermark; -1: none yet. */
  committed = -1
  /** Records that the tier holds, as committed. */
  far = 0
  /** Everything appended before this has been read. */
  readToMs: EpochMs = -Infinity
  /** Offsets between what was read and the end, when that was last asked for. */
  unread = 0
  /** Records read ahead: of a tier until they leave it, of a fixed delay until they are done, of the input until they are settled. */
  #ahead = 0
  #aheadBytes = 0

  constructor(topic: string, type: Source['type'], delayMs: number, maxDelayMs: number) {
    this.topic = topic
    this.type = type
    this.delayMs = delayMs
    this.role = roleOf(type, delayMs)
    this.limits = new Limits(maxDelayMs)
  }

  /** What may fire as far as this source is concerned: no record still unread is due before it, and no cancel unread that must win. */
  get boundMs(): EpochMs {
    switch (this.type) {
      case 'input':
        return this.readToMs + CANCEL_SLACK_MS
      case 'fixed':
        return this.readToMs + this.delayMs
      case 'tier':
        return this.readToMs + this.delayMs + GUARD_MS
    }
  }

  get ahead(): number {
    return this.#ahead
  }

  get aheadBytes(): number {
    return this.#aheadBytes
  }

  readAhead(item: Item): void {
    if (item.ahead) return
    item.ahead = true
    this.#ahead++
    this.#aheadBytes += item.bytes
  }

  settled(item: Item): void {
    if (!item.ahead) return
    item.ahead = false
    this.#ahead--
    this.#aheadBytes -= item.bytes
  }

  /** Whether enough is read ahead; with hysteresis, so that reading is not switched at every record. */
  full(held: boolean): boolean {
    const share = held ? 0.5 : 1
    if (this.type === 'input') return this.#ahead > UNSETTLED_RECORDS * share
    return this.#ahead > READ_AHEAD_RECORDS * share || this.#aheadBytes > READ_AHEAD_BYTES * share
  }
}

export function sourcesOf({ topics, maxDelayMs }: EngineConfig): readonly [Source, ...Source[]] {
  return [
    new Source(topics.input, 'input', 0, maxDelayMs),
    ...topics.fixed.map(({ topic, delayMs }) => new Source(topic, 'fixed', delayMs, maxDelayMs)),
    ...topics.tiers.map(({ topic, delayMs }) => new Source(topic, 'tier', delayMs, maxDelayMs)),
  ]
}

export type Disposition =
  'poison' | 'expired' | 'late' | 'target-not-allowed' | 'target-missing' | 'too-large' | 'exhausted' | 'non-retriable' | 'rejected'

/** Why a record goes to the dead letter topic. */
export interface DeadReason {
  readonly disposition: Disposition
  readonly code: string
  readonly message: string
  /** Where to, when the kind has several dead letter topics. */
  readonly topic?: string
}

/** A producer may leave the time out, and no broker fills it in on a topic that lacks LogAppendTime: counted from, it would be due in 1970. */
export const timeless = ({ topic, timestampMs }: LogRecord): DeadReason | undefined =>
  timestampMs >= 0
    ? undefined
    : { disposition: 'poison', code: 'NoTimestamp', message: `no time to count from: ${topic} lacks message.timestamp.type LogAppendTime` }

/** What is to be done with a record. */
export type Deed = 'deliver' | 'move' | 'deadLetter' | 'cancel' | 'fire' | 'drop'

/** How a record ended. */
export type Ending =
  'delivered' | 'moved' | 'deadLettered' | 'cancelled' | 'superseded' | 'duplicate' | 'lateDropped' | 'ruleDropped' | 'obeyed' | 'unmatched'

/** A record that was read and is not done. */
export class Item {
  readonly source: Source
  readonly record: LogRecord
  readonly instructions: Instructions
  /** Where and when the producer's record was appended; differs from `record` for one that came through tiers. */
  readonly originTopic: string
  readonly originOffset: number
  readonly originMs: EpochMs
  readonly dueMs: EpochMs
  /** How many of the record's headers are the producer's: all but the hop header of a tier. */
  readonly headerCount: number
  readonly bytes: number
  /** What other messages call it; undefined on a fixed delay, where ids have no meaning. */
  readonly id: string | undefined
  deed: Deed
  /** Set with the deed `drop`: why. */
  dropped: Ending | undefined
  dead: DeadReason | undefined
  /** The ids table must be written with it. */
  writesId = false
  /** A fire has reached it: it goes now, whatever its due time. */
  fired = false
  /** Stands in the heap of what waits for its due time. */
  inHeap = false
  /** Counted as read ahead by its source. */
  ahead = false
  /** Part of the proposal on its way. */
  proposed = false
  /** Done for good: what still holds it skips it. */
  gone = false
  /** The dead letter topic refused it with its value. */
  withoutValue = false

  constructor(source: Source, record: LogRecord, instructions: Instructions, deed: Deed, origin: Origin) {
    this.source = source
    this.record = record
    this.instructions = instructions
    this.id = source.type === 'fixed' ? undefined : instructions.id
    this.deed = deed
    this.dropped = undefined
    this.dead = undefined
    this.originTopic = origin.topic
    this.originOffset = origin.offset
    this.originMs = origin.appendedMs
    this.dueMs = origin.dueMs
    this.headerCount = origin.headerCount
    this.bytes = sizeOf(record)
  }
}

export interface Origin {
  readonly topic: string
  readonly offset: number
  readonly appendedMs: EpochMs
  readonly dueMs: EpochMs
  readonly headerCount: number
}

/** What the objects around one record, its value's buffer among them, and around one header cost in resident memory (docs/performance.md). */
export const RECORD_OVERHEAD_BYTES = 1_000
export const HEADER_OVERHEAD_BYTES = 250

function sizeOf({ key, value, headers }: LogRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
  for (const [name, header] of headers) bytes += HEADER_OVERHEAD_BYTES + name.length + (header?.length ?? 0)
  return bytes
}
