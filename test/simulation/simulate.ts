import type { QueueConfig } from '../../src/kinds/delay-queue/config.ts'
import { ladder } from '../../src/kinds/delay-queue/ladder.ts'
import { Random } from '../support/delay-queue/random.ts'
import { Cluster } from '../support/model/cluster.ts'
import { Broken, TARGETS, auditRest, auditSoFar } from './audit.ts'
import type { Evidence } from './audit.ts'
import { Chaos } from './chaos.ts'
import { Fleet, GROUP, otherQueue } from './fleet.ts'
import { historyOf } from './history.ts'
import { Trace } from './trace.ts'
import { FIXED_MS, SMALL_BYTES, Users } from './users.ts'
import { VirtualTime } from './virtual-time.ts'
import { SeededNetwork, weatherOf } from './weather.ts'

const EPOCH_MS = 1_700_000_000_000
const INSPECT_MS = 500
/** After the last fault and the last due time, everything is done within so long: a session, a transaction and its scan, back-off. */
const REST_MS = 90_000
/** After a restart of everything, time to do again what was done before. */
const AFTERMATH_MS = 4_000
/** A task that was stopped is a failure, unless its worker has lost it and is only about to hear of that. */
const STOPPED_MS = 20_000
const MAX_DELAY_MS = 600_000
/** What memory may hold above its budget: a fetch, and what tasks always read. */
const ALLOWANCE_BYTES = 1_048_576

export interface Outcome {
  readonly seed: number
  readonly events: number
  readonly virtualMs: number
  readonly messages: number
  readonly starts: number
  /** Set when a promise was broken: which, and the last events of the message concerned. */
  readonly failure?: { readonly message: string; readonly trace: string }
}

const configOf = (partitions: number, more: Partial<QueueConfig>): QueueConfig => ({
  partitions,
  maxDelayMs: MAX_DELAY_MS,
  topics: {
    input: 'q.in',
    fixed: [{ topic: 'q.fixed.10s', delayMs: FIXED_MS }],
    tiers: ladder(MAX_DELAY_MS).map(delayMs => ({ topic: `q.tier.${delayMs / 1000}s`, delayMs })),
    journal: 'q.journal',
    ids: 'q.ids',
    deadLetter: 'q.dlq',
  },
  target: 'due',
  allowedTargets: ['other', 'absent', 'small'],
  ...more,
})

/** Runs one world from one seed to its rest. The same seed gives the same run, event by event. */
export async function simulate(seed: number): Promise<Outcome> {
  const world = new World(seed)
  let failure: Outcome['failure']
  try {
    await world.run()
  } catch (error) {
    const about = error instanceof Broken ? error.about : undefined
    failure = { message: error instanceof Broken ? error.message : String((error as Error).stack), trace: world.tell(about) }
  } finally {
    world.end()
  }
  return { seed, ...world.figures, ...(failure !== undefined && { failure }) }
}

class World {
  readonly #time = new VirtualTime()
  readonly #trace = new Trace(() => this.#time.nowMs())
  readonly #config: QueueConfig
  readonly #cluster: Cluster
  readonly #users: Users
  readonly #fleet: Fleet
  readonly #chaos: Chaos
  readonly #sources: readonly string[]
  readonly #weather
  #broken: Broken | undefined
  readonly #stopped = new Map<string, number>()

  constructor(seed: number) {
    const random = new Random(seed)
    const time = this.#time
    const trace = this.#trace
    const weather = weatherOf(random)
    const network = new SeededNetwork(random)
    this.#weather = weather
    const config = configOf(weather.partitions, weather.config)
    this.#config = config
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
    const { input, fixed, tiers, journal, ids, deadLetter } = config.topics
    this.#sources = [input, ...[...fixed, ...tiers].map(({ topic }) => topic)]
    for (const topic of [...this.#sources, journal, ids]) cluster.createTopic(topic, weather.partitions)
    const { topics: others } = otherQueue(config)
    for (const topic of [others.input, others.journal, others.ids]) cluster.createTopic(topic, weather.partitions)
    for (const topic of [...TARGETS, deadLetter]) cluster.createTopic(topic, 1 + random.below(2))
    this.#users = new Users({ time, random, cluster, weather, trace })
    this.#fleet = new Fleet({
      time,
      random,
      cluster,
      epochMs: EPOCH_MS,
      config,
      memoryBudgetBytes: weather.memoryBudgetBytes,
      refuses: ({ topic, value }) => (topic === 'small' && (value?.length ?? 0) > SMALL_BYTES ? 'MessageTooLarge' : undefined),
      trace,
    })
    this.#chaos = new Chaos({ time, random, cluster, network, fleet: this.#fleet, weather, trace, sources: this.#sources })
    trace.note('weather', JSON.stringify(weather))
  }

