import { validateResource } from '../../../src/api/validation.ts'
import type { KafkaAdmin, KafkaAdminFactory } from '../../../src/kafka/admin.ts'
import { platformaticAdmin } from '../../../src/kafka/platformatic-admin.ts'
import { kinds } from '../../../src/kinds/index.ts'
import { connectKubernetes } from '../../../src/kubernetes/index.ts'
import { createOperator, type Operator, type OperatorOptions } from '../../../src/operator/operator.ts'
import { eventually } from '../../support/eventually.ts'
import { surroundings, type Surroundings } from './parts.ts'

/** The operator as `sluice operator` puts it together, with short periods, in the process of the test. */
export interface RunningOperator extends Surroundings {
  readonly operator: Operator
  /** Calls that change something in Kafka, so far. */
  readonly kafkaWrites: readonly string[]
  /** Resolves when every resource has been reconciled `times` more. */
  reconciledAgain(times: number): Promise<void>
  stop(): Promise<void>
}

export interface RunningOptions {
  readonly kubeconfig: string
  readonly namespaces?: readonly string[]
  readonly leaseNamespace: string
  /** Besides the short periods. */
  readonly periods?: Partial<OperatorOptions>
}

const RESYNC_MS = 1_000
const KAFKA_WRITES: ReadonlySet<string> = new Set<keyof KafkaAdmin>([
  'alterConfigs',
  'createTopics',
  'createPartitions',
  'deleteTopics',
  'deleteRecords',
  'alterGroupOffsets',
  'deleteGroup',
])

export async function runOperator(options: RunningOptions): Promise<RunningOperator> {
  const around = surroundings()
  const kafkaWrites: string[] = []
  const ports = await connectKubernetes({
    ...around,
    kubeconfig: options.kubeconfig,
    namespaces: options.namespaces ?? [],
    plurals: new Map(kinds.map(({ definition }) => [definition.kind, definition.plural])),
    workers: { image: 'sluice:test', pullPolicy: 'IfNotPresent', pullSecrets: [] },
    ruleLabels: {},
    ruleDiscoveryMs: RESYNC_MS,
    lease: { name: 'sluice-operator', namespace: options.leaseNamespace },
    identity: 'under-test',
    userAgent: 'sluice-operator/test',
  })
  const operator = createOperator({
    ...around,
    ...ports,
    kinds,
    adminFactory: counting(platformaticAdmin, kafkaWrites),
    validate: validateResource,
    options: {
      resyncIntervalMs: RESYNC_MS,
      probeIntervalMs: 500,
      probeRetryMs: 500,
      secretsIntervalMs: 500,
      backoffMaxMs: 2_000,
      drainIntervalMs: 500,
      ...options.periods,
    },
  })
  const stop = new AbortController()
  const running = operator.run(stop.signal)
  await eventually('leadership', () => operator.health().leading)
  const resyncs = () => around.sample('workqueue_adds_total{name="sluice"}')
  return {
    ...around,
    operator,
    kafkaWrites,
    reconciledAgain: async times => {
      const resources = kinds.reduce((sum, { definition }) => sum + ports.store.list(definition.kind).length, 0)
      const from = await resyncs()
      await eventually(`${times} resyncs`, async () => (await resyncs()) >= from + times * resources)
      await eventually('an empty queue', () => operator.health().queued === 0)
    },
    stop: async () => {
      stop.abort()
      await running
      ports.close()
    },
  }
}

/** Notes every call that writes, whatever it answers. */
const counting =
  (factory: KafkaAdminFactory, writes: string[]): KafkaAdminFactory =>
  (settings, options) =>
    new Proxy(factory(settings, options), {
      get: (admin, name, receiver) => {
        const member: unknown = Reflect.get(admin, name, receiver)
        if (typeof name !== 'string' || !KAFKA_WRITES.has(name) || typeof member !== 'function') return member
        return (...args: readonly unknown[]): unknown => {
          writes.push(`${name} ${JSON.stringify(args)}`)
          return Reflect.apply(member, admin, args)
        }
      },
    })
