import { Random } from '../support/delay-queue/random.ts'
import { Cluster } from '../support/model/cluster.ts'
import { Broken } from './broken.ts'
import { Chaos } from './chaos.ts'
import { PipelineSubject } from './dead-letter-pipeline/subject.ts'
import { RedriveSubject } from './dead-letter-redrive/subject.ts'
import { QueueSubject } from './delay-queue/subject.ts'
import { Fleet } from './fleet.ts'
import { historyOf } from './history.ts'
import { behind, kindOf } from './subject.ts'
import type { Setting, SimulatedKind, Subject } from './subject.ts'
import { Trace } from './trace.ts'
import { EPOCH_MS, VirtualTime } from './virtual-time.ts'
import { SeededNetwork, weatherOf } from './weather.ts'

const INSPECT_MS = 500
/** More often than workers measure the brokers' clock. */
const MEASURE_MS = 100
/** After the last fault and the last due time, everything is done within so long: a session, a transaction and its scan, back-off. */
const REST_MS = 90_000
/** After a restart of everything, time to do again what was done before. */
const AFTERMATH_MS = 4_000
/** A task that was stopped is a failure, unless its worker has lost it and is only about to hear of that. */
const STOPPED_MS = 20_000
/** What memory may hold above its budget: a fetch, and what tasks always read. */
const ALLOWANCE_BYTES = 1_048_576

export interface Outcome {
  readonly seed: number
  readonly kind: SimulatedKind
  readonly events: number
  readonly virtualMs: number
  readonly messages: number
  readonly starts: number
  /** Set when a promise was broken: which, and the last events of the message concerned. */
  readonly failure?: { readonly message: string; readonly trace: string }
}

function subjectOf(kind: SimulatedKind, setting: Setting): Subject {
  switch (kind) {
    case 'DelayQueue':
      return new QueueSubject(setting)
    case 'DeadLetterPipeline':
      return new PipelineSubject(setting)
    case 'DeadLetterRedrive':
      return new RedriveSubject(setting)
  }
}

/** Runs one world from one seed to its rest. The same seed gives the same run, event by event. @param kind what it is about; drawn from the seed when absent. */
export async function simulate(seed: number, kind: SimulatedKind = kindOf(seed)): Promise<Outcome> {
  const world = new World(seed, kind)
  let failure: Outcome['failure']
  try {
    await world.run()
  } catch (error) {
    const about = error instanceof Broken ? error.about : undefined
    failure = { message: error instanceof Broken ? error.message : String((error as Error).stack), trace: world.tell(about) }
  } finally {
    world.end()
  }
  return { seed, kind, ...world.figures, ...(failure !== undefined && { failure }) }
}

class World {
  readonly #time = new VirtualTime()
  readonly #trace = new Trace(() => this.#time.nowMs())
  readonly #cluster: Cluster
  readonly #subject: Subject
  readonly #fleet: Fleet
  readonly #chaos: Chaos
  readonly #weather
  #broken: Broken | undefined
  readonly #stopped = new Map<string, number>()
  /** The most that a worker's measurement of the brokers' clock ever left open. */
  #uncertaintyMs = 0

  constructor(seed: number, kind: SimulatedKind) {
    const random = new Random(seed)
    const time = this.#time
    const trace = this.#trace
    const weather = weatherOf(random)
    const network = new SeededNetwork(random)
    this.#weather = weather
    const cluster = new Cluster({
      time,
      network,
      now: () => Math.floor(EPOCH_MS + time.nowMs()),
      note: (where, what) => {
        trace.note(where, what)
        if (where === 'group') this.#chaos.shaken()
      },
    })
    this.#cluster = cluster
    this.#subject = subjectOf(kind, { time, random, cluster, weather, trace })
    const subject = this.#subject
    this.#fleet = new Fleet({ time, random, cluster, epochMs: EPOCH_MS, subject, trace })
    this.#chaos = new Chaos({ time, random, cluster, network, fleet: this.#fleet, weather, trace, subject })
    trace.note('weather', JSON.stringify(weather))
  }

