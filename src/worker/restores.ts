import type { Clock } from '../api/clock.ts'
import type { LogReader, LogRecord } from '../kafka/log.ts'
import { Impossible } from './hosted.ts'
import type { Hosted } from './hosted.ts'

/** Without progress for so long, a transaction hangs or the log was truncated: loud, instead of waiting for ever. */
const STALLED_AFTER_MS = 180_000

interface Restore {
  readonly hosted: Hosted
  /** End wanted per state topic that is not there yet. */
  readonly wanted: Map<string, number>
  readonly position: Map<string, number>
  readonly load: (records: readonly LogRecord[]) => void
  movedAt: number
  readonly done: PromiseWithResolvers<undefined>
}

const key = (topic: string, partition: number): string => `${topic}/${partition}`

/** Partitions that are being read from a position to the end that they had: states at a restore, sources in a search. */
export class Restores {
  readonly #reader: LogReader
  readonly #clock: Clock
  readonly #restores = new Map<Hosted, Restore>()
  readonly #byPartition = new Map<string, Restore>()

  constructor(reader: LogReader, clock: Clock) {
    this.#reader = reader
    this.#clock = clock
  }

  get busy(): boolean {
    return this.#restores.size > 0
  }

  /** Resolves when everything was handed to `load`, or when it was ended; rejects when it stalls. */
  async begin(
    hosted: Hosted,
    starts: ReadonlyMap<string, number>,
    ends: ReadonlyMap<string, number>,
    load: (records: readonly LogRecord[]) => void,
  ): Promise<void> {
    const { partition } = hosted
    const wanted = new Map([...ends].filter(([topic, end]) => (starts.get(topic) ?? 0) < end))
    if (wanted.size === 0) return
    const restore: Restore = {
      hosted,
      wanted,
      position: new Map(),
      load,
      movedAt: this.#clock.monotonicMs(),
      done: Promise.withResolvers(),
    }
    this.#restores.set(hosted, restore)
    for (const topic of wanted.keys()) this.#byPartition.set(key(topic, partition), restore)
    await this.#reader.assign([...wanted.keys()].map(topic => ({ topic, partition, offset: starts.get(topic) ?? 0 })))
    await restore.done.promise
  }

  /** Ends it early, if there is one: the partition is being given up. */
  end(hosted: Hosted): void {
    const restore = this.#restores.get(hosted)
    if (restore === undefined) return
    for (const topic of [...restore.wanted.keys()]) this.#reached(restore, topic)
    this.#restores.delete(hosted)
    restore.done.resolve(undefined)
  }

  /** A state cannot be read on: what was read of it is not enough. False: it is not being restored. */
  fail(topic: string, partition: number, error: Error): boolean {
    const restore = this.#byPartition.get(key(topic, partition))
    if (restore === undefined) return false
    restore.done.reject(error)
    this.end(restore.hosted)
    return true
  }

  /** The reader is of no more use. */
  failAll(error: Error): void {
    for (const restore of [...this.#restores.values()]) {
      restore.done.reject(error)
      this.end(restore.hosted)
    }
  }

  ownerOf(topic: string, partition: number): Hosted | undefined {
    return this.#byPartition.get(key(topic, partition))?.hosted
  }

  load(topic: string, partition: number, records: readonly LogRecord[]): void {
    const restore = this.#byPartition.get(key(topic, partition))
    if (restore === undefined) return
    const end = restore.wanted.get(topic) ?? 0
    try {
      restore.load((records.at(-1)?.offset ?? end) < end ? records : records.filter(({ offset }) => offset < end))
    } catch (error) {
      restore.done.reject(error)
      this.end(restore.hosted)
    }
  }

  /** After a poll: positions move past markers, which no record shows. */
  progress(): void {
    const now = this.#clock.monotonicMs()
    for (const restore of this.#restores.values()) {
      const { partition } = restore.hosted
      const topics = [...restore.wanted.keys()]
      const positions = this.#reader.positions(topics.map(topic => ({ topic, partition })))
      topics.forEach((topic, index) => {
        const position = positions[index]
        if (position === undefined || position === restore.position.get(topic)) return
        restore.movedAt = now
        restore.position.set(topic, position)
        if (position >= (restore.wanted.get(topic) ?? 0)) this.#reached(restore, topic)
      })
      if (restore.wanted.size === 0) this.end(restore.hosted)
      else if (now - restore.movedAt > STALLED_AFTER_MS) this.#stalled(restore)
    }
  }

  #reached(restore: Restore, topic: string): void {
    const { partition } = restore.hosted
    restore.wanted.delete(topic)
    this.#byPartition.delete(key(topic, partition))
    void this.#reader.unassign([{ topic, partition }])
  }

  #stalled(restore: Restore): void {
    const { partition } = restore.hosted
    const where = [...restore.wanted].map(([topic, end]) => `${topic}[${partition}] at ${restore.position.get(topic) ?? '?'} of ${end}`)
    // Rejected before it is ended: ending it would resolve it.
    restore.done.reject(
      new Impossible(
        'RestoreStalled',
        `no progress for ${STALLED_AFTER_MS / 1000} s while restoring ${where.join(', ')}: does a transaction hang?`,
      ),
    )
    this.end(restore.hosted)
  }
}
