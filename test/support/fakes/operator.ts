import { createLogger, type LogLevel } from '../../../src/observability/logger.ts'
import { createMetrics } from '../../../src/observability/metrics.ts'
import type { ReconciledKind } from '../../../src/operator/kind.ts'
import { createOperator, type OperatorParts } from '../../../src/operator/operator.ts'
import type { ResourceRef } from '../../../src/api/resource.ts'
import { FakeClock, settle } from './clock.ts'
import { FakeKafka } from './kafka-admin.ts'
import { FakeAlerts, FakeElection, FakeEvents, FakeSecrets, FakeStore, FakeWorkers } from './ports.ts'

/** The real engine on fakes of all its ports, with the time in the hands of the test. */
export class OperatorHarness {
  readonly clock = new FakeClock()
  readonly kafka = new FakeKafka()
  readonly store = new FakeStore()
  readonly workers = new FakeWorkers()
  readonly alerts = new FakeAlerts()
  readonly events = new FakeEvents()
  readonly secrets = new FakeSecrets()
  readonly election = new FakeElection()
  readonly metrics = createMetrics()
  readonly logged: string[] = []
  readonly operator: ReturnType<typeof createOperator>
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(kinds: readonly ReconciledKind[], given: Partial<OperatorParts> & { readonly logLevel?: LogLevel } = {}) {
    const write = (line: string) => void this.logged.push(line)
    this.operator = createOperator({
      kinds,
      store: this.store,
      secrets: this.secrets,
      workers: this.workers,
      alerts: this.alerts,
      events: this.events,
      election: this.election,
      adminFactory: () => this.kafka.admin(),
      clock: this.clock,
      logger: createLogger({ level: given.logLevel ?? 'warn' }, { write }),
      metrics: this.metrics,
      ...given,
      options: { random: () => 0.5, ...given.options },
    })
  }

  async start(): Promise<void> {
    this.#running = this.operator.run(this.#stop.signal)
    await this.pass(0)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  /** Lets time pass and everything that follows from it happen. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms)
    await settle()
  }

  /** For what takes real time, such as hashing Secrets on a thread: waits until it is so. Ends with the test's own time-out. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise(resolve => setTimeout(resolve, 5))
    await settle()
  }

  /** Writes so far, of all ports. */
  get writes(): readonly string[] {
    return [
      ...this.store.writes,
      ...this.kafka.writes,
      ...this.workers.writes,
      ...this.alerts.writes,
      ...this.events.emitted.map(({ message }) => message),
    ]
  }

  condition(ref: ResourceRef, type = 'Ready') {
    return this.store.get(ref)?.status?.conditions?.find(condition => condition.type === type)
  }
}
