import type { EpochMs } from '../../api/resource.ts'
import type { LogRecord } from '../../worker/task.ts'
import { Heap } from './heap.ts'

/**
 * What is remembered of a `sluice-id`: never what is pending, only what ended it. A message of the id, first appended at offset o with version
 * w, is dead when o is below `cut` or w below `version`. An id that was never cancelled, versioned or deduplicated has no entry.
 */
interface Entry {
  /** Input offset of the last cancel: what was appended before it is cancelled. */
  cut: number
  /** Highest version since the cut. */
  version: number
  /** The message that later ones of the same version repeat; offset -1: none. */
  seenOffset: number
  seenVersion: number
  seenAtMs: EpochMs
  /** No message that the entry could end is due after this. */
  untilMs: EpochMs
  /** A cancel met a message. Not written: after a restart an unmatched cancel may be counted once too often. */
  matched: boolean
  /** Batch that last wrote it, so that one transaction writes an id once. */
  batch: number
}

export type Verdict = 'alive' | 'cancelled' | 'superseded' | 'duplicate'
export interface Scheduled {
  readonly verdict: Verdict
  /** The entry changed: it must be written in the transaction that takes the record's effect. */
  readonly changed: boolean
}
const ALIVE: Scheduled = { verdict: 'alive', changed: false }
const ALIVE_CHANGED: Scheduled = { verdict: 'alive', changed: true }

export interface ExpiredId {
  readonly id: string
  readonly unmatchedCancel: boolean
}

const ENTRY_BYTES = 200

/** The ids of one input partition. Its changes are made in the order of the input's offsets and can be made again: a restart reads records twice. */
export class Ids {
  readonly #entries = new Map<string, Entry>()
  readonly #expiry = new Heap<string>()
  readonly #rememberMs: number
  readonly #deduplicationMs: number

  /** @param rememberMs the longest that a message can wait; @param deduplicationMs 0: none. */
  constructor(rememberMs: number, deduplicationMs: number) {
    this.#rememberMs = rememberMs
    this.#deduplicationMs = deduplicationMs
  }

  get bytes(): number {
    return this.#entries.size * ENTRY_BYTES
  }

  get size(): number {
    return this.#entries.size
  }

  /** What is remembered of an id, for people: offsets of the input, below which a cancel ended everything. */
  about(id: string): { readonly cancelledBelow?: number; readonly version: number } | undefined {
    const entry = this.#entries.get(id)
    return entry && { ...(entry.cut >= 0 && { cancelledBelow: entry.cut }), version: entry.version }
  }

  /** As `judge`, without counting as a meeting of cancel and message. */
  look(id: string, offset: number, version: number): Verdict {
    const entry = this.#entries.get(id)
    if (entry === undefined) return 'alive'
    if (offset < entry.cut) return 'cancelled'
    return version < entry.version ? 'superseded' : 'alive'
  }

  /** What has become of a message, as known by now. */
  judge(id: string, offset: number, version: number): Verdict {
    const entry = this.#entries.get(id)
    if (entry === undefined) return 'alive'
    if (offset < entry.cut) {
      entry.matched = true
      return 'cancelled'
    }
    return version < entry.version ? 'superseded' : 'alive'
  }

  /** A message of the id was read from the input. */
  schedule(id: string, offset: number, version: number, appendedMs: EpochMs): Scheduled {
    const verdict = this.judge(id, offset, version)
    if (verdict !== 'alive') return { verdict, changed: false }
    const entry = this.#entries.get(id)
    if (entry !== undefined && this.#repeats(entry, offset, version, appendedMs)) return { verdict: 'duplicate', changed: false }
    return this.#remember(entry, id, offset, version, appendedMs) ? ALIVE_CHANGED : ALIVE
  }

  /** False: there is nothing to remember of it. */
  #remember(entry: Entry | undefined, id: string, offset: number, version: number, appendedMs: EpochMs): boolean {
    const deduplicates = this.#deduplicationMs > 0
    if (version <= (entry?.version ?? 0) && !deduplicates) return false
    const changed = entry ?? this.#add(id)
    changed.version = Math.max(version, changed.version)
    // Read again after a restart, an older message must not stand in for the one that came after it.
    if (deduplicates && offset > changed.seenOffset) {
      changed.seenOffset = offset
      changed.seenVersion = version
      changed.seenAtMs = appendedMs
    }
    this.#prolong(id, changed, appendedMs)
    return true
  }

