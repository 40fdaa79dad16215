import type { Clock } from '../api/clock.ts'
import type { TopicPartition } from '../kafka/log.ts'
import type { Logger } from '../observability/logger.ts'
import { Hosted } from './hosted.ts'
import type { Reading } from './reading.ts'
import type { TaskFamily } from './task.ts'
import type { Transactions } from './transactions.ts'

/** A revocation waits at most so long for the transaction in flight; the group waits with it. */
const SETTLE_TIMEOUT_MS = 30_000

export interface OwnershipOptions {
  /** Begin with one record at a time: one of them is refused, and it is not known which. */
  readonly wary: boolean
  readonly families: readonly TaskFamily[]
  readonly reading: Reading
  readonly transactions: Transactions
  readonly takeOver: (hosted: Hosted) => Promise<void>
  readonly clock: Clock
  readonly logger: Logger
  readonly failed: (error: Error) => void
}

/** Which partitions are ours: what the group assigns becomes a task, what it revokes is let go in order. */
export class Ownership {
  readonly #with: OwnershipOptions
  readonly #hosted = new Map<string, { readonly hosted: Hosted; readonly takenOver: Promise<void> }>()
  #list: readonly Hosted[] = []
  #joined = false

  constructor(options: OwnershipOptions) {
    this.#with = options
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
    for (const { topic, partition } of partitions) {
      const family = this.#with.families.find(({ input }) => input === topic)
      if (family === undefined) continue
      const hosted = new Hosted(family, partition)
      if (this.#with.wary) {
        hosted.limit = 1
        hosted.alone = true
      }
      this.#hosted.set(`${topic}/${partition}`, { hosted, takenOver: this.#with.takeOver(hosted) })
    }
    this.#refresh()
  }

  /**
   * After this resolves another worker may own the partitions. So: no new work, the transaction in flight settled, and a note with the offsets that
   * nothing of ours is open, which spares the successor the fencing.
   */
  async revoked(partitions: readonly TopicPartition[], lost: boolean): Promise<void> {
    const names = partitions.map(({ topic, partition }) => `${topic}/${partition}`)
    const leaving = names.flatMap(name => this.#hosted.get(name) ?? [])
    for (const { hosted } of leaving) {
      hosted.leaving = true
      hosted.lost = lost
    }
    await Promise.all(leaving.map(({ hosted }) => this.#with.reading.close(hosted)))
    await this.#settled(leaving.map(({ takenOver }) => takenOver))
    if (!lost) await this.#release(leaving.map(({ hosted }) => hosted))
    for (const name of names) this.#hosted.delete(name)
    this.#refresh()
    this.#with.logger.info({ partitions: names, lost }, 'gave up partitions')
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
    const offsets = leaving.filter(({ claimed }) => claimed).flatMap(({ committed }) => [...committed.values()])
    if (offsets.length === 0) return
    try {
      await this.#with.transactions.writeOffsets(offsets, true)
    } catch (error) {
      this.#with.logger.warn({ error }, 'could not release partitions: their next owner will fence this worker first')
    }
  }

  #refresh(): void {
    this.#list = [...this.#hosted.values()].map(({ hosted }) => hosted)
  }
}
