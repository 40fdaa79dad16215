import type { Clock } from '../api/clock.ts'
import type { TopicPartition } from '../kafka/log.ts'
import type { Logger } from '../observability/logger.ts'
import type { Calls } from './calls.ts'
import type { HostedFamily } from './families.ts'
import { Hosted } from './hosted.ts'
import type { Reading } from './reading.ts'
import type { Transactions } from './transactions.ts'

/** A revocation waits at most so long for the transaction in flight; the group waits with it. */
const SETTLE_TIMEOUT_MS = 30_000

export interface OwnershipOptions {
  /** Begin with one record at a time: one of them is refused, and it is not known which. */
  readonly wary: boolean
  readonly families: readonly HostedFamily[]
  readonly reading: Reading
  readonly transactions: Transactions
  readonly calls: Calls
  readonly takeOver: (hosted: Hosted) => Promise<void>
  readonly clock: Clock
  readonly logger: Logger
  readonly failed: (error: Error) => void
}

interface Holding {
  readonly hosted: Hosted
  readonly takenOver: Promise<void>
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

/** Which partitions are ours: what the group assigns becomes a task, what it revokes, or the contract no longer has, is let go in order. */
export class Ownership {
  readonly #with: OwnershipOptions
  #families: ReadonlyMap<string, HostedFamily>
  /** What the group has given us, whether the contract has a resource for it or not. */
  readonly #assigned = new Map<string, TopicPartition>()
  readonly #hosted = new Map<string, Holding>()
  #list: readonly Hosted[] = []
  #joined = false
  #turn: Promise<void> = Promise.resolve()

  constructor(options: OwnershipOptions) {
    this.#with = options
    this.#families = byInput(options.families)
  }

  get joined(): boolean {
    return this.#joined
  }

  tasks(): readonly Hosted[] {
    return this.#list
  }

  /** Returns at once: the group must not wait for a restore. */
  assigned(partitions: readonly TopicPartition[]): void {
    this.#joined = true
    for (const partition of partitions) {
      this.#assigned.set(nameOf(partition), partition)
      this.#begin(partition)
    }
    this.#refresh()
  }

  /** After this resolves another worker may own the partitions, so they are let go in order first. */
  revoked(partitions: readonly TopicPartition[], lost: boolean): Promise<void> {
    const names = partitions.map(nameOf)
    // At once, whatever the turn is busy with: offsets of a lost partition must not be written any more.
    for (const name of names) {
      this.#assigned.delete(name)
      const hosted = this.#hosted.get(name)?.hosted
      if (hosted === undefined) continue
      hosted.leaving = true
      hosted.lost = lost
    }
    return this.#inTurn(async () => {
      await this.#letGo(names)
      this.#with.logger.info({ partitions: names, lost }, 'gave up partitions')
    })
  }

  /** Other resources than before: the tasks of those that are gone or differ are let go, those of the new ones begin where we own the partition. */
  adopt(families: readonly HostedFamily[]): Promise<void> {
    this.#families = byInput(families)
    return this.#inTurn(async () => {
      await this.#letGo([...this.#hosted].flatMap(([name, { hosted }]) => (this.#outdated(hosted) ? [name] : [])))
      for (const [name, partition] of this.#assigned) if (!this.#hosted.has(name)) this.#begin(partition)
      this.#refresh()
    })
  }

  #outdated({ family }: Hosted): boolean {
    return this.#families.get(family.input) !== family
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(action)
    this.#turn = done.catch(() => undefined)
    return done
  }

  #begin({ topic, partition }: TopicPartition): void {
    const family = this.#families.get(topic)
    if (family === undefined) return
    const hosted = new Hosted(family, partition, family.generation)
    if (this.#with.wary) {
      hosted.limit = 1
      hosted.alone = true
    }
    this.#hosted.set(nameOf({ topic, partition }), { hosted, takenOver: this.#with.takeOver(hosted) })
  }

  /** No new work, the transaction in flight settled, and a note with the offsets that nothing of ours is open, which spares the successor the fencing. */
  async #letGo(names: readonly string[]): Promise<void> {
    const leaving = names.flatMap(name => this.#hosted.get(name) ?? [])
    if (leaving.length === 0) return
    for (const { hosted } of leaving) hosted.leaving = true
    await Promise.all(leaving.map(({ hosted }) => this.#with.reading.close(hosted)))
    await this.#finish(leaving.map(({ hosted }) => hosted).filter(({ family }) => family.calls !== undefined))
    await this.#settled(leaving.map(({ takenOver }) => takenOver))
    await this.#release(leaving.map(({ hosted }) => hosted).filter(({ lost }) => !lost))
    for (const name of names) this.#hosted.delete(name)
    this.#refresh()
  }

  /** Calls in flight get a moment to end, and what they brought is committed: what is not, is called again. */
  async #finish(leaving: readonly Hosted[]): Promise<void> {
    const { calls, transactions } = this.#with
    const kept = leaving.filter(({ lost }) => !lost)
    for (const hosted of kept) hosted.finishing = true
    await calls.letGo(kept)
    if (kept.length > 0) await transactions.flush()
    for (const hosted of leaving) hosted.finishing = false
    await calls.letGo(leaving, 0)
  }

  async #settled(takeovers: readonly Promise<void>[]): Promise<void> {
    const { transactions, clock, failed } = this.#with
    const waiting = new AbortController()
    const done = Promise.all([transactions.settled(), ...takeovers]).then(() => 'done' as const)
    const late = clock.sleep(SETTLE_TIMEOUT_MS, waiting.signal).then(() => 'late' as const)
    const first = await Promise.race([done, late])
    waiting.abort()
    // The successor fences us by our transactional id, since nothing was released.
    if (first === 'late') failed(new Error(`a revocation waited ${SETTLE_TIMEOUT_MS} ms for the transaction in flight`))
  }

  async #release(leaving: readonly Hosted[]): Promise<void> {
    const parts = leaving.filter(({ claimed }) => claimed).map(hosted => ({ hosted, offsets: [...hosted.committed.values()] }))
    if (parts.length === 0) return
    try {
      await this.#with.transactions.writeOffsets(parts, true)
    } catch (error) {
      this.#with.logger.warn({ error }, 'could not release partitions: their next owner will fence this worker first')
    }
  }

  #refresh(): void {
    this.#list = [...this.#hosted.values()].map(({ hosted }) => hosted)
  }
}

const byInput = (families: readonly HostedFamily[]): ReadonlyMap<string, HostedFamily> =>
  new Map(families.map(family => [family.input, family]))
