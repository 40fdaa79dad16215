import { worked } from '../../src/kinds/delay-queue/task-family.ts'
import type { QueueConfig } from '../../src/kinds/delay-queue/config.ts'
import type { Gauge, Metrics } from '../../src/observability/metrics.ts'
import type { Contract } from '../../src/worker/contract.ts'
import type { Worker } from '../../src/worker/runtime.ts'
import { startWorker } from '../../src/worker/worker.ts'
import type { Random } from '../support/delay-queue/random.ts'
import type { Cluster } from '../support/model/cluster.ts'
import { modelLog } from '../support/model/model-log.ts'
import type { Faults } from '../support/model/model-log.ts'
import type { Trace } from './trace.ts'
import { Process } from './virtual-time.ts'
import type { VirtualTime } from './virtual-time.ts'

/** A platform restarts a pod after so long. */
const RESTART_MS = 1_000
/** And kills one that does not stop in time. */
const GRACE_MS = 30_000

export const GROUP = 'shop.q'

export interface Running {
  readonly name: string
  readonly process: Process
  worker: Worker
  readonly memoryBytes: () => number
  leaving: boolean
}

export interface FleetOptions {
  readonly time: VirtualTime
  readonly random: Random
  readonly cluster: Cluster
  readonly epochMs: number
  readonly config: QueueConfig
  readonly memoryBudgetBytes: number
  readonly refuses: Faults['refuses']
  readonly trace: Trace
}

/** The workers of a queue as a platform keeps them: as many as wanted, started again when they end. */
export class Fleet {
  readonly #with: FleetOptions
  readonly #running = new Set<Running>()
  #serial = 0
  #wanted = 0
  #generation = 1
  /** A second queue shares the workers at the moment. Nothing is written to it: it comes and goes. */
  #shared = false
  starts = 0
  /** Told of each worker that starts. */
  started: (running: Running) => void = () => undefined

  constructor(options: FleetOptions) {
    this.#with = options
  }

  /** All that live, those that are about to leave too. */
  get running(): readonly Running[] {
    return [...this.#running]
  }

  get wanted(): number {
    return this.#wanted
  }

  scale(wanted: number): void {
    this.#wanted = wanted
    this.#level()
  }

  /** The pool's other queue comes or goes. */
  share(): void {
    this.#shared = !this.#shared
    this.#generation += 1
    for (const { process, worker } of this.#running) {
      process.after(0, () => {
        void worker.follow(this.#contract())
      })
    }
  }

  /** Dies between two events: no goodbye of any kind. */
  crash(running: Running): void {
    this.#note(running, 'is killed')
    running.process.kill()
    this.#gone(running)
  }

  /** SIGTERM. */
  stop(running: Running): void {
    if (running.leaving) return
    this.#note(running, 'is told to stop')
    running.leaving = true
    const { time } = this.#with
    running.process.after(0, () => {
      void running.worker.stop().then(() => {
        this.#note(running, 'has stopped')
        running.process.kill()
        this.#gone(running)
      })
    })
    time.after(GRACE_MS, () => {
      if (this.#running.has(running)) this.crash(running)
    })
    this.#level()
  }

  #note({ name }: Running, what: string): void {
    this.#with.trace.note(name, what)
  }

  #gone(running: Running): void {
    if (!this.#running.delete(running)) return
    this.#with.time.after(RESTART_MS * this.#with.random.next(), () => {
      this.#level()
    })
  }

  #level(): void {
    const staying = [...this.#running].filter(({ leaving }) => !leaving)
    for (let i = staying.length; i < this.#wanted; i += 1) this.#start()
    for (const running of staying.slice(this.#wanted)) this.stop(running)
  }

  #contract(): Contract {
    const { config, memoryBudgetBytes } = this.#with
    const queue = { kind: 'DelayQueue', name: 'q', generation: 1, config }
    const other = { kind: 'DelayQueue', name: 'r', generation: 1, config: otherQueue(config) }
    return {
      version: 1,
      generation: this.#generation,
      namespace: 'shop',
      pool: 'shared',
      group: GROUP,
      connection: { bootstrapServers: ['model'] },
      resources: this.#shared ? [queue, other] : [queue],
      memoryBudgetBytes,
    }
  }

  #start(): void {
    const { time, random, cluster, epochMs, refuses, trace } = this.#with
    const name = `w${(this.#serial += 1)}`
    this.starts += 1
    const process = new Process(name, time, random, epochMs)
    const meter = new Meter()
    trace.note(name, 'starts')
    process.after(0, () => {
      const log = modelLog(cluster, { refuses }, process)
      const options = {
        contract: this.#contract(),
        kinds: [worked],
        log,
        clock: process.clock,
        logger: trace.logger(name),
        metrics: meter,
        instanceId: name,
      }
      void startWorker(options).then(worker => {
        running.worker = worker
        // It may have changed while this one started.
        void worker.follow(this.#contract())
        void worker.ended.then(error => {
          if (error === undefined) return
          trace.note(name, `gave up: ${error.message}`)
          process.kill()
          this.#gone(running)
        })
      })
    })
    const running: Running = { name, process, worker: NOT_YET, memoryBytes: () => meter.read('sluice_worker_memory_bytes'), leaving: false }
    this.#running.add(running)
    this.started(running)
  }
}

/** The queue that shares the workers now and then. */
export const otherQueue = ({ partitions }: QueueConfig): QueueConfig => ({
  partitions,
  maxDelayMs: 1_000,
  topics: { input: 'r.in', fixed: [], tiers: [], journal: 'r.journal', ids: 'r.ids', deadLetter: 'q.dlq' },
  target: 'due',
  allowedTargets: [],
})

/** Between the start of a process and that of its worker. */
const NOT_YET = { tasks: () => [], stop: () => Promise.resolve(), follow: () => Promise.resolve() } as unknown as Worker

/** Metrics that nobody scrapes but the auditor. */
class Meter implements Metrics {
  readonly #collectors = new Map<string, (gauge: Gauge) => void>()

  counter(): { inc: () => void } {
    return { inc: () => undefined }
  }

  gauge({ name, collect }: Parameters<Metrics['gauge']>[0]): Gauge {
    if (collect !== undefined) this.#collectors.set(name, collect)
    return { set: () => undefined, add: () => undefined, remove: () => undefined }
  }

  histogram(): { observe: () => void } {
    return { observe: () => undefined }
  }

  names(): readonly string[] {
    return []
  }

  expose(): Promise<{ readonly contentType: string; readonly body: string }> {
    return Promise.resolve({ contentType: '', body: '' })
  }

  /** A gauge without labels. */
  read(name: string): number {
    let read = 0
    this.#collectors.get(name)?.({ set: value => (read = value), add: () => undefined, remove: () => undefined })
    return read
  }
}
