import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { eventually } from '../../support/eventually.ts'
import { sharedKafka, type SharedKafka } from '../../support/kafka.ts'
import { startKubernetes, type TestKubernetes } from '../../support/kubernetes.ts'
import { apply, at, get, must, namespaceObject } from './parts.ts'

const BINARY = join(import.meta.dirname, '../../../bin/sluice')
const FAIL_OVER_MS = 20_000

/** `sluice operator` as a process of its own. */
interface Replica {
  readonly child: ChildProcess
  readonly log: readonly string[]
  get(path: string): Promise<{ readonly status: number; readonly body: string }>
  leads(): Promise<boolean>
}

let cluster: TestKubernetes
let kafka: SharedKafka
let prefix: string
const replicas: Replica[] = []

beforeAll(async () => {
  cluster = await startKubernetes()
  kafka = await sharedKafka()
  prefix = kafka.uniquePrefix()
  await cluster.applyCrds()
  await apply(cluster, namespaceObject('shop'), namespaceObject('sluice-system'))
  const spec = { bootstrapServers: [kafka.bootstrap], defaults: { replicationFactor: 1 } }
  await apply(cluster, { apiVersion: 'sluice.dev/v1alpha1', kind: 'KafkaConnection', metadata: { namespace: 'shop', name: 'main' }, spec })
}, 90_000)
afterAll(async () => {
  await Promise.all(replicas.map(({ child }) => end(child, 'SIGKILL')))
  await kafka.stop()
  await cluster.stop()
}, 60_000)

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}

async function startReplica(name: string): Promise<Replica> {
  const environment = Object.fromEntries(
    Object.entries(process.env).filter(([variable]) => !/^(SLUICE_|KUBERNETES_|NODE_OPTIONS)/.test(variable)),
  )
  const child = spawn(BINARY, ['operator', '--listen', '127.0.0.1:0', '--resync', '2s'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...environment,
      ...(process.env.SLUICE_CACHE !== undefined && { SLUICE_CACHE: process.env.SLUICE_CACHE }),
      SLUICE_KUBECONFIG: cluster.kubeconfigPath,
      SLUICE_WORKER_IMAGE: 'sluice:test',
      POD_NAME: name,
      POD_NAMESPACE: 'sluice-system',
    },
  })
  const log: string[] = []
  createInterface(child.stdout).on('line', line => log.push(line))
  const port = await eventually('the port', () => {
    const started = log
      .map(line => JSON.parse(line) as { readonly msg: string; readonly port?: number })
      .find(({ msg }) => msg === 'operator started')
    return started?.port
  })
  const ask = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return { status: response.status, body: await response.text() }
  }
  const replica = { child, log, get: ask, leads: async () => /^sluice_leader 1$/m.test((await ask('/metrics')).body) }
  replicas.push(replica)
  return replica
}

/** A policy that creates a topic; resolves when the operator says that it is done. */
async function policyIsReady(name: string): Promise<void> {
  const spec = { connectionRef: { name: 'main' }, topics: [{ name: `${prefix}.${name}`, partitions: 1 }], retention: { time: '1h' } }
  await apply(cluster, { apiVersion: 'sluice.dev/v1alpha1', kind: 'KafkaTopicPolicy', metadata: { namespace: 'shop', name }, spec })
  await eventually(`policy ${name} to be Ready`, async () => {
    const conditions = at(await get(cluster, 'shop', 'kafkatopicpolicy', name), 'status.conditions')
    return (conditions as readonly { type: string; status: string }[] | undefined)?.some(
      ({ type, status }) => type === 'Ready' && status === 'True',
    )
  })
}
const holder = () => must(cluster, ['get', 'lease', '-n', 'sluice-system', 'sluice-operator', '-o', 'jsonpath={.spec.holderIdentity}'])

describe('two replicas of the operator', () => {
  let first: Replica
  let second: Replica

  test('should have one leader and a follower that is ready and warm', async () => {
    first = await startReplica('one')
    await eventually('the first to lead', () => first.leads())
    second = await startReplica('two')
    await eventually('the follower to be ready', async () => (await second.get('/readyz')).status === 200)
    expect((await second.get('/livez')).status).toBe(200)
    expect(await second.leads()).toBe(false)
    await policyIsReady('before')
  }, 60_000)

  test('should replace a leader that was killed in less than 20 s', async () => {
    const killedMs = performance.now()
    await end(first.child, 'SIGKILL')
    await eventually('the second to lead', () => second.leads(), FAIL_OVER_MS)
    console.log(`fail-over after SIGKILL: ${Math.round(performance.now() - killedMs)} ms`)
    await policyIsReady('after-a-kill')
    expect(await holder()).toMatch(/^two_/)
  }, 60_000)

  test('should hand over at once when the leader is stopped in order', async () => {
    const third = await startReplica('three')
    await eventually('the follower to be ready', async () => (await third.get('/readyz')).status === 200)
    await end(second.child, 'SIGTERM')
    expect(second.child.exitCode).toBe(0)
    // Less than the lease's duration: it was released, not waited for.
    await eventually('the third to lead', () => third.leads(), 8_000)
    await policyIsReady('after-a-stop')
  }, 60_000)
})
