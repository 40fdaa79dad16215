import type { EpochMs } from '../../api/resource.ts'
import type { Commit, LogRecord, Observation, OutgoingRecord, Proposal, Routing, Search, Task } from '../../worker/task.ts'
import { Batch } from './batch.ts'
import { Fires } from './fires.ts'
import { Ids } from './ids.ts'
import type { Verdict } from './ids.ts'
import { HORIZON_MS, SHORTEST_HORIZON_MS, tierFor } from './ladder.ts'
import { Ledger } from './ledger.ts'
import { Outgoing } from './outgoing.ts'
import { Pace } from './pace.ts'
import type { EngineConfig, Protocol } from './protocol.ts'
import type { TaskMemory } from './queries.ts'
import { Settler } from './settler.ts'
import { sourcesOf } from './source.ts'
import type { Deed, Ending, Item, Source } from './source.ts'
import { Line, Waiting } from './waiting.ts'

/** Below this much in memory, a task goes on reading its input whatever the rest of the worker holds. */
const ALWAYS_READ_BYTES = 65_536
/** The same for fixed delays and tiers. More, since what is due comes first: else the input would fill the memory before they are read at all. */
const ALWAYS_READ_FAR_BYTES = 1_048_576
/** Of records in one transaction, so that it is sent before it times out; moves and dead letters have a share of their own. */
const DUE_BYTES = 8 * 1_048_576
const WORK_BYTES = 12 * 1_048_576
const MOST_BYTES = 16 * 1_048_576
const REFUSED_RETRY_MS = 5_000
const EXPIRED_IDS_AT_ONCE = 200

/** The delay engine: one partition of a delay queue, or of another kind that waits. README.md of this folder has the laws. */
export class DelayTask implements Task {
  /** The input first. */
  readonly #sources: readonly [Source, ...Source[]]
  readonly #byTopic: ReadonlyMap<string, Source>
  readonly #tiers: readonly Source[]
  readonly #tiersMs: readonly number[]
  readonly #ids: Ids
  readonly #ledger: Ledger
  readonly #protocol: Protocol
  readonly #waiting = new Waiting()
  /** Moves and cancels, in the order in which they were read. */
  readonly #work = new Line()
  readonly #fires: Fires
  /** What fires have reached. */
  readonly #fired = new Line()
  readonly #bad = new Line()
  #drops: Item[] = []
  readonly #settler: Settler
  readonly #outgoing: Outgoing
  readonly #pace: Pace
  #batches = 0
  #batch: Batch | undefined
  #horizonMs = HORIZON_MS
  #pressed = false
  /** Due messages wait for a source to be read further. */
  #barred = false
  #blockedUntil: EpochMs = 0
  #bytes = 0
  readonly held = new Set<string>()

