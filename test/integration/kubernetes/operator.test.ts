import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { join } from 'node:path'
import { ConfigResourceTypes, Kafka as KafkaJs, logLevel, type Admin } from 'kafkajs'
import { renderChart } from '../../support/chart.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka, type Kafka } from '../../support/kafka.ts'
import { startKubernetes, type TestKubernetes } from '../../support/kubernetes.ts'
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import { auditLog, denials, isWrite, type AuditLog } from './audit.ts'
import { apply, at, get, kubeconfigThrough, must, namespaceObject, portOf, prometheusRuleCrd, type Seen } from './parts.ts'
import { runOperator, type RunningOperator } from './running-operator.ts'

const SYSTEM = 'sluice-system'
const ACCOUNT = `system:serviceaccount:${SYSTEM}:sluice`
const USERS = [
  { username: 'sluice', password: 'sluice-secret' },
  { username: 'rotated', password: 'rotated-secret' },
]

let audit: AuditLog
let cluster: TestKubernetes
let kafka: Kafka
let proxy: TcpProxy
let admin: Admin
let running: RunningOperator

const cleanups: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  audit = auditLog()
  cleanups.push(async () => {
    audit.remove()
  })
  cluster = await startKubernetes({ apiServerFlags: audit.flags })
  cleanups.push(() => cluster.stop())
  kafka = await startKafka({ listeners: ['sasl'], users: USERS })
  cleanups.push(() => kafka.stop())
  proxy = await startTcpProxy(portOf(cluster))
  cleanups.push(() => proxy.close())
  admin = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  cleanups.push(() => admin.disconnect())
  await apply(cluster, namespaceObject(SYSTEM), namespaceObject('shop'))
  await cluster.applyCrds()
  await apply(cluster, ...(await renderChart({ crds: { enabled: false } })).filter(({ kind }) => /Role|ServiceAccount/.test(kind)))
  await apply(cluster, connection('shop'))
  // As the service account of the chart, through a proxy whose connections a test can cut.
  const kubeconfig = kubeconfigThrough(cluster, proxy.port, await cluster.serviceAccount(SYSTEM, 'sluice'))
  running = await runOperator({ kubeconfig, leaseNamespace: SYSTEM })
  cleanups.push(() => running.stop())
}, 120_000)
afterAll(async () => {
  for (const clean of cleanups.reverse()) await clean()
}, 60_000)
afterEach(() => {
  expect(denials(audit.of(ACCOUNT))).toEqual([])
})

const resource = (kind: string, namespace: string, name: string, spec: object): object => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind,
  metadata: { namespace, name },
  spec,
})
const connection = (namespace: string, spec: object = {}): object =>
  resource('KafkaConnection', namespace, 'main', { bootstrapServers: [kafka.bootstrap], defaults: { replicationFactor: 1 }, ...spec })
const connectionRef = { name: 'main' }
const policy = (name: string, spec: object): object => resource('KafkaTopicPolicy', 'shop', name, { connectionRef, ...spec })
const queue = (name: string, spec: object = {}): object =>
  resource('DelayQueue', 'shop', name, { connectionRef, partitions: 2, maxDelay: '1h', target: { topic: 'targets' }, ...spec })

const seen = (kind: string, name: string, namespace = 'shop') => get(cluster, namespace, kind, name)
const conditionOf = (object: Seen | undefined, type: string) =>
  (
    at(object, 'status.conditions') as
      readonly { type: string; status: string; reason: string; message: string; observedGeneration: number }[] | undefined
  )?.find(each => each.type === type)
/** Waits until the condition of the current generation has this reason. */
const reason = (kind: string, name: string, want: string, type = 'Ready', namespace = 'shop') =>
  eventually(`${type} of ${kind} ${name} to be ${want}`, async () => {
    const object = await seen(kind, name, namespace)
    const condition = conditionOf(object, type)
    if (condition?.reason === want && condition.observedGeneration === object?.metadata.generation) return condition
    throw new Error(JSON.stringify(at(object, 'status') ?? null))
  })
