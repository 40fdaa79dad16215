import type { Gauge, Metrics } from '../../src/observability/metrics.ts'
import type { Contract } from '../../src/worker/contract.ts'
import type { Worker } from '../../src/worker/runtime.ts'
import { startWorker } from '../../src/worker/worker.ts'
import type { Random } from '../support/delay-queue/random.ts'
import type { Cluster } from '../support/model/cluster.ts'
import { modelLog } from '../support/model/model-log.ts'
import type { Subject } from './subject.ts'
import type { Trace } from './trace.ts'
import { Process } from './virtual-time.ts'
import type { VirtualTime } from './virtual-time.ts'

/** A platform restarts a pod after so long. */
const RESTART_MS = 1_000
/** And kills one that does not stop in time. */
const GRACE_MS = 30_000

export interface Running {
  readonly name: string
  readonly process: Process
  worker: Worker
  readonly memoryBytes: () => number
  /** How much its measurement of the brokers' clock leaves open. */
  readonly uncertaintyMs: () => number
  leaving: boolean
}

export interface FleetOptions {
  readonly time: VirtualTime
  readonly random: Random
  readonly cluster: Cluster
  readonly epochMs: number
  readonly subject: Subject
  readonly trace: Trace
}

/** The workers of a resource as a platform keeps them: as many as wanted, started again when they end. */
export class Fleet {
  readonly #with: FleetOptions
  readonly #running = new Set<Running>()
  #serial = 0
  #wanted = 0
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

  /** What the workers are told changes, and those that live hear of it. */
  share(): void {
    const { subject } = this.#with
    subject.share()
    for (const { process, worker } of this.#running) {
      process.after(0, () => {
        const contract = subject.contract()
        if (contract?.pool !== undefined) void worker.follow(contract)
      })
    }
  }

  /** All are replaced, as when a Deployment changes: the old ones and the new ones may meet. */
  renew(): void {
    for (const running of [...this.#running]) this.stop(running)
    this.#level()
  }

  /** A process that is none of the platform's; it is interrupted after some time. */
  invite(contract: Contract, forMs: number): void {
    const guest = this.#start(contract, 'guest')
    this.#with.time.after(forMs, () => {
      if (this.#running.has(guest)) this.crash(guest)
    })
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
    for (let i = staying.length; i < this.#wanted; i += 1) {
      const contract = this.#with.subject.contract()
      if (contract !== undefined) this.#start(contract, 'own')
    }
    for (const running of staying.slice(this.#wanted)) this.stop(running)
  }

  #start(contract: Contract, whose: 'own' | 'guest'): Running {
    const { time, random, cluster, epochMs, subject, trace } = this.#with
    const name = `w${(this.#serial += 1)}`
    this.starts += 1
    const process = new Process(name, time, random, epochMs)
    const meter = new Meter()
    trace.note(name, 'starts')
    process.after(0, () => {
      const log = modelLog(cluster, { refuses: subject.refuses }, process)
      const options = {
        contract,
        kinds: subject.kinds,
        log,
        clock: process.clock,
        logger: trace.logger(name),
        metrics: meter,
        instanceId: name,
      }
      void startWorker(options).then(worker => {
        running.worker = worker
        // It may have changed while this one started.
        const now = subject.contract()
        if (now?.pool !== undefined) void worker.follow(now)
        void worker.ended.then(error => {
          if (error === undefined) return
          trace.note(name, `gave up: ${error.message}`)
          process.kill()
          this.#gone(running)
        })
      })
    })
    const running: Running = {
      name,
      process,
      worker: NOT_YET,
      memoryBytes: () => meter.read('sluice_worker_memory_bytes'),
      uncertaintyMs: () => 1000 * meter.read('sluice_worker_clock_uncertainty_seconds'),
      leaving: whose === 'guest',
    }
    this.#running.add(running)
    this.started(running)
    return running
  }
}

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
