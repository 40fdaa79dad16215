import type { Caller } from './caller.ts'
import type { Contract } from './contract.ts'
import { familiesOf } from './families.ts'
import type { Families } from './families.ts'
import type { Hosted } from './hosted.ts'
import { budgetWithin } from './memory.ts'
import { WorkerMetrics } from './metrics.ts'
import { answersOf, questionsOf } from './queries.ts'
import { HungSession } from './runtime.ts'
import type { Readiness, StartWorker, TaskStatus, Worker, WorkerOptions } from './runtime.ts'
import { Session } from './session.ts'

const GRACE_MS = 25_000
/** Closing takes a second; a client that hangs in it would hang for ever. */
const CLOSE_TIMEOUT_MS = 30_000
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000
/** Sessions that fail so often, each within a minute, are not repaired by another one in this process. */
const MOST_FAILURES = 6
const HEALTHY_AFTER_MS = 60_000

const NO_CALLS: Caller = {
  open: () => {
    throw new Error('this worker was started without a way to make calls')
  },
}

export const startWorker: StartWorker = options => {
  try {
    const families = familiesOf(options.contract, options.kinds)
    const [refused] = families.refused
    if (refused !== undefined && families.hosted.length === 0) throw new Error(refused.message)
    const worker = new KernelWorker(options, families)
    worker.begin()
    return Promise.resolve(worker)
  } catch (error) {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)))
  }
}

class KernelWorker implements Worker {
  readonly #options: WorkerOptions
  #contract: Contract
  #families: Families
  readonly #metrics: WorkerMetrics
  readonly #stopping = new AbortController()
  readonly #ended = Promise.withResolvers<Error | undefined>()
  #session: Session | undefined
  #gaveUp = false
  /** Sessions so far. */
  #begun = 0

  constructor(options: WorkerOptions, families: Families) {
    this.#options = options
    this.#contract = options.contract
    this.#families = families
    this.#metrics = new WorkerMetrics(options.metrics, families.hosted, options.clock)
    this.#metrics.watch(() => this.#session?.tasks() ?? [])
    this.#tellRefused()
  }

  get contract(): Contract {
    return this.#contract
  }

  async follow(contract: Contract): Promise<void> {
    const families = familiesOf(contract, this.#options.kinds, this.#families.hosted)
    this.#contract = contract
    this.#families = families
    this.#metrics.adopt(families.hosted)
    this.#tellRefused()
    this.#options.logger.info({ generation: contract.generation, resources: contract.resources.length }, 'the contract changed')
    await this.#session?.adopt(families.hosted)
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
    const joined = this.#session?.joined === true
    const hosted = this.#session?.tasks() ?? []
    const reasons = [
      ...(joined ? [] : [`consumer group ${this.#contract.group} has not been joined`]),
      ...this.#families.refused.map(({ name, message }) => `${name}: ${message}`),
      ...hosted.filter(({ state }) => state !== 'running').map(each => `${each.name} ${each.reason ?? each.state}: ${each.message}`),
    ]
    return { ready: joined && isUseful(hosted), reasons }
  }

  tasks(): readonly TaskStatus[] {
    return this.#session?.tasks().map(hosted => hosted.status()) ?? []
  }

  get questions(): readonly string[] {
    return questionsOf(this.#families.hosted)
  }

  query(question: string, parameters: URLSearchParams): readonly object[] {
    return answersOf(question, this.#families.hosted, this.#session?.tasks() ?? [], parameters, this.#options.clock.now())
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

  #tellRefused(): void {
    for (const { name, message } of this.#families.refused) this.#options.logger.error({ resource: name }, message)
  }

  #stopped(): boolean {
    return this.#stopping.signal.aborted
  }

  /**
   * Each with a transactional id of its own: partitions that a session lost name it until their next owner has fenced it. Under one id for all, that
   * owner would fence the session that lives, whose partitions then name it in turn (seen: three workers ended each other for 20 s).
   */
  #newSession(wary: boolean): Session {
    const { instanceId, log, caller = NO_CALLS, clock, logger, memoryLimitBytes } = this.#options
    const { group, memoryBudgetBytes } = this.#contract
    const idOf = (serial: number): string => `${group}.${instanceId}.${serial}`
    this.#begun += 1
    return new Session({
      group,
      transactionalId: idOf(this.#begun),
      earlier: this.#begun > 1 ? idOf(this.#begun - 1) : undefined,
      families: this.#families.hosted,
      memoryBudgetBytes: budgetWithin(memoryBudgetBytes, memoryLimitBytes),
      log,
      caller,
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
      .then(() => new HungSession(`a session did not close within ${CLOSE_TIMEOUT_MS} ms`))
    const closed = session.stop().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
    )
    const outcome = await Promise.race([closed, late])
    waiting.abort()
    return outcome
  }
}

/**
 * While tasks are on their way, the pod is not ready: a roll-out waits for it. A resource that is stuck stays so whatever becomes of the pod, which must
 * then count as ready for the sake of the others, if there are any.
 */
function isUseful(hosted: readonly Hosted[]): boolean {
  if (hosted.some(({ state, stuck }) => state === 'restoring' && !stuck)) return false
  const stuck = new Set(hosted.filter(each => each.stuck).map(({ family }) => family))
  return hosted.length === 0 || hosted.some(({ family }) => !stuck.has(family))
}
