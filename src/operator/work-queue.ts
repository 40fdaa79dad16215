import type { Clock } from '../api/clock.ts'

/** A change is worked on before what is only looked at again; neither starves the other. */
export type Lane = 'change' | 'resync'

/** One resync after this many changes at the latest. */
const CHANGES_PER_RESYNC = 8

/** What a queue tells about itself; the names of the metrics are client-go's. */
export interface QueueListener {
  added(depth: number): void
  started(depth: number, waitedMs: number): void
  finished(workedMs: number): void
  retried(): void
}

export interface WorkQueueOptions {
  readonly clock: Clock
  readonly backoffInitialMs: number
  readonly backoffMaxMs: number
  readonly random: () => number
  readonly listener?: QueueListener
}

/**
 * Keys waiting to be worked on. A key is in the queue once however often it is added; one that is added while it is worked on runs again
 * afterwards, never twice at a time. Failures wait per key, doubling with jitter.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions
  readonly #lanes: Readonly<Record<Lane, Map<string, number>>> = { change: new Map(), resync: new Map() }
  readonly #again = new Map<string, Lane>()
  readonly #running = new Map<string, number>()
  readonly #failures = new Map<string, number>()
  readonly #delayed = new Map<string, { readonly dueMs: number; readonly cancel: AbortController }>()
  readonly #idle: (() => void)[] = []
  #sinceResync = 0

  constructor(options: WorkQueueOptions) {
    this.#options = options
  }

  /** Keys ready to run; running and delayed ones are not counted. */
  get depth(): number {
    return this.#lanes.change.size + this.#lanes.resync.size
  }

  /** Milliseconds that each running key has run for. */
  runningMs(): readonly number[] {
    const nowMs = this.#options.clock.monotonicMs()
    return [...this.#running.values()].map(startedMs => nowMs - startedMs)
  }

  add(key: string, lane: Lane = 'change'): void {
    if (this.#running.has(key)) {
      if (this.#again.get(key) !== 'change') this.#again.set(key, lane)
      return
    }
    if (this.#lanes.change.has(key)) return
    const waitingSinceMs = this.#lanes.resync.get(key)
    if (waitingSinceMs !== undefined && lane === 'resync') return
    this.#lanes.resync.delete(key)
    this.#lanes[lane].set(key, waitingSinceMs ?? this.#options.clock.monotonicMs())
    this.#options.listener?.added(this.depth)
    this.#idle.shift()?.()
  }

  /** Adds the key after `delayMs`; the earliest of several wins. */
  addAfter(key: string, delayMs: number, lane: Lane = 'change'): void {
    const dueMs = this.#options.clock.monotonicMs() + delayMs
    const earlier = this.#delayed.get(key)
    if (earlier !== undefined && earlier.dueMs <= dueMs) return
    earlier?.cancel.abort()
    const cancel = new AbortController()
    this.#delayed.set(key, { dueMs, cancel })
    void this.#options.clock.sleep(delayMs, cancel.signal).then(() => {
      if (cancel.signal.aborted) return
      this.#delayed.delete(key)
      this.add(key, lane)
    })
  }

  /** Adds the key after its back-off: half of it certain, half of it random. Answers the wait in milliseconds. */
  retry(key: string): number {
    const failures = this.#failures.get(key) ?? 0
    this.#failures.set(key, failures + 1)
    const { backoffInitialMs, backoffMaxMs, random, listener } = this.#options
    const ceilingMs = Math.min(backoffMaxMs, backoffInitialMs * 2 ** Math.min(failures, 30))
    const delayMs = Math.round(ceilingMs / 2 + random() * (ceilingMs / 2))
    listener?.retried()
    this.addAfter(key, delayMs)
    return delayMs
  }

  /** The key succeeded: its next failure waits the shortest time again. */
  forget(key: string): void {
    this.#failures.delete(key)
  }

  /**
   * Works on keys, at most `concurrency` at a time, until the signal aborts; resolves when the running ones are done. `work` must not reject:
   * what to do about a failure is its own decision.
   */
  async run(signal: AbortSignal, concurrency: number, work: (key: string) => Promise<void>): Promise<void> {
    const wakeAll = () => {
      this.#idle.splice(0).forEach(wake => {
        wake()
      })
    }
    signal.addEventListener('abort', wakeAll, { once: true })
    try {
      await Promise.all(Array.from({ length: concurrency }, () => this.#serve(signal, work)))
    } finally {
      signal.removeEventListener('abort', wakeAll)
      this.#clear()
    }
  }

  async #serve(signal: AbortSignal, work: (key: string) => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      const key = this.#take()
      if (key === undefined) await new Promise<void>(wake => this.#idle.push(wake))
      else await this.#work(key, work)
    }
  }

  #take(): string | undefined {
    const { change, resync } = this.#lanes
    const lane = resync.size > 0 && (change.size === 0 || this.#sinceResync >= CHANGES_PER_RESYNC) ? resync : change
    const next = lane.entries().next()
    if (next.done === true) return undefined
    const [key, sinceMs] = next.value
    lane.delete(key)
    this.#sinceResync = lane === resync ? 0 : this.#sinceResync + 1
    const nowMs = this.#options.clock.monotonicMs()
    this.#running.set(key, nowMs)
    this.#options.listener?.started(this.depth, nowMs - sinceMs)
    return key
  }

  async #work(key: string, work: (key: string) => Promise<void>): Promise<void> {
    const startedMs = this.#options.clock.monotonicMs()
    try {
      await work(key)
    } finally {
      this.#running.delete(key)
      this.#options.listener?.finished(this.#options.clock.monotonicMs() - startedMs)
      const lane = this.#again.get(key)
      this.#again.delete(key)
      if (lane !== undefined) this.add(key, lane)
    }
  }

  #clear(): void {
    for (const { cancel } of this.#delayed.values()) cancel.abort()
    for (const map of [this.#delayed, this.#lanes.change, this.#lanes.resync, this.#again, this.#failures]) map.clear()
  }
}
