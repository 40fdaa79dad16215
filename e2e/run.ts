import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dump } from 'js-yaml'
import { startCluster } from './cluster.ts'
import type { Cluster } from './cluster.ts'
import { packImage } from './image.ts'
import { client, startBroker } from './kafka.ts'
import type { Client, Delivery } from './kafka.ts'
import { eventually, say, sh } from './shell.ts'

// The whole way once, with real pods: chart -> operator -> resources -> worker pods -> messages, and a worker that dies on the way.

const ROOT = join(import.meta.dirname, '..')
/** Of our own: a cluster that is handed to us may have a release of its owner's. */
const SYSTEM = 'sluice-e2e-system'
const SHOP = 'sluice-e2e'
const QUEUE = 'pay-timeout'
const TARGET = `${SHOP}.due`
const INPUT = `${SHOP}.${QUEUE}.in`
const WORKERS = 'sluice.dev/name=pay-timeout'
const WAITING = Array.from({ length: 12 }, (_, i) => `waiting-${i}`)

const resource = (kind: string, name: string, spec: object): object => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind,
  metadata: { name, namespace: SHOP },
  spec,
})
const resources = (bootstrap: string): readonly object[] => [
  {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: SHOP, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  },
  resource('KafkaConnection', 'main', { bootstrapServers: [bootstrap], defaults: { replicationFactor: 1, minInsyncReplicas: 1 } }),
  resource('KafkaTopicPolicy', 'orders', {
    connectionRef: { name: 'main' },
    topics: [{ name: TARGET, partitions: 1 }],
    retention: { time: '7d' },
  }),
  resource('DelayQueue', QUEUE, {
    connectionRef: { name: 'main' },
    partitions: 3,
    maxDelay: '1h',
    target: { topic: TARGET },
    workers: { replicas: 2, resources: { requests: { cpu: '50m', memory: '128Mi' } } },
  }),
]

async function main(folder: string, later: AsyncDisposableStack): Promise<void> {
  const [helm, kubernetes] = await Promise.all(['helm', 'kubernetes'].map(tool => sh(join(ROOT, 'scripts/tool'), [tool])))
  say('start a cluster')
  const cluster = await startCluster(folder)
  later.defer(() => cluster.down())
  const kubectl = (...args: readonly string[]): Promise<string> =>
    sh(join(kubernetes?.trim() ?? '', 'kubectl'), ['--kubeconfig', cluster.kubeconfig, ...args])

  say('start Kafka, pack the image')
  const broker = await startBroker(cluster.hostAddress)
  later.defer(() => broker.stop())
  await loadImage(cluster, folder)

  say('install the chart')
  if (cluster.stays) later.defer(() => uninstall(helm?.trim() ?? 'helm', cluster, kubectl))
  await install(helm?.trim() ?? 'helm', cluster)
  try {
    await prove(broker.bootstrap, kubectl, folder, later)
  } catch (error) {
    await explain(kubectl)
    throw error
  }
}

async function loadImage({ loadImage: load, image }: Cluster, folder: string): Promise<void> {
  if (load !== undefined) await load(await packImage(folder, `${image.repository}:${image.tag}`))
}

async function install(helm: string, { kubeconfig, image }: Cluster): Promise<void> {
  const values = Object.entries(image).map(([name, value]) => `image.${name}=${value}`)
  const flags = ['--namespace', SYSTEM, '--create-namespace', '--kubeconfig', kubeconfig, '--wait', '--timeout', '120s']
  await sh(helm, ['install', 'sluice', join(ROOT, 'charts/sluice'), ...flags, '--set', values.join(',')])
}

/** The CRDs stay, as with every release: deleting them would delete resources of others. */
async function uninstall(helm: string, { kubeconfig }: Cluster, kubectl: Kubectl): Promise<void> {
  say('uninstall the chart and delete both namespaces')
  await kubectl('delete', 'namespace', SHOP, '--ignore-not-found', '--timeout=60s')
  await sh(helm, ['uninstall', 'sluice', '--namespace', SYSTEM, '--kubeconfig', kubeconfig, '--wait', '--ignore-not-found'])
  await kubectl('delete', 'namespace', SYSTEM, '--ignore-not-found', '--timeout=60s')
}

type Kubectl = (...args: readonly string[]) => Promise<string>

