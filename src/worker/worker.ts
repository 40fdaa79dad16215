import { WorkerMetrics } from './metrics.ts'
import { answersOf, questionsOf } from './queries.ts'
import type { Readiness, StartWorker, TaskStatus, Worker, WorkerOptions } from './runtime.ts'
import { Session } from './session.ts'
import type { TaskFamily } from './task.ts'

const GRACE_MS = 25_000
/** Closing takes a second; a client that hangs in it would hang for ever. */
const CLOSE_TIMEOUT_MS = 30_000
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000
/** Sessions that fail so often, each within a minute, are not repaired by another one in this process. */
const MOST_FAILURES = 6
const HEALTHY_AFTER_MS = 60_000

export const startWorker: StartWorker = options => {
  try {
    const worker = new KernelWorker(options, familiesOf(options))
    worker.begin()
    return Promise.resolve(worker)
  } catch (error) {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)))
  }
}

function familiesOf({ contract, kinds }: WorkerOptions): readonly TaskFamily[] {
  return contract.resources.map(resource => {
    const kind = kinds.find(known => known.kind === resource.kind)
    if (kind === undefined) {
      const known = kinds.map(each => each.kind).join(', ')
      throw new Error(
        `the contract has a ${resource.kind} "${resource.name}", which this worker does not know (it knows: ${known}): run a newer image`,
      )
    }
    return kind.tasks(resource, contract.namespace)
  })
}

class KernelWorker implements Worker {
  readonly generation: number
  readonly #options: WorkerOptions
  readonly #families: readonly TaskFamily[]
  readonly #metrics: WorkerMetrics
  readonly #stopping = new AbortController()
  readonly #ended = Promise.withResolvers<Error | undefined>()
  #session: Session | undefined
  #gaveUp = false

  constructor(options: WorkerOptions, families: readonly TaskFamily[]) {
    this.#options = options
    this.#families = families
    this.generation = options.contract.generation
    this.#metrics = new WorkerMetrics(options.metrics, families, () => options.clock.now())
    this.#metrics.watch(() => this.#session?.tasks() ?? [])
  }

  get ended(): Promise<Error | undefined> {
    return this.#ended.promise
  }

  begin(): void {
    void this.#sessions().then(error => {
      this.#gaveUp = error !== undefined
      this.#ended.resolve(error)
    })
  }

  live(): boolean {
    return !this.#gaveUp
  }

  ready(): Readiness {
    const reasons: string[] = []
    if (this.#session?.joined !== true) reasons.push(`consumer group ${this.#options.contract.group} has not been joined`)
    for (const { kind, namespace, name, partition, state, reason, message } of this.tasks()) {
      if (state !== 'running') reasons.push(`${kind}/${namespace}/${name}[${partition}] ${reason ?? state}: ${message ?? ''}`)
    }
    return { ready: reasons.length === 0, reasons }
  }

  tasks(): readonly TaskStatus[] {
    return this.#session?.tasks().map(hosted => hosted.status()) ?? []
  }

  get questions(): readonly string[] {
    return questionsOf(this.#families)
  }

  query(question: string, parameters: URLSearchParams): readonly object[] {
    return answersOf(question, this.#families, this.#session?.tasks() ?? [], parameters, this.#options.clock.now())
  }

  async stop(graceMs = GRACE_MS): Promise<void> {
    this.#stopping.abort()
    const waiting = new AbortController()
    const late = this.#options.clock.sleep(graceMs, waiting.signal).then(() => {
      if (!waiting.signal.aborted) this.#ended.resolve(new Error(`the worker did not stop within ${graceMs} ms`))
    })
    await Promise.race([this.ended, late])
    waiting.abort()
  }

  /** One session after the other, until stopped; the error that made it give up otherwise. */
  async #sessions(): Promise<Error | undefined> {
    const { clock, logger } = this.#options
    let wary = false
    for (let failures = 0; ;) {
      const beganMs = clock.monotonicMs()
      const session = this.#newSession(wary)
      this.#session = session
      const reason = await this.#runs(session)
      wary = session.refused
      const stuck = await this.#closes(session)
      if (this.#stopped() || stuck !== undefined) return stuck
      failures = clock.monotonicMs() - beganMs > HEALTHY_AFTER_MS ? 1 : failures + 1
      logger.error({ error: reason, failures }, 'the session ended; another one begins')
      if (failures >= MOST_FAILURES) return reason
      await clock.sleep(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1)), this.#stopping.signal)
      if (this.#stopped()) return undefined
    }
  }

  #stopped(): boolean {
    return this.#stopping.signal.aborted
  }

  #newSession(wary: boolean): Session {
    const { contract, instanceId, log, clock, logger } = this.#options
    return new Session({
      group: contract.group,
      transactionalId: `${contract.group}.${instanceId}`,
      families: this.#families,
      memoryBudgetBytes: contract.memoryBudgetBytes,
      log,
      clock,
      logger,
      metrics: this.#metrics,
      wary,
    })
  }

  /** Until it fails or the worker is stopped. */
  async #runs(session: Session): Promise<Error | undefined> {
    try {
      await session.start()
      this.#metrics.sessions.inc()
      if (this.#stopped()) return undefined
      const stopped = new Promise<undefined>(resolve => {
        this.#stopping.signal.addEventListener('abort', () => {
          resolve(undefined)
        })
      })
      return await Promise.race([session.failed, stopped])
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
  }

  /** undefined: closed. A client that does not close can only be ended with its process. */
  async #closes(session: Session): Promise<Error | undefined> {
    const { clock } = this.#options
    const waiting = new AbortController()
    const late = clock
      .sleep(CLOSE_TIMEOUT_MS, waiting.signal)
      .then(() => new Error(`a session did not close within ${CLOSE_TIMEOUT_MS} ms`))
    const closed = session.stop().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
    )
    const outcome = await Promise.race([closed, late])
    waiting.abort()
    return outcome
  }
}