  get figures(): Omit<Outcome, 'seed' | 'failure'> {
    return { events: this.#time.count, virtualMs: this.#time.nowMs(), messages: this.#users.sent.length, starts: this.#fleet.starts }
  }

  async run(): Promise<void> {
    this.#fleet.scale(this.#weather.workers)
    this.#users.start()
    this.#chaos.start()
    this.#inspect()
    await this.#until(() => false, this.#weather.stormMs)
    this.#chaos.stop()
    await this.#until(() => this.#users.done, 60_000)
    const lastDueMs = Math.max(EPOCH_MS, ...this.#users.sent.map(({ dueMs }) => dueMs)) - EPOCH_MS
    const restMs = Math.max(this.#time.nowMs(), lastDueMs) + REST_MS
    if (!(await this.#until(() => this.#atRest, restMs - this.#time.nowMs()))) this.#stuck()
    auditRest(this.#evidence)
    await this.#again()
  }

  /** Everything dies and begins anew, from what is committed and nothing else. */
  async #again(): Promise<void> {
    this.#trace.note('auditor', 'all is at rest; kills all workers and starts one')
    this.#fleet.scale(1)
    for (const running of this.#fleet.running) this.#fleet.crash(running)
    await this.#until(() => this.#fleet.running.some(({ worker }) => allRun(worker.tasks(), this.#weather.partitions)), REST_MS)
    await this.#until(() => false, AFTERMATH_MS)
    auditRest(this.#evidence)
  }

  end(): void {
    for (const { process } of this.#fleet.running) process.kill()
  }

  tell(about: Parameters<typeof historyOf>[1]): string {
    for (const { atMs, where, what } of historyOf(this.#cluster, about)) this.#trace.note(where, what, atMs - EPOCH_MS)
    return this.#trace.text(400)
  }

  get #evidence(): Evidence {
    const { sent, orders } = this.#users
    return {
      cluster: this.#cluster,
      config: this.#config,
      sent,
      orders,
      short: this.#weather.memoryBudgetBytes < 1_048_576,
      skewMs: this.#chaos.skewMs,
    }
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

  /** Every record was read, and its end committed. */
  get #atRest(): boolean {
    const group = this.#cluster.group(GROUP)
    if (this.#cluster.logs.some(log => log.lastStable !== log.high)) return false
    return this.#sources
      .flatMap(topic => this.#cluster.partitionsOf(topic) ?? [])
      .every(log => log.next(Math.max(log.low, group.offset(log)?.offset ?? 0)) === undefined)
  }

  #stuck(): never {
    const group = this.#cluster.group(GROUP)
    const behind = this.#sources
      .flatMap(topic => this.#cluster.partitionsOf(topic) ?? [])
      .filter(log => log.lastStable !== log.high || log.next(Math.max(log.low, group.offset(log)?.offset ?? 0)) !== undefined)
      .map(
        log =>
          `${log.topic}/${log.partition} is committed at ${group.offset(log)?.offset ?? '-'} of ${log.high} (stable ${log.lastStable})`,
      )
    const states = this.#fleet.running.flatMap(({ name, worker }) =>
      worker.tasks().map(task => `${name}[${task.partition}] ${task.state} ${task.message ?? ''}`),
    )
    auditSoFar(this.#evidence)
    throw new Broken(`no rest though nothing goes wrong any more: ${[...behind, ...states].join('; ')}`)
  }
}

const allRun = (tasks: readonly { readonly state: string; readonly name: string }[], partitions: number): boolean =>
  tasks.filter(({ name }) => name === 'q').length === partitions && tasks.every(({ state }) => state === 'running')
