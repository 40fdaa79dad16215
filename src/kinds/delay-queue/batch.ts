import type { EpochMs } from '../../api/resource.ts'
import type { OutgoingRecord } from '../../worker/task.ts'
import type { ExpiredId } from './ids.ts'
import type { SourceEntry } from './journal.ts'
import type { DeadReason, Ending, Item, Source } from './source.ts'

/** One proposal: what it writes, which records it ends and how. Parallel arrays, so that a record costs no object of its own. */
export class Batch {
  readonly number: number
  readonly now: EpochMs
  readonly outputs: OutgoingRecord[] = []
  /** The item that each output is for; undefined: journal or ids. */
  readonly makers: (Item | undefined)[] = []
  readonly ended: Item[] = []
  readonly endings: Ending[] = []
  readonly reasons: (DeadReason | undefined)[] = []
  /** Net change of the records that a tier holds. */
  readonly far = new Map<Source, number>()
  delivered = 0
  /** Something in it goes then: it is not committed earlier. */
  notBefore: EpochMs = -Infinity
  #bytes = 0
  expired: readonly ExpiredId[] = []
  expiredBoundMs: EpochMs = -Infinity
  /** Filled when it is sealed. */
  entries: readonly SourceEntry[] = []
  /** Read position of the input. */
  inputReadTo = 0
  /** The entries tell all there is, not only what this batch did. */
  folded = false
  watermarks: ReadonlyMap<Source, number> = new Map()

  constructor(number: number, now: EpochMs) {
    this.number = number
    this.now = now
  }

  hold(until: EpochMs): void {
    if (until > this.notBefore) this.notBefore = until
  }

  write(output: OutgoingRecord, maker: Item | undefined): void {
    this.outputs.push(output)
    this.makers.push(maker)
    this.#bytes += maker?.bytes ?? 0
  }

  end(item: Item, ending: Ending, reason?: DeadReason, tier?: Source): void {
    item.proposed = true
    item.source.position.propose(item.record.offset)
    this.ended.push(item)
    this.endings.push(ending)
    this.reasons.push(reason)
    if (tier !== undefined) this.#count(tier, 1)
    if (item.source.type === 'tier') this.#count(item.source, -1)
    if (ending === 'delivered') this.delivered++
  }

  full(records: number, bytes: number): boolean {
    return this.ended.length >= records || this.#bytes >= bytes
  }

  #count(tier: Source, by: number): void {
    this.far.set(tier, (this.far.get(tier) ?? 0) + by)
  }

  get empty(): boolean {
    return this.ended.length === 0 && this.expired.length === 0
  }
}
