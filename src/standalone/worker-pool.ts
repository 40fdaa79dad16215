import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../api/clock.ts'
import type { ResourceRef } from '../api/resource.ts'
import type { WorkersView } from '../operator/observed.ts'
import type { Announcer } from './announcer.ts'
import type { Ending } from './worker-child.ts'
import { WorkerChild } from './worker-child.ts'

/** What the processes of a pool are to run; another revision replaces them one by one. */
export interface Revision {
  readonly id: string
  readonly generation: number
  readonly command: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string | undefined>>
}

export interface PoolOptions {
  readonly owner: ResourceRef
  readonly name: string
  readonly logFolder: string
  readonly clock: Clock
  readonly announcer: Announcer
  /** Called when readiness or a revision changed. */
  readonly changed: () => void
}

/** A worker has this long to finish its transaction and leave its group. */
const GRACE_MS = 30_000
const BACKOFF_MIN_MS = 500
const BACKOFF_MAX_MS = 30_000
/** A process that lived this long had started well: the next failure is a new story. */
const STEADY_MS = 60_000

/** The replicas of one deployment as child processes: restarted with back-off when they crash, rolled one by one when the revision changes. */
export class WorkerPool {
  readonly #options: PoolOptions
  readonly #slots = new Map<number, Slot>()
  #revision: Revision
  #replicas = 0

  constructor(options: PoolOptions, revision: Revision) {
    this.#options = options
    this.#revision = revision
  }

  get revision(): Revision {
    return this.#revision
  }

  get replicas(): number {
    return this.#replicas
  }

  /** Starts, stops and replaces processes until they are as wanted; returns at once. */
  want(replicas: number, revision: Revision): void {
    this.#replicas = replicas
    this.#revision = revision
    this.#align()
  }

  view(): WorkersView {
    const slots = [...this.#slots.values()]
    return {
      desired: this.#replicas,
      ready: slots.filter(slot => slot.current && slot.ready).length,
      generation: this.#revision.generation,
    }
  }

  /** Revisions that a process still runs. */
  runningRevisions(): ReadonlySet<string> {
    return new Set([...this.#slots.values()].flatMap(slot => slot.runs ?? []))
  }

  async stop(): Promise<void> {
    this.#replicas = 0
    await Promise.all([...this.#slots.values()].map(slot => slot.end()))
  }

  /** Without grace: this process is about to go. */
  kill(): void {
    for (const slot of this.#slots.values()) slot.kill()
  }

  #align(): void {
    for (let index = 0; index < this.#replicas; index++) if (!this.#slots.has(index)) this.#open(index)
    for (const [index, slot] of this.#slots) if (index >= this.#replicas) void slot.end()
    const slots = [...this.#slots.values()]
    const outdated = slots.filter(slot => slot.runs !== undefined && !slot.current)
    outdated.filter(slot => !slot.ready).forEach(slot => void slot.replace())
    // As a Deployment does: the next good one goes only when all the others are good.
    if (slots.every(slot => slot.ready)) void outdated[0]?.replace()
  }

  #open(index: number): void {
    const changed = (): void => {
      this.#align()
      this.#options.changed()
    }
    const slot = new Slot(index, { ...this.#options, changed }, () => this.#revision)
    this.#slots.set(index, slot)
    void slot.finished.then(() => {
      this.#slots.delete(index)
      // Scaled down and up again while it was leaving.
      changed()
    })
  }
}

/** One replica: a process, and the next one when it ends. */
class Slot {
  readonly finished: Promise<void>
  readonly #name: string
  readonly #options: PoolOptions
  readonly #wanted: () => Revision
  readonly #ending = new AbortController()
  #child: WorkerChild | undefined
  #runs: string | undefined

  constructor(index: number, options: PoolOptions, wanted: () => Revision) {
    this.#name = `${options.name}-${index}`
    this.#options = options
    this.#wanted = wanted
    this.finished = this.#run()
  }

  /** Revision of the process; undefined between two processes. */
  get runs(): string | undefined {
    return this.#runs
  }

  get current(): boolean {
    return this.#runs === this.#wanted().id
  }

  get ready(): boolean {
    return this.#child?.ready === true && !this.#child.stopping
  }

  async replace(): Promise<void> {
    if (this.#child?.stopping === false) await this.#child.stop(GRACE_MS)
  }

  async end(): Promise<void> {
    this.#ending.abort()
    await this.replace()
    await this.finished
  }

  kill(): void {
    this.#ending.abort()
    this.#child?.kill()
  }

  async #run(): Promise<void> {
    const { clock } = this.#options
    let failures = 0
    while (!this.#ending.signal.aborted) {
      const startedMs = clock.monotonicMs()
      const ending = await this.#oneLife(this.#wanted())
      if (ending.asked) continue
      failures = clock.monotonicMs() - startedMs > STEADY_MS ? 1 : failures + 1
      const delayMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (failures - 1))
      const message = `${this.#name} ended with ${ending.reason}; next start in ${delayMs} ms; its log: ${this.#logFile()}`
      this.#options.announcer.say({ about: this.#options.owner, what: 'WorkerFailed', message, level: 'warning' })
      this.#options.changed()
      await clock.sleep(delayMs, this.#ending.signal)
    }
  }

  async #oneLife(revision: Revision): Promise<Ending> {
    const { clock, changed, announcer, owner } = this.#options
    try {
      // Of this place alone: whoever started before in it is gone.
      const env = { ...revision.env, SLUICE_WORKER_NAME: `${hostname()}.${process.pid}.${this.#name}` }
      this.#child = await WorkerChild.start({ command: revision.command, env, logFile: this.#logFile(), clock, changed })
      this.#runs = revision.id
      announcer.say({
        about: owner,
        what: 'WorkerStarted',
        message: `${this.#name}, process ${this.#child.pid ?? 'unknown'}`,
        level: 'info',
      })
      // Asked to end, or told another revision, while the process was being made.
      if (this.#ending.signal.aborted) void this.#child.stop(GRACE_MS)
      else changed()
      return await this.#child.ended
    } catch (error) {
      return { asked: false, reason: `no process: ${(error as Error).message}` }
    } finally {
      this.#child = undefined
      this.#runs = undefined
    }
  }

  #logFile(): string {
    return join(this.#options.logFolder, `${this.#name}.log`)
  }
}
