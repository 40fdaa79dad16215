import { setTimeout as pause } from 'node:timers/promises'
import type { QueueOnKafka, WorkerProcess } from '../delay-queue/queue-on-kafka.ts'
import { eventually } from '../eventually.ts'

/** As long as a container takes to be started again. */
const RESTART_PAUSE_MS = 1_000
/** Longer than a worker's own grace period: it hangs. */
const STOP_WITHIN_MS = 45_000

interface Member {
  readonly name: string
  readonly process: WorkerProcess
  frozen: boolean
  /** We are ending it. */
  leaving: boolean
}

/** The worker processes of a queue, kept at a number as a platform does it: whoever is gone is replaced. */
export class Fleet {
  readonly #queue: QueueOnKafka
  readonly #partitions: number
  readonly #tell: (what: string) => void
  readonly #all: { readonly name: string; readonly process: WorkerProcess }[] = []
  #members: Member[] = []
  #desired = 0
  #closed = false
  /** Exits that nobody asked for. */
  readonly crashes: string[] = []
  /** Stops in order that did not end with status 0. */
  readonly badStops: string[] = []

  constructor(queue: QueueOnKafka, partitions: number, tell: (what: string) => void) {
    this.#queue = queue
    this.#partitions = partitions
    this.#tell = tell
  }

  get size(): number {
    return this.#desired
  }

  /** Those that run and can be disturbed. */
  awake(): readonly string[] {
    return this.#members.filter(({ frozen, leaving }) => !frozen && !leaving).map(({ name }) => name)
  }

  /** More start at once; fewer are stopped in order, the youngest first. */
  async scale(to: number): Promise<void> {
    this.#desired = to
    const excess = this.#members.filter(({ leaving }) => !leaving).slice(to)
    await Promise.all(excess.map(member => this.#stop(member)))
    this.#fill()
  }

  /** SIGKILL; the replacement follows. @returns the partitions whose tasks it ran, as far as it answered. */
  async kill(name: string): Promise<readonly number[]> {
    const member = this.#member(name)
    const partitions = member.frozen ? [] : await member.process.running().catch(() => [])
    member.leaving = true
    await member.process.kill()
    this.#remove(member)
    setTimeout(() => {
      this.#fill()
    }, RESTART_PAUSE_MS)
    return partitions
  }

  /** SIGSTOP, and SIGCONT after the time or at `thaw`. */
  freeze(name: string, forMs: number): void {
    const member = this.#member(name)
    member.frozen = true
    signal(member, 'SIGSTOP')
    setTimeout(() => {
      this.#thaw(member)
    }, forMs).unref()
  }

  thaw(): void {
    for (const member of this.#members) this.#thaw(member)
  }

  /** Resolves when as many workers as there should be run, and each partition has exactly one task that runs. */
  async settled(withinMs: number): Promise<void> {
    this.thaw()
    this.#fill()
    await eventually(
      `${this.#desired} workers that share ${this.#partitions} partitions`,
      async () => {
        const answers = await Promise.all(
          this.#members.map(async ({ process }) => [await process.ready(), await process.running()] as const),
        )
        const running = answers.flatMap(([, partitions]) => partitions)
        const once = new Set(running).size === this.#partitions && running.length === this.#partitions
        return answers.length === this.#desired && answers.every(([ready]) => ready) && once
      },
      withinMs,
    )
  }

  /** Nobody is replaced any more. */
  abandon(): void {
    this.#closed = true
  }

  /** Stops all in order. */
  async stop(): Promise<void> {
    this.abandon()
    this.thaw()
    await Promise.all(this.#members.map(member => this.#stop(member)))
  }

  logs(): ReadonlyMap<string, string> {
    return new Map(this.#all.map(({ name, process }) => [name, process.printed()]))
  }

  #fill(): void {
    while (!this.#closed && this.#members.filter(({ leaving }) => !leaving).length < this.#desired) {
      const process = this.#queue.start()
      const member = { name: `worker-${this.#all.length + 1}`, process, frozen: false, leaving: false }
      this.#all.push(member)
      this.#members.push(member)
      void process.gone.then(status => {
        this.#left(member, status)
      })
    }
  }

  #left(member: Member, status: number | null): void {
    if (member.leaving) return
    this.#remove(member)
    this.crashes.push(`${member.name} exited with ${status}`)
    this.#tell(`${member.name} exited by itself with ${status}`)
    void pause(RESTART_PAUSE_MS).then(() => {
      this.#fill()
    })
  }

  async #stop(member: Member): Promise<void> {
    member.leaving = true
    this.#thaw(member)
    const hanging = new AbortController()
    const late = pause(STOP_WITHIN_MS, 'late' as const, { signal: hanging.signal }).catch(() => 'late' as const)
    const status = await Promise.race([member.process.stop(), late])
    hanging.abort()
    if (status === 'late') await member.process.kill()
    this.#remove(member)
    // Without a status it died of the signal itself, having hardly begun; that is no less an end.
    if (status === 0 || status === null) return
    const what = `${member.name} ${status === 'late' ? `did not stop within ${STOP_WITHIN_MS} ms` : `was stopped and exited with ${status}`}`
    this.badStops.push(what)
    this.#tell(what)
  }

  #thaw(member: Member): void {
    if (!member.frozen) return
    member.frozen = false
    signal(member, 'SIGCONT')
  }

  #member(name: string): Member {
    const member = this.#members.find(each => each.name === name)
    if (member === undefined) throw new Error(`no worker ${name} runs`)
    return member
  }

  #remove(member: Member): void {
    this.#members = this.#members.filter(other => other !== member)
  }
}

/** One that has just died needs none. */
function signal({ process: { pid } }: Member, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(pid, name)
  } catch {
    return
  }
}
