import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel, type Admin } from 'kafkajs'
import { renderChart } from '../../support/chart.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka, type Kafka } from '../../support/kafka.ts'
import { startKubernetes, type TestKubernetes } from '../../support/kubernetes.ts'
import { auditLog, denials, type AuditLog } from './audit.ts'
import { apply, at, get, must, namespaceObject } from './parts.ts'
import { runOperator, type RunningOperator } from './running-operator.ts'

const SYSTEM = 'sluice-system'
const NOBODY = '127.0.0.1:1'
const SECOND_MS = 1_000

let audit: AuditLog
let cluster: TestKubernetes
let kafka: Kafka
let admin: Admin
let client: KafkaJs
let running: RunningOperator
const cleanups: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  audit = auditLog()
  cleanups.push(async () => {
    audit.remove()
  })
  cluster = await startKubernetes({ apiServerFlags: audit.flags })
  cleanups.push(() => cluster.stop())
  kafka = await startKafka()
  cleanups.push(() => kafka.stop())
  client = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING })
  admin = client.admin()
  await admin.connect()
  cleanups.push(() => admin.disconnect())
  await admin.createTopics({ topics: [{ topic: 'targets' }] })
  await apply(cluster, namespaceObject(SYSTEM))
  await cluster.applyCrds()
  await apply(cluster, ...(await renderChart({ crds: { enabled: false } })).filter(({ kind }) => /Role|ServiceAccount/.test(kind)))
  const kubeconfig = await cluster.serviceAccount(SYSTEM, 'sluice')
  running = await runOperator({ kubeconfig, leaseNamespace: SYSTEM, periods: { drainPatienceMs: 4 * SECOND_MS } })
  cleanups.push(() => running.stop())
}, 120_000)
afterAll(async () => {
  for (const clean of cleanups.reverse()) await clean()
}, 60_000)

const resource = (kind: string, namespace: string, name: string, spec: object): object => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind,
  metadata: { namespace, name },
  spec,
})
const connection = (namespace: string): object =>
  resource('KafkaConnection', namespace, 'main', { bootstrapServers: [kafka.bootstrap], defaults: { replicationFactor: 1 } })

/** A queue with a message that waits, in a namespace of its own; there is no kubelet, so nobody delivers it. */
async function queueWithMessage(namespace: string, spec: object = {}): Promise<void> {
  const queue = { connectionRef: { name: 'main' }, partitions: 1, maxDelay: '1h', target: { topic: 'targets' }, ...spec }
  await apply(cluster, namespaceObject(namespace))
  await apply(cluster, connection(namespace), resource('DelayQueue', namespace, 'pay', queue))
  await reason(namespace, 'WorkersNotReady')
  // A client of its own: one that has written to a topic that was deleted since asks for it for ever.
  const producer = client.producer()
  await producer.connect()
  await producer.send({ topic: `${namespace}.pay.in`, messages: [{ value: 'x', headers: { 'sluice-delay': '1h' } }] })
  await producer.disconnect()
}

const readyOf = async (namespace: string, kind = 'delayqueue', name = 'pay') => {
  const conditions = at(await get(cluster, namespace, kind, name), 'status.conditions') as
    readonly { type: string; reason: string; message: string }[] | undefined
  return conditions?.find(({ type }) => type === 'Ready')
}
const reason = (namespace: string, want: string, kind = 'delayqueue', name = 'pay') =>
  eventually(`${kind} in ${namespace} to be ${want}`, async () => {
    const ready = await readyOf(namespace, kind, name)
    if (ready?.reason === want) return ready
    throw new Error(JSON.stringify(ready ?? null))
  })
/** What the workers would commit once they have delivered everything. */
const delivered = (namespace: string) =>
  admin.setOffsets({ groupId: `sluice.${namespace}.pay.dq`, topic: `${namespace}.pay.in`, partitions: [{ partition: 0, offset: '1' }] })
