import type { EpochMs } from '../../api/resource.ts'
import type { Commit, LogRecord, OutgoingRecord, Proposal } from '../../worker/task.ts'
import type { Batch } from './batch.ts'
import type { Ids } from './ids.ts'
import { JournalPosition, decodeJournal, encodeJournal, foldedEntries, journalEntries } from './journal.ts'
import { encodeMetadata, readMetadata } from './metadata.ts'
import type { Outgoing } from './outgoing.ts'
import { Position } from './position.ts'
import type { EngineConfig } from './protocol.ts'
import type { Source } from './source.ts'

/** A position that moved without work (markers, expired records) is committed after this, so that retention never overtakes it. */
const TIDY_AFTER_MS = 30_000

/** What was read is noted after this at the latest, so that a limit that is lowered meanwhile does not meet it. */
const NOTE_AFTER_MS = 1_000

/** Finished offsets that a restore collects before it drops those below the watermark: a whole journal names every message of a week. */
const FORGET_AFTER = 10_000

function forgetPassed(known: { readonly watermark: number; done: number[]; kept: number }): void {
  known.done = known.done.filter(offset => offset >= known.watermark)
  known.kept = known.done.length
}

/**
 * What is durable of a task and how it gets back into memory: positions of the sources, the journal, the ids. Turns a batch into a proposal that
 * holds all of it, so that outputs and books are one transaction.
 */
export class Ledger {
  readonly #config: EngineConfig
  readonly #partition: number
  readonly #sources: readonly [Source, ...Source[]]
  readonly #byRole: ReadonlyMap<string, Source>
  readonly #ids: Ids
  readonly #outgoing: Outgoing
  readonly #journal = new JournalPosition()
  readonly #restored = new Map<string, { watermark: number; done: number[]; kept: number }>()
  /** Sources that someone moved back, or whose topic was made again: where to, until the journal says so. */
  readonly #movedBack = new Map<string, number>()
  #tidyAt: EpochMs = Infinity
  /** Read position of the input in the last commit. */
  #notedTo = 0

  constructor(config: EngineConfig, partition: number, sources: readonly [Source, ...Source[]], ids: Ids, outgoing: Outgoing) {
    this.#config = config
    this.#partition = partition
    this.#sources = sources
    this.#byRole = new Map(sources.map(source => [source.role, source]))
    this.#ids = ids
    this.#outgoing = outgoing
  }

  /** When a position wants to be committed even without work. */
  get tidyAt(): EpochMs {
    return this.#tidyAt
  }

