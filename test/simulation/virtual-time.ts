import { setImmediate as drained } from 'node:timers/promises'
import type { Clock } from '../../src/api/clock.ts'
import type { Host, Time } from '../support/model/time.ts'
import type { Random } from '../support/delay-queue/random.ts'

/** When virtual time begins, by the clocks of the brokers. */
export const EPOCH_MS = 1_700_000_000_000

interface Event {
  readonly atMs: number
  readonly place: number
  readonly action: () => void
  readonly process: Process | undefined
  readonly thread: 'javascript' | 'background'
}

/** Everything that happens, in the order of virtual time; what happens at one moment happens as it was scheduled. */
export class VirtualTime implements Time {
  readonly #events: Event[] = []
  #nowMs = 0
  #place = 0
  /** Events so far: what a seed costs. */
  count = 0

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, action: () => void): void {
    this.schedule(delayMs, action, undefined, 'background')
  }

  schedule(delayMs: number, action: () => void, process: Process | undefined, thread: Event['thread']): void {
    this.#push({ atMs: this.#nowMs + Math.max(0, delayMs), place: (this.#place += 1), action, process, thread })
  }

  /** Lets time pass until the condition holds; false when `limitMs` comes first. */
  async run(until: () => boolean, limitMs: number): Promise<boolean> {
    while (!until()) {
      const event = this.#events[0]
      if (event === undefined || event.atMs > limitMs) {
        this.#nowMs = Math.max(this.#nowMs, limitMs)
        return false
      }
      this.#pop()
      this.#nowMs = Math.max(this.#nowMs, event.atMs)
      this.count += 1
      if (event.process === undefined) event.action()
      else if (event.process.takes(event)) {
        event.action()
        // What it set going in JavaScript comes to rest before anything else happens.
        if (event.thread === 'javascript') await drained()
      }
    }
    return true
  }

  /** Runs until a promise is settled. */
  async settle<Answer>(promise: Promise<Answer>, limitMs: number, what: string): Promise<Answer> {
    let settled = false
    const seen = promise.finally(() => {
      settled = true
    })
    seen.catch(() => undefined)
    await drained()
    if (!(await this.run(() => settled, this.#nowMs + limitMs))) throw new Error(`${what} is not done after ${limitMs} ms`)
    return seen
  }

  #push(event: Event): void {
    const events = this.#events
    let i = events.length
    events.push(event)
    while (i > 0) {
      const above = (i - 1) >> 1
      if (before(events[above], event)) break
      events[i] = events[above]!
      i = above
    }
    events[i] = event
  }

  #pop(): void {
    const events = this.#events
    const last = events.pop()
    if (last === undefined || events.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= events.length) break
      if (child + 1 < events.length && before(events[child + 1], events[child])) child += 1
      if (!before(events[child], last)) break
      events[i] = events[child]!
      i = child
    }
    events[i] = last
  }
}

const before = (a: Event | undefined, b: Event | undefined): boolean =>
  a !== undefined && b !== undefined && (a.atMs < b.atMs || (a.atMs === b.atMs && a.place < b.place))

/** One process of the simulated world, with a wall clock of its own. It can be stopped, made busy, and killed between any two events. */
export class Process implements Host {
  readonly name: string
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #epochMs: number
  #alive = true
  #stopped: 'no' | 'javascript' | 'all' = 'no'
  #late: Event[] = []
  /** How far its wall clock is off. */
  skewMs = 0

  constructor(name: string, time: VirtualTime, random: Random, epochMs: number) {
    this.name = name
    this.#time = time
    this.#random = random
    this.#epochMs = epochMs
  }

  get alive(): boolean {
    return this.#alive
  }

  get stopped(): boolean {
    return this.#stopped !== 'no'
  }

  after(delayMs: number, action: () => void): void {
    if (this.#alive) this.#time.schedule(delayMs, action, this, 'javascript')
  }

  background(delayMs: number, action: () => void): void {
    if (this.#alive) this.#time.schedule(delayMs, action, this, 'background')
  }

  /** False: not now, or never. */
  takes(event: Event): boolean {
    if (!this.#alive) return false
    if (this.#stopped === 'no' || (this.#stopped === 'javascript' && event.thread === 'background')) return true
    this.#late.push(event)
    return false
  }

  kill(): void {
    this.#alive = false
    this.#late = []
  }

  /** SIGSTOP, or a JavaScript thread that is busy while those of the client library go on. */
  stop(what: 'javascript' | 'all'): void {
    this.#stopped = what
  }

  /** Goes on; what came meanwhile happens now, in almost the same order. */
  goOn(): void {
    this.#stopped = 'no'
    const late = this.#late
    this.#late = []
    let delayMs = 0
    for (const { action, thread } of late) {
      delayMs += this.#random.chance(0.3) ? this.#random.below(3) : 0
      this.#time.schedule(delayMs, action, this, thread)
    }
  }

  get clock(): Clock {
    return {
      now: () => Math.floor(this.#epochMs + this.#time.nowMs() + this.skewMs),
      monotonicMs: () => this.#time.nowMs(),
      sleep: (delayMs, signal) => this.#sleep(delayMs, signal),
    }
  }

  #sleep(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true || delayMs <= 0) return Promise.resolve()
    return new Promise(resolve => {
      if (signal !== undefined) {
        signal.addEventListener('abort', () => {
          resolve()
        })
      }
      this.after(delayMs, resolve)
    })
  }
}