const remove = (namespace: string, what = 'dq/pay') => must(cluster, ['delete', '-n', namespace, what, '--timeout=30s'])
const topicsOf = async (namespace: string) => (await admin.listTopics()).filter(topic => topic.startsWith(`${namespace}.`))

describe('deleting a queue in which something waits', () => {
  test('should return when nothing waits any more, and keep the topics', async () => {
    await queueWithMessage('drains')
    const deletion = remove('drains')
    const { message } = await reason('drains', 'Draining')
    expect(message).toContain('up to 1 message')
    expect(await get(cluster, 'drains', 'deployment', 'dq-pay')).toBeDefined()
    await delivered('drains')
    await deletion
    expect(await topicsOf('drains')).toContain('drains.pay.in')
    await eventually('the workers to go', async () => (await get(cluster, 'drains', 'deployment', 'dq-pay')) === undefined)
  }, 60_000)

  test('should take its connection along only after that, when both are deleted in one command', async () => {
    await queueWithMessage('together')
    await eventually('a hold on the connection', async () => {
      const held = await get(cluster, 'together', 'kafkaconnection', 'main')
      return held?.metadata.finalizers?.includes('sluice.dev/in-use')
    })
    const deletion = must(cluster, ['delete', '-n', 'together', 'kafkaconnection/main', 'dq/pay', '--timeout=30s'])
    await reason('together', 'Draining')
    expect((await reason('together', 'Deleting', 'kafkaconnection', 'main')).message).toContain('DelayQueue "pay"')
    await delivered('together')
    await deletion
    expect(await get(cluster, 'together', 'kafkaconnection', 'main')).toBeUndefined()
  }, 60_000)

  test('should return at once when it is forced, with the topics where the spec says so', async () => {
    await queueWithMessage('forced', { deletionPolicy: 'Delete' })
    await must(cluster, ['delete', '-n', 'forced', 'dq/pay', '--wait=false'])
    await reason('forced', 'Draining')
    await must(cluster, ['annotate', '-n', 'forced', 'dq/pay', 'sluice.dev/force-delete=true'])
    await eventually('the queue to go', async () => (await get(cluster, 'forced', 'delayqueue', 'pay')) === undefined)
    await eventually('the topics to go', async () => (await topicsOf('forced')).length === 0)
  }, 60_000)

  test('should let go when the brokers stay away, with an Event that names what is left', async () => {
    await queueWithMessage('away', { deletionPolicy: 'Delete' })
    await must(cluster, ['delete', '-n', 'away', 'dq/pay', '--wait=false'])
    await reason('away', 'Draining')
    const gone = JSON.stringify({ spec: { bootstrapServers: [NOBODY] } })
    await must(cluster, ['patch', '-n', 'away', 'kafkaconnection/main', '--type=merge', '-p', gone])
    await eventually('the queue to go', async () => (await get(cluster, 'away', 'delayqueue', 'pay')) === undefined)
    const event = await eventually('the Event', async () => {
      const notes = await must(cluster, [
        'get',
        'events.events.k8s.io',
        '-n',
        'away',
        '-o',
        'jsonpath={range .items[?(@.reason=="LeftBehind")]}{.note}{"\\n"}{end}',
      ])
      return notes === '' ? undefined : notes
    })
    expect(event).toContain('"away.pay.in"')
    expect(await topicsOf('away')).toContain('away.pay.in')
  }, 60_000)

  test('should not hold up a namespace that goes', async () => {
    await queueWithMessage('leaving')
    await must(cluster, ['delete', 'namespace', 'leaving', '--wait=false'])
    await remove('leaving')
    await remove('leaving', 'kafkaconnection/main')
    expect(await topicsOf('leaving')).toContain('leaving.pay.in')
  }, 60_000)

  test('should need no permission that the chart does not give', () => {
    // In a namespace that goes nothing may be created, whatever the permissions.
    expect(denials(audit.of(`system:serviceaccount:${SYSTEM}:sluice`)).filter(denied => !denied.startsWith('create leaving '))).toEqual([])
  })
})