  restoreFrom(committed: ReadonlyMap<string, Commit>): ReadonlyMap<string, number | 'earliest'> {
    const { journalFrom } = readMetadata(committed.get(this.#config.topics.input)?.metadata)
    const { journal, ids } = this.#config.topics
    return new Map([[journal, journalFrom], ...(ids === undefined ? [] : [[ids, 'earliest'] as const])])
  }

  load(record: LogRecord): void {
    if (record.topic === this.#config.topics.ids) {
      this.#ids.load(record)
      return
    }
    const entries = decodeJournal(record)
    this.#journal.loaded(record.offset, record.timestampMs, entries)
    for (const { role, watermark, done } of entries) {
      const known = this.#restored.get(role) ?? { watermark, done: [], kept: 0 }
      this.#restored.set(role, known)
      // A watermark never falls by itself: what was done above it was done before the position was moved back.
      if (watermark < known.watermark) known.done = []
      known.watermark = watermark
      for (const offset of done) known.done.push(offset)
      if (known.done.length > 2 * known.kept + FORGET_AFTER) forgetPassed(known)
    }
  }

  started(committed: ReadonlyMap<string, Commit>, stateEnds: ReadonlyMap<string, number>): ReadonlyMap<string, number | 'unknown'> {
    const [{ topic: input, role }] = this.#sources
    const journalEnd = stateEnds.get(this.#config.topics.journal) ?? 0
    const unknown = journalEnd > 0 && !committed.has(input) && !this.#restored.has(role) ? input : undefined
    this.#journal.restored(journalEnd)
    const { far, judged } = readMetadata(committed.get(this.#config.topics.input)?.metadata)
    this.#sources[0].limits.restore(judged)
    for (const source of this.#sources) this.#place(source, committed.get(source.topic), far[source.role] ?? 0)
    this.#restored.clear()
    return new Map(this.#sources.map(({ topic, position }) => [topic, topic === unknown ? 'unknown' : position.watermark]))
  }

  #place(source: Source, commit: Commit | undefined, far: number): void {
    const known = this.#restored.get(source.role)
    // The group's offsets may have expired (a queue scaled to 0 for a week): the journal remembers them longer.
    source.position = new Position(commit?.offset ?? known?.watermark ?? 0)
    source.committed = commit?.offset ?? -1
    source.far = far
    if (known === undefined) return
    if (commit !== undefined && commit.offset < known.watermark) {
      this.#movedBack.set(source.role, commit.offset)
      return
    }
    forgetPassed(known)
    for (const offset of known.done) source.position.restoreDone(offset)
  }

  /** Whether positions have waited long enough to be committed for their own sake. */
  untidy(now: EpochMs): boolean {
    const moved = this.#sources.some(({ position, committed }) => position.watermark !== committed)
    const { watermark, next } = this.#sources[0].position
    const unnoted = next > watermark && next !== this.#notedTo
    const inMs = unnoted ? NOTE_AFTER_MS : moved ? TIDY_AFTER_MS : Infinity
    this.#tidyAt = inMs === Infinity ? Infinity : Math.min(this.#tidyAt, now + inMs)
    return now >= this.#tidyAt
  }

  /** Closes the batch: nothing of it may commit without the rest. */
  seal(batch: Batch): Proposal {
    batch.watermarks = new Map(this.#sources.map(source => [source, source.position.proposedWatermark()]))
    batch.inputReadTo = this.#sources[0].position.next
    const movedBack = [...this.#movedBack].map(([role, watermark]) => ({ role, watermark, done: [] }))
    batch.folded = this.#journal.long(this.#watermarks(batch))
    batch.entries = [...movedBack, ...(batch.folded ? foldedEntries(batch) : journalEntries(batch))]
    this.#writeIds(batch)
    batch.write(this.#outgoing.state(this.#config.topics.journal, null, encodeJournal(batch.entries)), undefined)
    return { outputs: batch.outputs, offsets: this.#offsets(batch), notBefore: batch.notBefore, token: batch }
  }

  /** A record of the journal that tells nothing. */
  nothing(): OutgoingRecord {
    return this.#outgoing.state(this.#config.topics.journal, null, encodeJournal([]))
  }

  /** Every transaction commits the input, moved or not: its offset carries the generation that fences a worker which lost the partition. */
  #offsets(batch: Batch): readonly Commit[] {
    const [input] = this.#sources
    const far = this.#sources.map(tier => [tier.role, tier.far + (batch.far.get(tier) ?? 0)] as const)
    const journalFrom = batch.folded ? this.#journal.next : this.#journal.from(this.#watermarks(batch))
    const metadata = encodeMetadata(journalFrom, far, input.limits.notes(batch.watermarks.get(input) ?? 0, batch.inputReadTo))
    return [...batch.watermarks]
      .filter(([source, offset]) => source === input || offset !== source.committed)
      .map(([source, offset]) => ({
        topic: source.topic,
        partition: this.#partition,
        offset,
        metadata: source === input ? metadata : '',
      }))
  }

  committed(batch: Batch, now: EpochMs): void {
    for (const [tier, change] of batch.far) tier.far += change
    for (const [source, watermark] of batch.watermarks) {
      source.position.settle()
      source.committed = watermark
    }
    this.#journal.committed(now, batch.entries, this.#watermarks(batch), batch.folded)
    for (const { id } of batch.expired) this.#ids.forget(id, batch.expiredBoundMs)
    this.#movedBack.clear()
    this.#notedTo = batch.inputReadTo
    this.#tidyAt = Infinity
  }

  #writeIds(batch: Batch): void {
    const { ids } = this.#config.topics
    if (ids === undefined) return
    const expired = new Set(batch.expired.map(({ id }) => id))
    for (const { id, writesId } of batch.ended) {
      const value = writesId && id !== undefined && !expired.has(id) ? this.#ids.write(id, batch.number) : undefined
      if (id !== undefined && value !== undefined) batch.write(this.#outgoing.state(ids, Buffer.from(id, 'latin1'), value), undefined)
    }
    for (const id of expired) batch.write(this.#outgoing.state(ids, Buffer.from(id, 'latin1'), null), undefined)
  }

  /** A role that is no source any more needs nothing of the journal. */
  #watermarks(batch: Batch): (role: string) => number {
    return role => {
      const source = this.#byRole.get(role)
      return (source && batch.watermarks.get(source)) ?? Infinity
    }
  }
}