  get figures(): Omit<Outcome, 'seed' | 'kind' | 'failure'> {
    return { events: this.#time.count, virtualMs: this.#time.nowMs(), messages: this.#subject.messages, starts: this.#fleet.starts }
  }

  async run(): Promise<void> {
    this.#fleet.scale(this.#weather.workers)
    this.#subject.start(this.#fleet)
    this.#chaos.start()
    this.#inspect()
    this.#measure()
    await this.#until(() => false, this.#weather.stormMs)
    this.#chaos.stop()
    this.#subject.calm()
    await this.#until(() => this.#subject.usersDone, 60_000)
    const restMs = Math.max(this.#time.nowMs(), this.#subject.lastDueMs) + REST_MS
    if (!(await this.#until(() => this.#subject.atRest, restMs - this.#time.nowMs()))) this.#stuck()
    this.#subject.auditRest(this.#unknownMs)
    await this.#again()
  }

  /** Everything dies and begins anew, from what is committed and nothing else. */
  async #again(): Promise<void> {
    this.#trace.note('auditor', 'all is at rest; kills all workers and starts one')
    this.#subject.retire()
    this.#fleet.scale(1)
    for (const running of this.#fleet.running) this.#fleet.crash(running)
    await this.#until(() => this.#fleet.running.some(({ worker }) => this.#allRun(worker.tasks())), REST_MS)
    await this.#until(() => false, AFTERMATH_MS)
    this.#subject.auditRest(this.#unknownMs)
  }

  end(): void {
    for (const { process } of this.#fleet.running) process.kill()
  }

  tell(about: Parameters<typeof historyOf>[1]): string {
    for (const { atMs, where, what } of historyOf(this.#cluster, about)) this.#trace.note(where, what, atMs - EPOCH_MS)
    return this.#trace.text(400)
  }

  /** The most that a worker's clock was off without its knowing. */
  get #unknownMs(): number {
    return Math.min(this.#chaos.skewMs, Math.ceil(this.#uncertaintyMs))
  }

  async #until(condition: () => boolean, forMs: number): Promise<boolean> {
    let checkedMs = -Infinity
    const reached = await this.#time.run(() => {
      if (this.#broken !== undefined) return true
      if (this.#time.nowMs() - checkedMs < INSPECT_MS) return false
      checkedMs = this.#time.nowMs()
      return condition()
    }, this.#time.nowMs() + forMs)
    if (this.#broken !== undefined) throw this.#broken
    return reached
  }

  #measure(): void {
    this.#uncertaintyMs = Math.max(this.#uncertaintyMs, ...this.#fleet.running.map(({ uncertaintyMs }) => uncertaintyMs()))
    this.#time.after(MEASURE_MS, () => {
      this.#measure()
    })
  }

  #inspect(): void {
    this.#time.after(INSPECT_MS, () => {
      this.#inspect()
      try {
        for (const { name, worker, memoryBytes } of this.#fleet.running) {
          for (const { state, partition, reason, message } of worker.tasks()) {
            if (state !== 'stopped') continue
            const task = `${name} stopped task ${partition}: ${reason ?? ''} ${message ?? ''}`
            const seen = (this.#stopped.get(task) ?? 0) + 1
            this.#stopped.set(task, seen)
            if (seen * INSPECT_MS > STOPPED_MS) throw new Broken(task)
          }
          const bytes = memoryBytes()
          if (bytes > this.#weather.memoryBudgetBytes + ALLOWANCE_BYTES)
            throw new Broken(`${name} holds ${bytes} bytes, above its budget of ${this.#weather.memoryBudgetBytes}`)
        }
      } catch (error) {
        this.#broken = error as Broken
      }
    })
  }

  #stuck(): never {
    const { group: id, sources } = this.#subject
    const group = this.#cluster.group(id)
    const logs = behind(this.#cluster, id, sources).map(
      log => `${log.topic}/${log.partition} is committed at ${group.offset(log)?.offset ?? '-'} of ${log.high} (stable ${log.lastStable})`,
    )
    const states = this.#fleet.running.flatMap(({ name, worker }) =>
      worker.tasks().map(task => `${name}[${task.partition}] ${task.state} ${task.message ?? ''}`),
    )
    this.#subject.auditSoFar(this.#unknownMs)
    throw new Broken(`no rest though nothing goes wrong any more: ${[...logs, ...states].join('; ')}`)
  }

  #allRun(tasks: readonly { readonly state: string; readonly name: string }[]): boolean {
    const own = tasks.filter(({ name }) => name === this.#subject.name)
    return own.length === this.#weather.partitions && tasks.every(({ state }) => state === 'running')
  }
}