  constructor(config: EngineConfig, protocol: Protocol, partition: number) {
    this.#protocol = protocol
    this.#sources = sourcesOf(config)
    this.#byTopic = new Map(this.#sources.map(source => [source.topic, source]))
    this.#tiers = this.#sources.filter(({ type }) => type === 'tier')
    this.#tiersMs = this.#tiers.map(({ delayMs }) => delayMs)
    // A lower maxDelay does not shorten what already waits in a larger tier.
    this.#ids = new Ids(Math.max(config.maxDelayMs, 2 * (this.#tiersMs.at(-1) ?? 0)), config.deduplicationMs ?? 0)
    this.#outgoing = new Outgoing(partition)
    this.#ledger = new Ledger(config, partition, this.#sources, this.#ids, this.#outgoing)
    this.#settler = new Settler(config, protocol)
    this.#fires = new Fires(this.#sources, (source, record) => {
      this.#foundAhead(source, record)
    })
    this.#pace = new Pace(config.maxFireRate === undefined ? Infinity : config.maxFireRate / config.partitions)
  }

  get search(): Search | undefined {
    return this.#fires.search
  }

  get bytes(): number {
    return this.#bytes + this.#ids.bytes
  }

  restoreFrom(committed: ReadonlyMap<string, Commit>): ReadonlyMap<string, number | 'earliest'> {
    return this.#ledger.restoreFrom(committed)
  }

  loadState(record: LogRecord): void {
    this.#ledger.load(record)
  }

  started(committed: ReadonlyMap<string, Commit>, stateEnds: ReadonlyMap<string, number>): ReadonlyMap<string, number | 'unknown'> {
    return this.#ledger.started(committed, stateEnds)
  }

  accept(records: readonly LogRecord[], now: EpochMs): void {
    for (const record of records) {
      const source = this.#byTopic.get(record.topic)
      if (source === undefined) throw new Error(`${record.topic} is not a source of this task`)
      // No later than now: what a producer's clock says of tomorrow, while the topic lacks LogAppendTime, is no proof that nothing is unread.
      const appendedMs = Math.min(record.timestampMs, now)
      if (appendedMs > source.readToMs) source.readToMs = appendedMs
      if (source.position.accept(record.offset)) this.#admit(this.#protocol.read(source, record), now)
    }
    this.#barred = false
    this.#hold()
  }

  caughtUp(topic: string, offset: number, asOf: EpochMs): void {
    const source = this.#byTopic.get(topic)
    if (source === undefined) return
    source.position.skipTo(offset)
    source.unread = 0
    if (asOf > source.readToMs) source.readToMs = asOf
    this.#barred = false
  }

  unread(topic: string, offsets: number): void {
    const source = this.#byTopic.get(topic)
    if (source !== undefined) source.unread = offsets
  }

  pressure(ratio: number): void {
    const span = HORIZON_MS - SHORTEST_HORIZON_MS
    this.#horizonMs = SHORTEST_HORIZON_MS + span * Math.min(1, Math.max(0, 2 - 2 * ratio))
    this.#pressed = ratio >= (this.#pressed ? 0.9 : 1)
    this.#hold()
  }

  propose(now: EpochMs, limit: number, routing: Routing, dueBy: EpochMs = now): Proposal | undefined {
    this.#retract()
    this.#fires.begin()
    // Further ahead than was ever asked for: the clock was set back.
    if (this.#blockedUntil - now > REFUSED_RETRY_MS) this.#blockedUntil = 0
    if (now < this.#blockedUntil) return undefined
    this.#settler.begin(now, routing)
    this.#leaveTiers(now)
    const batch = new Batch(++this.#batches, now)
    // Neither may starve the other: what is due, and what makes room in memory.
    this.#takeDue(batch, limit - Math.min(this.#work.size + this.#bad.size, limit >> 2), dueBy)
    this.#takeWork(batch, limit)
    this.#work.trim(standsInLine)
    this.#takeFired(batch, limit)
    this.#takeBad(batch, limit)
    for (const item of this.#drops) batch.end(item, item.dropped ?? 'cancelled')
    for (const { item, matched } of this.#fires.answered()) batch.end(item, matched ? 'obeyed' : 'unmatched')
    this.#expireIds(batch)
    if (batch.empty && !this.#ledger.untidy(now)) return undefined
    this.#batch = batch
    return this.#ledger.seal(batch)
  }

  committed(proposal: Proposal, now: EpochMs): readonly Observation[] {
    const batch = proposal.token as Batch
    for (const item of batch.ended) this.#finish(item)
    this.#drops = this.#drops.filter(item => !item.gone)
    this.#work.trim(standsInLine)
    this.#fired.trim(standsFired)
    this.#bad.trim(standsInBad)
    this.#fires.begin()
    this.#ledger.committed(batch, now)
    this.#pace.take(batch.delivered, batch.now)
    this.#batch = undefined
    this.#hold()
    return this.#protocol.observations(batch, now)
  }

  rejected(record: OutgoingRecord, code: 'MessageTooLarge' | 'AuthorizationFailed' | 'UnknownTopic', message: string): void {
    const at = this.#batch?.outputs.indexOf(record) ?? -1
    const item = this.#batch?.makers[at]
    const refusedForGood =
      item !== undefined && this.#settler.refused(item, this.#batch?.endings[this.#batch.ended.indexOf(item)], record, code, message)
    // Our own topics refuse: nothing may be dropped, so wait for someone to repair them.
    if (!refusedForGood) this.#blockedUntil = (this.#batch?.now ?? 0) + REFUSED_RETRY_MS
    else if (item.deed === 'move') this.#change(item, 'deadLetter', this.#bad)
  }

  wakeAt(): EpochMs | undefined {
    const retryAt = this.#settler.retryAt
    const ready = this.#drops.length + this.#work.size + this.#fired.size + this.#bad.size > 0 || this.#fires.restless ? retryAt : Infinity
    const due = this.#barred ? Infinity : Math.max(this.#waiting.firstDue(), this.#pace.nextAt(), retryAt)
    const at = Math.max(Math.min(ready, due, this.#waiting.firstLeaving(), this.#ledger.tidyAt), this.#blockedUntil)
    return at === Infinity ? undefined : at
  }

  gauges(now: EpochMs): readonly Observation[] {
    return this.#protocol.gauges({
      now,
      sources: this.#sources,
      near: this.#waiting.near,
      overdue: this.#waiting.overdue(now),
      firstDueMs: this.#waiting.firstDue(),
      firstBadMs: this.#bad.first?.record.timestampMs ?? Infinity,
    })
  }

  stamp(): OutgoingRecord {
    return this.#ledger.nothing()
  }

  /** For queries: to look at, not to touch. */
  get memory(): TaskMemory {
    return { sources: this.#sources, waiting: this.#waiting, ids: this.#ids }
  }

  #admit(item: Item, now: EpochMs): void {
    this.#bytes += item.bytes
    const { source, id } = item
    switch (item.deed) {
      case 'deliver':
        if (source.type !== 'input' || id === undefined || this.#register(item, id)) this.#await(item, now)
        return
      case 'cancel':
        this.#ids.cancel(id ?? '', item.originOffset, item.originMs)
        item.writesId = true
        this.#dropDead(id ?? '')
        this.#change(item, 'cancel', this.#work)
        return
      case 'fire':
        this.#call(item)
        return
      case 'drop':
        this.#drop(item, item.dropped ?? 'ruleDropped')
        return
      case 'move':
      case 'deadLetter':
        this.#change(item, 'deadLetter', this.#bad)
    }
  }

  #await(item: Item, now: EpochMs): void {
    const { source, record } = item
    this.#waiting.add(item)
    if (this.#fires.reach(item)) this.#fireNow(item)
    else if (source.type === 'tier') {
      this.#waiting.addLeaving(item, record.timestampMs + source.delayMs)
      source.readAhead(item)
    } else if (source.type === 'fixed') {
      this.#waiting.addDue(item)
      source.readAhead(item)
    } else this.#place(item, now)
  }

  /** Takes a message with an id to the books; false when it is dead on arrival. */
  #register(item: Item, id: string): boolean {
    const { version } = item.instructions
    const { verdict, changed } = this.#ids.schedule(id, item.originOffset, version, item.originMs)
    item.writesId = changed
    if (verdict !== 'alive') this.#drop(item, verdict)
    else if (version > 0) this.#dropDead(id)
    return verdict === 'alive'
  }

  /** What a search has found: unlike what is read, it is not in the order of its source, and is of interest to a fire only. */
  #foundAhead(source: Source, record: LogRecord): void {
    const item = this.#protocol.read(source, record)
    if (item.deed !== 'deliver' || !this.#fires.reach(item)) return
    source.position.take(record.offset)
    this.#bytes += item.bytes
    this.#waiting.add(item)
    this.#fireNow(item)
  }

  #call(fire: Item): void {
    fire.source.readAhead(fire)
    this.#fires.add(fire)
    for (const item of this.#waiting.named(fire.id ?? '')) if (this.#fires.reach(item)) this.#fireNow(item)
  }

  #fireNow(item: Item): void {
    // Others end by themselves, and the fire waits for them.
    if (item.fired || (item.deed !== 'deliver' && item.deed !== 'move')) return
    item.fired = true
    item.deed = 'deliver'
    this.#fired.push(item)
  }

  /** Frees what a cancel or a higher version has ended; what is further out is recognised when it comes near. */
  #dropDead(id: string): void {
    for (const item of this.#waiting.named(id)) {
      const verdict = item.proposed || !item.inHeap ? 'alive' : this.#verdict(item)
      if (verdict !== 'alive') this.#drop(item, verdict)
    }
  }

  #verdict(item: Item): Verdict {
    return item.id === undefined ? 'alive' : this.#ids.judge(item.id, item.originOffset, item.instructions.version)
  }

  /** Near its due time, a message waits in memory; before, in the largest tier that it fits. */
  #place(item: Item, now: EpochMs): void {
    const remainingMs = item.dueMs - now
    if (remainingMs > this.#horizonMs && tierFor(this.#tiersMs, remainingMs) >= 0) {
      this.#change(item, 'move', this.#work)
      return
    }
    item.source.settled(item)
    item.deed = 'deliver'
    this.#waiting.addDue(item)
  }

  #change(item: Item, deed: Deed, line: Line): void {
    item.deed = deed
    if (item.source.type !== 'tier') item.source.readAhead(item)
    line.push(item)
  }

  #drop(item: Item, why: Ending): void {
    item.deed = 'drop'
    item.dropped = why
    item.source.settled(item)
    this.#waiting.forget(item)
    this.#drops.push(item)
  }

  #leaveTiers(now: EpochMs): void {
    while (this.#waiting.firstLeaving() <= now) {
      const item = this.#waiting.popLeaving()
      if (item === undefined) return
      item.source.settled(item)
      if (item.fired || item.deed !== 'deliver') continue
      const verdict = this.#verdict(item)
      if (verdict === 'alive') this.#place(item, now)
      else this.#drop(item, verdict)
    }
    this.#hold()
  }

  #takeDue(batch: Batch, limit: number, dueBy: EpochMs): void {
    const later: Item[] = []
    const most = this.#pace.available(batch.now)
    const boundMs = this.#boundMs()
    while (!batch.full(limit, DUE_BYTES) && batch.delivered < most) {
      const dueMs = this.#waiting.firstDue()
      if (dueMs > dueBy) break
      this.#barred = dueMs > boundMs
      const item = this.#barred ? undefined : this.#waiting.popDue()
      if (item === undefined) break
      const verdict = this.#verdict(item)
      if (verdict !== 'alive') this.#drop(item, verdict)
      else if (!this.#settle(batch, item, Math.max(batch.now, dueMs))) later.push(item)
    }
    for (const item of later) this.#waiting.addDue(item)
  }

  /** False: not yet, the kernel does not know the target so far. */
  #settle(batch: Batch, item: Item, at: EpochMs): boolean {
    const outcome = this.#settler.deliver(batch, item, at)
    if (outcome === 'drop') this.#drop(item, 'lateDropped')
    return outcome !== 'later'
  }

  /** Due before this may fire: later, and an unread record could have to go first, or an unread cancel could have to win. */
  #boundMs(): EpochMs {
    let boundMs = Infinity
    for (const source of this.#sources) {
      // Progress before order: with no memory to read on, what is due makes the room.
      if (this.#noRoomFor(source)) continue
      if (source.boundMs < boundMs) boundMs = source.boundMs
    }
    return boundMs
  }

  #takeWork(batch: Batch, limit: number): void {
    for (const item of this.#work) {
      if (batch.full(limit, WORK_BYTES)) return
      if (item.deed === 'cancel') batch.end(item, 'obeyed')
      else if (item.deed === 'move') this.#move(batch, item)
    }
  }

  #move(batch: Batch, item: Item): void {
    const verdict = this.#verdict(item)
    const remainingMs = item.dueMs - batch.now
    const tier = remainingMs > this.#horizonMs ? this.#tiers[tierFor(this.#tiersMs, remainingMs)] : undefined
    if (verdict !== 'alive') this.#drop(item, verdict)
    else if (tier === undefined) this.#place(item, batch.now)
    else {
      batch.write(this.#outgoing.moved(item, tier.topic), item)
      batch.end(item, 'moved', undefined, tier)
    }
  }

  /** Not paced, and not held back by what is unread: somebody wants it now. */
  #takeFired(batch: Batch, limit: number): void {
    for (const item of this.#fired) {
      if (batch.full(limit, WORK_BYTES)) return
      if (item.gone || item.proposed || item.deed !== 'deliver') continue
      const verdict = this.#verdict(item)
      if (verdict !== 'alive') this.#drop(item, verdict)
      else this.#settle(batch, item, batch.now)
    }
  }

  #takeBad(batch: Batch, limit: number): void {
    for (const item of this.#bad) {
      if (batch.full(limit, MOST_BYTES)) return
      if (item.dead !== undefined && !this.#settler.deadLetter(batch, item, item.dead)) return
    }
  }

  #expireIds(batch: Batch): void {
    if (this.#work.size > 0) return
    const unreadMs = this.#tiers.reduce((boundMs, tier) => Math.min(boundMs, tier.boundMs), batch.now)
    batch.expiredBoundMs = Math.min(unreadMs, this.#waiting.firstDue())
    batch.expired = this.#ids.expired(batch.expiredBoundMs, EXPIRED_IDS_AT_ONCE)
  }

  /** The last proposal did not commit: everything in it is to be proposed again. */
  #retract(): void {
    const batch = this.#batch
    this.#batch = undefined
    for (const item of batch?.ended ?? []) {
      item.proposed = false
      item.source.position.retract(item.record.offset)
      if (item.deed === 'deliver' && !item.inHeap && !item.fired) this.#waiting.addDue(item)
    }
  }

  #finish(item: Item): void {
    item.proposed = false
    item.gone = true
    item.source.position.done(item.record.offset)
    item.source.settled(item)
    this.#waiting.forget(item)
    if (item.deed === 'fire') this.#fires.forget(item)
    this.#bytes -= item.bytes
  }

  #hold(): void {
    for (const source of this.#sources) {
      const enough = this.#pressed && source.type !== 'input' && source.ahead > 0
      if (enough || source.full(this.held.has(source.topic)) || this.#noRoomFor(source)) this.held.add(source.topic)
      else this.held.delete(source.topic)
    }
  }

  /** What is read ahead of tiers and fixed delays leaves only with time: it must never keep anything else from being read. */
  #noRoomFor(source: Source): boolean {
    if (!this.#pressed) return false
    const aheadBytes = this.#sources.reduce((sum, { type, aheadBytes }) => (type === 'input' ? sum : sum + aheadBytes), 0)
    return this.#bytes - aheadBytes > (source.type === 'input' ? ALWAYS_READ_BYTES : ALWAYS_READ_FAR_BYTES)
  }
}

const standsInLine = ({ gone, deed }: Item): boolean => !gone && (deed === 'move' || deed === 'cancel')
const standsFired = ({ gone, deed }: Item): boolean => !gone && deed === 'deliver'
const standsInBad = ({ gone, deed }: Item): boolean => !gone && deed === 'deadLetter'
