import type { ResourceDefinition } from '../api/definition.ts'
import type { Clock } from '../api/clock.ts'
import type { Resource } from '../api/resource.ts'
import type { KafkaAdminFactory } from '../kafka/admin.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { ReconciledKind } from './kind.ts'
import type { AlertSink, Election, EventSink, ResourceStore, SecretReader, WorkerPlatform } from './ports.ts'

/** One broken rule of a schema: `field` is a path such as `spec.steps[1].after`. */
export interface Violation {
  readonly field: string
  readonly message: string
}

/** Judges a resource against the schema of its kind; an empty answer is a valid resource. Must be pure. */
export type Validate = (definition: ResourceDefinition, resource: Resource) => readonly Violation[]

/** Everything that the engine is put together from. */
export interface OperatorParts {
  /** Exactly one of them, the connection, answers undefined to `connectionOf`. */
  readonly kinds: readonly ReconciledKind[]
  readonly store: ResourceStore
  readonly secrets: SecretReader
  readonly workers: WorkerPlatform
  readonly alerts: AlertSink
  readonly events: EventSink
  readonly election: Election
  readonly adminFactory: KafkaAdminFactory
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** For places where no API server has judged the resource before; the verdict is shown as `InvalidSpec`. */
  readonly validate?: Validate
  readonly options?: Partial<OperatorOptions>
}

export interface OperatorOptions {
  /** Every resource is looked at again after this time, give or take a tenth. @default 30000 */
  readonly resyncIntervalMs: number
  /** Between two probes of a connection that answers. @default 10000 */
  readonly probeIntervalMs: number
  /** Between two probes of a connection that does not. @default 3000 */
  readonly probeRetryMs: number
  /** A probe that takes longer has failed. @default 10000 */
  readonly probeTimeoutMs: number
  /** Secrets are read again after this time. @default 30000 */
  readonly secretsIntervalMs: number
  /** Sizes on disk are asked again after this time. @default 300000 */
  readonly sizesIntervalMs: number
  /** Resources reconciled at the same time. @default 8 */
  readonly concurrency: number
  /** First and longest wait after a failed reconcile, doubled in between. @default 1000 and 300000 */
  readonly backoffInitialMs: number
  readonly backoffMaxMs: number
  /** Attempts to delete the topics of a deleted resource before it is let go. @default 5 */
  readonly deletionAttempts: number
  /** Between two looks at what still waits in a deleted resource. @default 10000 */
  readonly drainIntervalMs: number
  /** How long a deleted resource is held although nobody can see what waits in it. @default 600000 */
  readonly drainPatienceMs: number
  /** How long a deleted connection waits for its users to be deleted as well: one command may delete all. @default 30000 */
  readonly connectionGraceMs: number
  /** Bytes of records that one worker may hold. @default 268435456 */
  readonly workerMemoryBudgetBytes: number
  /** Addresses and ranges that calls of workers may go to although they would be refused. @default [] */
  readonly callsAllow: readonly string[]
  /** How the operator names itself to the brokers. @default sluice-operator */
  readonly clientId: string
  /** In [0, 1): spreads waits. Injected so that tests are exact. */
  readonly random: () => number
}

export const DEFAULT_OPTIONS: OperatorOptions = {
  resyncIntervalMs: 30_000,
  probeIntervalMs: 10_000,
  probeRetryMs: 3_000,
  probeTimeoutMs: 10_000,
  secretsIntervalMs: 30_000,
  sizesIntervalMs: 300_000,
  concurrency: 8,
  backoffInitialMs: 1_000,
  backoffMaxMs: 300_000,
  deletionAttempts: 5,
  drainIntervalMs: 10_000,
  drainPatienceMs: 600_000,
  connectionGraceMs: 30_000,
  workerMemoryBudgetBytes: 256 * 2 ** 20,
  callsAllow: [],
  clientId: 'sluice-operator',
  random: Math.random,
}