const configOf = async (topic: string, key: string): Promise<string | undefined> => {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: [key] }],
  })
  return resources[0]?.configEntries.find(entry => entry.configName === key)?.configValue
}
/** There is no kubelet here: the test says what it would. */
const reportReady = async (name: string): Promise<void> => {
  const { metadata, spec } = (await seen('deployment', name))!
  const replicas = at(spec, 'replicas')
  const status = { observedGeneration: metadata.generation, replicas, updatedReplicas: replicas, readyReplicas: replicas }
  await must(cluster, ['patch', '-n', 'shop', 'deployment', name, '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })])
}

describe('the operator on a real cluster', () => {
  test('should bring a connection and a policy to Ready and the topics in line', async () => {
    await admin.createTopics({
      topics: [{ topic: 'adopted', numPartitions: 1, configEntries: [{ name: 'max.message.bytes', value: '123456' }] }],
    })
    await reason('kafkaconnection', 'main', 'Connected')
    await apply(
      cluster,
      policy('one', {
        selector: { names: ['adopted'] },
        topics: [{ name: 'targets', partitions: 2 }],
        retention: { time: '2h' },
        deletionPolicy: 'Retain',
      }),
    )
    await reason('kafkatopicpolicy', 'one', 'Ready')
    expect(await configOf('adopted', 'retention.ms')).toBe('7200000')
    expect(await configOf('adopted', 'max.message.bytes')).toBe('123456')
    expect(await configOf('targets', 'retention.ms')).toBe('7200000')
    expect(at(await seen('kafkatopicpolicy', 'one'), 'status.observedGeneration')).toBe(1)

    await must(cluster, ['patch', '-n', 'shop', 'ktp', 'one', '--type=merge', '-p', '{"spec":{"retention":{"time":"3h"}}}'])
    await eventually('the new retention', async () => (await configOf('adopted', 'retention.ms')) === '10800000')
    await reason('kafkatopicpolicy', 'one', 'Ready')
    expect(at(await seen('kafkatopicpolicy', 'one'), 'status.observedGeneration')).toBe(2)
  }, 60_000)

  test('should revert a change made by hand in Kafka', async () => {
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: 'targets', configEntries: [{ name: 'retention.ms', value: '1000' }] }],
    })
    await eventually('the retention of the policy', async () => (await configOf('targets', 'retention.ms')) === '10800000')
  }, 60_000)

  test('should run the workers of a delay queue and be Ready when they are', async () => {
    await apply(cluster, queue('pay'))
    await reason('delayqueue', 'pay', 'WorkersNotReady')
    expect(await admin.listTopics()).toEqual(expect.arrayContaining(['shop.pay.in', 'shop.pay.journal', 'shop.pay.dlq']))
    const deployment = await seen('deployment', 'dq-pay')
    for (const object of [deployment, await seen('configmap', 'dq-pay'), await seen('pdb', 'dq-pay')]) {
      expect(object?.metadata.ownerReferences).toMatchObject([{ kind: 'DelayQueue', name: 'pay', controller: true }])
    }
    expect(at(deployment, 'spec.template.spec.containers.0.securityContext')).toMatchObject({ readOnlyRootFilesystem: true })
    await reportReady('dq-pay')
    await reason('delayqueue', 'pay', 'Ready')
    await reason('delayqueue', 'pay', 'WorkersReady', 'WorkersReady')
    expect(at(await seen('delayqueue', 'pay'), 'status.workers')).toEqual({ desired: 1, ready: 1, generation: 1 })
    const events = await must(cluster, ['get', 'events.events.k8s.io', '-n', 'shop', '-o', 'jsonpath={.items[*].reason}'])
    expect(events).toContain('WorkersChanged')
    expect(events).toContain('TopicCreated')
  }, 60_000)

  test('should skip alerts without PrometheusRule and write them when it comes', async () => {
    await reason('delayqueue', 'pay', 'AlertsSkipped', 'AlertsApplied')
    await apply(cluster, prometheusRuleCrd())
    await reason('delayqueue', 'pay', 'AlertsApplied', 'AlertsApplied')
    expect((await seen('prometheusrule', 'dq-pay'))?.metadata.ownerReferences).toMatchObject([{ kind: 'DelayQueue', name: 'pay' }])
  }, 60_000)

  test('should bring back what was deleted or changed by hand', async () => {
    const before = await seen('deployment', 'dq-pay')
    await must(cluster, ['delete', '-n', 'shop', 'deployment,configmap', 'dq-pay', '--wait=false'])
    await eventually('a new deployment', async () => {
      const uid = (await seen('deployment', 'dq-pay'))?.metadata.uid
      return uid !== undefined && uid !== before?.metadata.uid
    })
    await eventually('a new ConfigMap', () => seen('configmap', 'dq-pay'))
    await must(cluster, ['scale', '-n', 'shop', 'deployment/dq-pay', '--replicas=7'])
    await eventually('one replica', async () => at(await seen('deployment', 'dq-pay'), 'spec.replicas') === 1)
    await reportReady('dq-pay')
    await reason('delayqueue', 'pay', 'Ready')
  }, 60_000)

  test('should say of kinds that it cannot run that it cannot', async () => {
    const saga = {
      connectionRef,
      steps: [{ name: 'pay', service: 'payment', action: 'Pay', compensation: 'Refund' }],
    }
    await apply(cluster, resource('SagaDefinition', 'shop', 'saga', saga))
    expect(await reason('sagadefinition', 'saga', 'NotImplemented', 'Stalled')).toMatchObject({ status: 'True' })
  }, 60_000)

  test('should deploy the workers of a pipeline', async () => {
    const pipeline = { connectionRef, source: { topic: 'orders', group: 'billing' }, delivery: { topic: {} }, retry: { maxAttempts: 2 } }
    await apply(cluster, resource('DeadLetterPipeline', 'shop', 'pipeline', pipeline))
    await reason('deadletterpipeline', 'pipeline', 'WorkersNotReady')
    await reportReady('dlp-pipeline')
    await reason('deadletterpipeline', 'pipeline', 'Ready')
  }, 60_000)

  test('should tell of a resource that an older schema let through', async () => {
    const crd = 'crd/kafkatopicpolicies.sluice.dev'
    const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
    const loosen = [{ op: 'replace', path: '/spec/versions/0/schema/openAPIV3Schema/properties/spec', value: open }]
    await must(cluster, ['patch', crd, '--type=json', '-p', JSON.stringify(loosen)])
    const old = { connectionRef, selector: { names: ['adopted'] }, retention: { time: 'soon' } }
    await eventually('the loose schema to be served', async () => {
      await apply(cluster, policy('old', old))
      return at(await seen('kafkatopicpolicy', 'old'), 'spec.retention.time') === 'soon'
    })
    await must(cluster, [
      'apply',
      '--server-side',
      '--force-conflicts',
      '-f',
      join(import.meta.dirname, '../../../crds/sluice.dev_kafkatopicpolicies.yaml'),
    ])
    const stalled = await reason('kafkatopicpolicy', 'old', 'InvalidSpec', 'Stalled')
    expect(stalled.message).toContain('spec.retention.time')
    await must(cluster, ['delete', '-n', 'shop', 'ktp', 'old'])
  }, 60_000)

  test('should delete the topics of a resource that asks for it, and only then hold it with a finalizer', async () => {
    await apply(
      cluster,
      policy('short-lived', { topics: [{ name: 'doomed', partitions: 1 }], retention: { time: '1h' }, deletionPolicy: 'Delete' }),
    )
    await reason('kafkatopicpolicy', 'short-lived', 'Ready')
    expect((await seen('kafkatopicpolicy', 'short-lived'))?.metadata.finalizers).toHaveLength(1)
    expect((await seen('kafkatopicpolicy', 'one'))?.metadata.finalizers).toBeUndefined()
    await must(cluster, ['delete', '-n', 'shop', 'ktp', 'short-lived'])
    expect(await seen('kafkatopicpolicy', 'short-lived')).toBeUndefined()
    await eventually('the topic to be gone', async () => !(await admin.listTopics()).includes('doomed'))
  }, 60_000)

  test('should roll the workers when a Secret of their connection is rotated', async () => {
    await apply(cluster, namespaceObject('bank'))
    const secret = (user: (typeof USERS)[number]) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace: 'bank', name: 'kafka' },
      stringData: { ...user },
    })
    const ref = (key: string) => ({ name: 'kafka', key })
    const sasl = { mechanism: 'SCRAM-SHA-512', usernameSecretRef: ref('username'), passwordSecretRef: ref('password') }
    await admin.createTopics({ topics: [{ topic: 'bank.out' }] })
    await apply(
      cluster,
      secret(USERS[0]!),
      connection('bank', { bootstrapServers: [kafka.listeners.sasl], sasl }),
      resource('DelayQueue', 'bank', 'wire', { connectionRef, partitions: 1, maxDelay: '1h', target: { topic: 'bank.out' } }),
    )
    const templateOf = async () =>
      JSON.stringify(at(await seen('deployment', 'dq-wire', 'bank'), 'spec.template.metadata.annotations') ?? null)
    await reason('delayqueue', 'wire', 'WorkersNotReady', 'Ready', 'bank')
    const before = await templateOf()
    expect(at(await seen('deployment', 'dq-wire', 'bank'), 'spec.template.spec.volumes')).toContainEqual({
      name: 'secret-0',
      secret: { secretName: 'kafka', defaultMode: 0o440 },
    })
    expect(JSON.stringify(await seen('configmap', 'dq-wire', 'bank'))).not.toContain('sluice-secret')
    await apply(cluster, secret(USERS[1]!))
    await eventually('other annotations', async () => (await templateOf()) !== before)
    await reason('kafkaconnection', 'main', 'Connected', 'Ready', 'bank')
    expect(running.lines.filter(line => USERS.some(({ password }) => line.includes(password)))).toEqual([])
  }, 60_000)

  test('should go on when its connections to the API server are cut', async () => {
    for (const hours of [4, 5, 6]) {
      proxy.cut()
      await must(cluster, ['patch', '-n', 'shop', 'ktp', 'one', '--type=merge', '-p', `{"spec":{"retention":{"time":"${hours}h"}}}`])
      await eventually('the retention', async () => (await configOf('targets', 'retention.ms')) === String(hours * 3_600_000))
      await reason('kafkatopicpolicy', 'one', 'Ready')
    }
  }, 90_000)

  test('should end right when somebody else writes to the resource all the time', async () => {
    let hours = 7
    const writer = async () => {
      for (let i = 0; i < 30; i++) await must(cluster, ['annotate', '-n', 'shop', 'ktp', 'one', `beat=${i}`, '--overwrite'])
    }
    const writing = writer()
    for (; hours < 10; hours++) {
      await must(cluster, ['patch', '-n', 'shop', 'ktp', 'one', '--type=merge', '-p', `{"spec":{"retention":{"time":"${hours}h"}}}`])
    }
    await writing
    await reason('kafkatopicpolicy', 'one', 'Ready')
    expect(await configOf('targets', 'retention.ms')).toBe(String(9 * 3_600_000))
  }, 60_000)

  test('should survive a restart of the API server', async () => {
    await cluster.restart()
    await must(cluster, ['patch', '-n', 'shop', 'ktp', 'one', '--type=merge', '-p', '{"spec":{"retention":{"time":"2h"}}}'])
    await eventually('the retention', async () => (await configOf('targets', 'retention.ms')) === '7200000', 60_000)
    await reason('kafkatopicpolicy', 'one', 'Ready')
    await eventually('health', () => running.operator.health().live && running.operator.health().leading)
  }, 120_000)

  test('should write nothing at all when everything is as it should be, whatever the kind', async () => {
    for (const [kind, name] of [
      ['kafkaconnection', 'main'],
      ['kafkatopicpolicy', 'one'],
      ['delayqueue', 'pay'],
      ['sagadefinition', 'saga'],
      ['deadletterpipeline', 'pipeline'],
    ] as const) {
      expect(conditionOf(await seen(kind, name), 'Ready')).toBeDefined()
    }
    await running.reconciledAgain(1)
    const writes = () => audit.of(ACCOUNT).filter(isWrite)
    const before = { kubernetes: writes().length, kafka: running.kafkaWrites.length }
    await running.reconciledAgain(3)
    expect(writes().slice(before.kubernetes)).toEqual([])
    expect(running.kafkaWrites.slice(before.kafka)).toEqual([])
  }, 60_000)
})
