import type { Clock } from '../api/clock.ts'
import type { EpochMs } from '../api/resource.ts'
import type { CallLine, CallOutcome, CallTarget, Caller } from './caller.ts'
import { Doorbell } from './doorbell.ts'
import type { HostedFamily } from './families.ts'
import type { Hosted } from './hosted.ts'
import type { WorkerMetrics } from './metrics.ts'
import type { Call } from './task.ts'

/** The group waits so long for calls in flight of partitions that it takes away; what has not ended by then is called again by the next owner. */
const LET_GO_WITHIN_MS = 1_000
/** The same when the worker is stopped, and nobody waits but the platform. */
const STOP_WITHIN_MS = 8_000
const LONGEST_SLEEP_MS = 60_000
const ENDED_POLL_MS = 5

export interface CallsOptions {
  readonly caller: Caller
  readonly tasks: () => readonly Hosted[]
  readonly clock: Clock
  readonly metrics: WorkerMetrics
  /** A task may have something to commit. */
  readonly bell: Pick<Doorbell, 'ring'>
  readonly fault: (hosted: Hosted, error: unknown) => void
  readonly failed: (error: Error) => void
}

interface Lane {
  readonly line: CallLine
  inFlight: number
}

/**
 * Makes the calls that tasks offer, as many at once as their target allows, and hands back what came of them. Nothing here is durable: a call counts only
 * once its task has committed what came of it.
 */
export class Calls {
  readonly #with: CallsOptions
  readonly #bell: Doorbell
  readonly #lanes = new Map<CallTarget, Lane>()
  #stopping = false
  #turn = 0

  constructor(options: CallsOptions) {
    this.#with = options
    this.#bell = new Doorbell(options.clock)
  }

  /** Something may be there to call. */
  ring(): void {
    this.#bell.ring()
  }

  async run(): Promise<void> {
    try {
      while (!this.#stopping) {
        const now = this.#with.clock.now()
        this.#begin(now)
        await this.#bell.wait(this.#idleMs(now))
      }
    } catch (error) {
      this.#with.failed(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Waits a while for what these have in flight, then lets go of it. They begin nothing more. */
  async letGo(leaving: readonly Hosted[], withinMs = LET_GO_WITHIN_MS): Promise<void> {
    const { clock } = this.#with
    const untilMs = clock.monotonicMs() + withinMs
    while (leaving.some(({ calling }) => calling.size > 0) && clock.monotonicMs() < untilMs) await clock.sleep(ENDED_POLL_MS)
    for (const { calling } of leaving) {
      for (const cancel of [...calling]) cancel()
      calling.clear()
    }
  }

  /** Begins nothing more, and waits for what is in flight. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#bell.ring()
    await this.letGo(this.#with.tasks(), STOP_WITHIN_MS)
  }

  /** After `stop`, and when nothing is to be told any more. */
  close(): void {
    this.#stopping = true
    this.#bell.ring()
    for (const { calling } of this.#with.tasks()) for (const cancel of [...calling]) cancel()
    for (const { line } of this.#lanes.values()) line.close()
    this.#lanes.clear()
  }

  /** Lines that no resource needs any more are closed. */
  adopt(families: readonly HostedFamily[]): void {
    const wanted = new Set(families.map(({ calls }) => calls))
    for (const [target, { line }] of this.#lanes) {
      if (wanted.has(target)) continue
      line.close()
      this.#lanes.delete(target)
    }
    this.ring()
  }

  /** In turns: with every slot that becomes free another task comes first. */
  #begin(now: EpochMs): void {
    const callers = this.#with.tasks().filter(({ active, family }) => active && family.calls !== undefined)
    if (callers.length === 0) return
    this.#turn += 1
    for (let i = 0; i < callers.length; i += 1) {
      const hosted = callers[(this.#turn + i) % callers.length]
      if (hosted !== undefined) this.#beginFor(hosted, now)
    }
  }

  #beginFor(hosted: Hosted, now: EpochMs): void {
    const target = hosted.family.calls
    if (target === undefined) return
    try {
      const lane = this.#laneTo(target)
      const room = target.maxInFlight - lane.inFlight
      if (room <= 0) return
      for (const call of hosted.task.calls?.(now, room) ?? []) this.#call(hosted, lane, call)
    } catch (error) {
      this.#with.fault(hosted, error)
    }
  }

  #laneTo(target: CallTarget): Lane {
    const lane = this.#lanes.get(target) ?? { line: this.#with.caller.open(target), inFlight: 0 }
    this.#lanes.set(target, lane)
    return lane
  }

  #call(hosted: Hosted, lane: Lane, call: Call): void {
    lane.inFlight += 1
    const over = (): void => {
      lane.inFlight -= 1
      hosted.calling.delete(cancel)
      this.#bell.ring()
    }
    const hangUp = lane.line.call(call.request, outcome => {
      over()
      this.#answered(hosted, call, outcome)
    })
    const cancel = (): void => {
      hangUp()
      over()
    }
    hosted.calling.add(cancel)
  }

  #answered(hosted: Hosted, call: Call, outcome: CallOutcome): void {
    if (!hosted.working) return
    try {
      this.#with.metrics.record(hosted.task.answered?.(call, outcome, this.#with.clock.now()) ?? [])
      this.#with.bell.ring()
    } catch (error) {
      this.#with.fault(hosted, error)
    }
  }

  /** @param asOf when calls were last begun: what a task could have begun by then waits for something else than time. */
  #idleMs(asOf: EpochMs): number {
    const { tasks, clock } = this.#with
    let wakeAt = Infinity
    for (const { active, task } of tasks()) {
      const at = active ? (task.callAt?.(asOf) ?? Infinity) : Infinity
      if (at > asOf) wakeAt = Math.min(wakeAt, at)
    }
    return Math.min(LONGEST_SLEEP_MS, Math.max(1, wakeAt - clock.now()))
  }
}