  #repeats(entry: Entry, offset: number, version: number, appendedMs: EpochMs): boolean {
    if (this.#deduplicationMs === 0 || entry.seenOffset < 0 || entry.seenOffset < entry.cut) return false
    return offset > entry.seenOffset && version === entry.seenVersion && appendedMs - entry.seenAtMs < this.#deduplicationMs
  }

  /** A cancel of the id was read: ends what was appended before it and begins the versions anew. */
  cancel(id: string, offset: number, appendedMs: EpochMs): void {
    const entry = this.#entries.get(id) ?? this.#add(id)
    if (offset < entry.cut) return
    if (offset > entry.cut) {
      entry.cut = offset
      entry.version = 0
      entry.matched = false
    }
    this.#prolong(id, entry, appendedMs)
  }

  /** The record value for the id as it stands, or undefined when this batch wrote it already. */
  write(id: string, batch: number): Buffer | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.batch === batch) return undefined
    entry.batch = batch
    return Buffer.from([entry.cut, entry.version, entry.seenOffset, entry.seenVersion, entry.seenAtMs, entry.untilMs].join(' '))
  }

  /** A record of the ids topic, at restore. @throws Error when it is not one of ours. */
  load(record: LogRecord): void {
    const id = record.key?.toString('latin1')
    if (id === undefined) throw new Error(`${record.topic}/${record.partition} offset ${record.offset} has no key: not written by Sluice`)
    if (record.value === null) {
      this.#entries.delete(id)
      return
    }
    const fields = record.value.toString('latin1').split(' ').map(Number)
    const [cut, version, seenOffset, seenVersion, seenAtMs, untilMs] = fields
    if (fields.some(Number.isNaN) || cut === undefined || version === undefined || seenOffset === undefined)
      throw new Error(`${record.topic}/${record.partition} offset ${record.offset} is not readable: not written by Sluice`)
    const known = this.#entries.get(id)
    const entry = known ?? this.#add(id)
    Object.assign(entry, { cut, version, seenOffset, seenVersion, seenAtMs, untilMs })
    if (known === undefined) this.#expiry.push(id, entry.untilMs, 0)
  }

  /** Ids that no message can meet any more when every message that is still to come or waits is due after `boundMs`. At most `limit`. */
  expired(boundMs: EpochMs, limit: number): readonly ExpiredId[] {
    const ended = new Map<string, ExpiredId>()
    const again = new Map<string, EpochMs>()
    while (ended.size < limit && this.#expiry.firstAt() < boundMs) {
      const id = this.#expiry.pop() ?? ''
      const entry = this.#entries.get(id)
      if (entry === undefined) continue
      again.set(id, entry.untilMs)
      if (entry.untilMs < boundMs) ended.set(id, { id, unmatchedCancel: entry.cut >= 0 && !entry.matched })
    }
    for (const [id, untilMs] of again) this.#expiry.push(id, untilMs, 0)
    return [...ended.values()]
  }

  /** The tombstone was committed. An entry that was prolonged meanwhile stays: it is written again with the record that prolonged it. */
  forget(id: string, boundMs: EpochMs): void {
    if ((this.#entries.get(id)?.untilMs ?? Infinity) < boundMs) this.#entries.delete(id)
  }

  #add(id: string): Entry {
    const entry: Entry = { cut: -1, version: 0, seenOffset: -1, seenVersion: 0, seenAtMs: 0, untilMs: 0, matched: false, batch: -1 }
    this.#entries.set(id, entry)
    return entry
  }

  #prolong(id: string, entry: Entry, appendedMs: EpochMs): void {
    const untilMs = Math.max(entry.untilMs, appendedMs + Math.max(this.#rememberMs, this.#deduplicationMs))
    if (entry.untilMs === 0) this.#expiry.push(id, untilMs, 0)
    entry.untilMs = untilMs
  }
}