async function prove(bootstrap: string, kubectl: Kubectl, folder: string, later: AsyncDisposableStack): Promise<void> {
  say('the operator is Running; apply a connection, a policy and a delay queue')
  const manifest = join(folder, 'resources.yaml')
  await writeFile(
    manifest,
    resources(bootstrap)
      .map(object => dump(object))
      .join('---\n'),
  )
  await kubectl('apply', '-f', manifest)
  for (const object of ['kafkaconnection/main', 'kafkatopicpolicy/orders', `delayqueue/${QUEUE}`])
    await kubectl('wait', '-n', SHOP, '--for=condition=Ready', object, '--timeout=120s')
  await kubectl('wait', '-n', SHOP, '--for=condition=Ready', 'pod', '-l', WORKERS, '--timeout=60s')
  say('all are Ready, and so are the worker pods')

  const kafka = await client(bootstrap)
  later.defer(() => kafka.close())
  const deliveries = await kafka.collect(TARGET)
  await delayed(kafka, deliveries, 'first', 3_000)
  await throughDeath(kafka, deliveries, kubectl)
  await delayed(kafka, deliveries, 'last', 1_000)
  const values = deliveries.map(({ value }) => value).toSorted()
  assert.deepEqual(values, ['first', 'last', ...WAITING].toSorted(), 'each message exactly once')
  say(`${values.length} messages, each exactly once`)
  await leave(kafka, kubectl)
}

/** Sends one message and awaits it: not early, and in reasonable time. */
async function delayed(kafka: Client, deliveries: readonly Delivery[], value: string, delayMs: number): Promise<void> {
  const before = Date.now()
  await kafka.send(INPUT, value, { 'sluice-delay': `${delayMs}ms` })
  const waitedMs = (await arrival(deliveries, value)).at - before
  assert.ok(waitedMs >= delayMs, `${value} came after ${waitedMs} ms, before its ${delayMs} ms were over`)
  say(`message "${value}": asked for ${delayMs} ms, came after ${waitedMs} ms`)
}

const arrival = (deliveries: readonly Delivery[], value: string): Promise<Delivery> =>
  eventually(`message "${value}" arrives on ${TARGET}`, 60_000, async () => deliveries.find(delivery => delivery.value === value))

/** Messages of many keys, so of all partitions, wait while a worker pod is removed by force: it has two seconds at most. */
async function throughDeath(kafka: Client, deliveries: readonly Delivery[], kubectl: Kubectl): Promise<void> {
  const pods = (await kubectl('get', 'pods', '-n', SHOP, '-l', WORKERS, '-o', 'name')).trim().split('\n')
  assert.equal(pods.length, 2, 'two worker pods')
  const delayMs = 6_000
  const before = Date.now()
  for (const value of WAITING) await kafka.send(INPUT, value, { 'sluice-delay': `${delayMs}ms` })
  await kubectl('delete', '-n', SHOP, pods[0] ?? '', '--grace-period=0', '--force')
  say(`removed ${pods[0] ?? ''} by force while ${WAITING.length} messages wait`)
  const waits: number[] = []
  for (const value of WAITING) waits.push((await arrival(deliveries, value)).at - before)
  const earliestMs = Math.min(...waits)
  assert.ok(earliestMs >= delayMs, `a message came after ${earliestMs} ms, before its ${delayMs} ms were over`)
  say(`all of them came: asked for ${delayMs} ms, came after ${earliestMs} to ${Math.max(...waits)} ms`)
  await kubectl('wait', '-n', SHOP, '--for=condition=Ready', `delayqueue/${QUEUE}`, '--timeout=60s')
}

/** Deleting the queue ends its workers and keeps its topics. */
async function leave(kafka: Client, kubectl: Kubectl): Promise<void> {
  await kubectl('delete', '-n', SHOP, `delayqueue/${QUEUE}`, '--timeout=30s')
  await eventually('the worker pods go with their queue', 90_000, async () => {
    const left = await kubectl('get', 'deployments,pods', '-n', SHOP, '-o', 'name')
    return left.trim() === '' ? true : undefined
  })
  const topics = await kafka.admin.listTopics()
  assert.ok(topics.includes(INPUT), `${INPUT} is kept`)
  say('the queue is deleted: its workers are gone, its topics are kept')
  await kafka.deleteTopics(topics.filter(topic => topic.startsWith(`${SHOP}.`)))
}

/** What a person would look at first. */
async function explain(kubectl: Kubectl): Promise<void> {
  const looks = [
    ['get', 'pods,deployments', '-A', '-o', 'wide'],
    ['get', 'sluice', '-A', '-o', 'yaml'],
    ['get', 'events', '-A', '--sort-by=.lastTimestamp'],
    ['logs', '-n', SYSTEM, 'deployment/sluice', '--tail=60'],
    ['logs', '-n', SHOP, '-l', WORKERS, '--tail=60', '--prefix'],
  ]
  for (const look of looks) {
    const text = await kubectl(...look).catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
    console.error(`\n$ kubectl ${look.join(' ')}\n${text}`)
  }
}

async function run(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-e2e-'))
  const later = new AsyncDisposableStack()
  later.defer(() => rm(folder, { recursive: true, force: true }))
  // An interrupted run cleans up as well; a second signal is left to its default.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      say(`${signal}: clean up`)
      void later.disposeAsync().finally(() => process.exit(130))
    })
  try {
    await main(folder, later)
  } finally {
    say('clean up')
    await later.disposeAsync()
  }
  say('e2e: passed')
}

await run().catch((error: unknown) => {
  console.error(`e2e: failed: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
})
