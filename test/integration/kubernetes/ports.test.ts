import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { refOf, type Resource } from '../../../src/api/resource.ts'
import { connectKubernetes, type KubernetesPorts } from '../../../src/kubernetes/index.ts'
import type { AlertGroup } from '../../../src/operator/plan.ts'
import type { WorkerDeployment } from '../../../src/operator/ports.ts'
import { eventually } from '../../support/eventually.ts'
import { startKubernetes, type TestKubernetes } from '../../support/kubernetes.ts'
import { apply, at, get, must, namespaceObject, prometheusRuleCrd, surroundings, type Seen, type Surroundings } from './parts.ts'

let cluster: TestKubernetes
let around: Surroundings
let ports: KubernetesPorts
let namespace: string
let count = 0
const stop = new AbortController()
const PLURALS = new Map([['DelayQueue', 'delayqueues']])

beforeAll(async () => {
  cluster = await startKubernetes()
  await cluster.applyCrds()
  around = surroundings()
  ports = await connect()
  await ports.store.start(['DelayQueue'], stop.signal)
}, 90_000)
afterAll(async () => {
  stop.abort()
  ports.close()
  await cluster.stop()
})
beforeEach(async () => {
  namespace = `ports-${++count}`
  // Pods that the restricted standard forbids are refused here.
  await apply(cluster, namespaceObject(namespace, { 'pod-security.kubernetes.io/enforce': 'restricted' }))
})

function connect(identity = 'a', metrics = around.metrics): Promise<KubernetesPorts> {
  return connectKubernetes({
    kubeconfig: cluster.kubeconfigPath,
    namespaces: [],
    plurals: PLURALS,
    workers: { image: 'sluice:test', pullPolicy: 'IfNotPresent', pullSecrets: ['registry'] },
    ruleLabels: { release: 'prometheus' },
    lease: { name: 'election', namespace },
    identity,
    userAgent: 'test',
    clock: around.clock,
    logger: around.logger,
    metrics,
  })
}

const WRITES = 'sluice_kubernetes_writes_total'
const writes = async () => {
  const { body } = await around.metrics.expose()
  return body
    .split('\n')
    .filter(line => line.startsWith(WRITES))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

async function queue(name = 'pay'): Promise<Resource> {
  const spec = { connectionRef: { name: 'main' }, maxDelay: '1h', target: { topic: 'out' } }
  await apply(cluster, { apiVersion: 'sluice.dev/v1alpha1', kind: 'DelayQueue', metadata: { namespace, name }, spec })
  return eventually('the queue in the cache', () => ports.store.get({ kind: 'DelayQueue', namespace, name }))
}
const refOfQueue = (name = 'pay') => ({ kind: 'DelayQueue', namespace, name })

const deployment = (owner: Resource, changes: Partial<WorkerDeployment> = {}): WorkerDeployment => ({
  of: refOf(owner),
  owners: [owner],
  name: 'dq-pay',
  replicas: 2,
  contract: {
    version: 1,
    generation: 1,
    namespace,
    group: 'g',
    connection: { bootstrapServers: ['kafka:9092'] },
    resources: [],
    memoryBudgetBytes: 1,
  },
  secrets: [{ folder: 'password', secretName: 'kafka' }],
  secretsHash: 'one',
  ...changes,
})

describe('workers', () => {
  test('should become a ConfigMap, a PodDisruptionBudget and a Deployment that belong to the resource, written once', async () => {
    const owner = await queue()
    expect(await ports.workers.apply(deployment(owner))).toEqual(['ConfigMap dq-pay', 'PodDisruptionBudget dq-pay', 'Deployment dq-pay'])
    for (const resource of ['configmap', 'pdb', 'deployment']) {
      const object = await get(cluster, namespace, resource, 'dq-pay')
      expect(object?.metadata.ownerReferences).toMatchObject([{ kind: 'DelayQueue', name: 'pay', controller: true }])
      expect(object?.metadata.labels).toMatchObject({ 'sluice.dev/kind': 'DelayQueue', 'sluice.dev/name': 'pay' })
    }
    const before = await writes()
    expect(await ports.workers.apply(deployment(owner))).toEqual([])
    expect(await writes()).toBe(before)
    expect(await ports.workers.currentContract(refOfQueue())).toEqual(deployment(owner).contract)
  })

  test('should be admitted where pods are restricted', async () => {
    await ports.workers.apply(deployment(await queue()))
    const spec = at(await get(cluster, namespace, 'deployment', 'dq-pay'), 'spec.template.spec')
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name: 'like-a-worker' }, spec }
    await must(cluster, ['create', '--dry-run=server', '-f', '-'], JSON.stringify(pod))
    expect(at(spec, 'automountServiceAccountToken')).toBe(false)
    expect(at(spec, 'containers.0.volumeMounts')).toContainEqual({
      name: 'secret-0',
      mountPath: '/etc/sluice/secrets/password',
      readOnly: true,
    })
  })

  test('should not be written again although the API server spells quantities in its own way', async () => {
    const owner = await queue()
    const odd = deployment(owner, { resources: { requests: { cpu: '0.5', memory: '1024Mi' } } })
    await ports.workers.apply(odd)
    expect(await ports.workers.apply(odd)).toEqual([])
    // Another process has not seen the answer to the write: one write that changes nothing, then none.
    const version = (await get(cluster, namespace, 'deployment', 'dq-pay'))!.metadata.resourceVersion
    const other = await connect('b', surroundings().metrics)
    const away = new AbortController()
    await other.store.start(['DelayQueue'], away.signal)
    await other.workers.apply(odd)
    expect(await other.workers.apply(odd)).toEqual([])
    away.abort()
    other.close()
    expect((await get(cluster, namespace, 'deployment', 'dq-pay'))!.metadata.resourceVersion).toBe(version)
  })

  test('should be brought back after a change or a deletion by hand', async () => {
    const owner = await queue()
    const changed = new Set<string>()
    ports.workers.onChange(ref => changed.add(`${ref.namespace}/${ref.name}`))
    await ports.workers.apply(deployment(owner))
    await must(cluster, ['scale', '-n', namespace, 'deployment/dq-pay', '--replicas=9'])
    await must(cluster, ['delete', '-n', namespace, 'configmap', 'dq-pay'])
    await eventually('both changes in the cache', async () => {
      const contract = await ports.workers.currentContract(refOfQueue())
      return contract === undefined && (await ports.workers.view(refOfQueue()))?.desired === 9
    })
    expect(changed).toContain(`${namespace}/pay`)
    expect(await ports.workers.apply(deployment(owner))).toEqual(['ConfigMap dq-pay', 'Deployment dq-pay'])
    expect(at(await get(cluster, namespace, 'deployment', 'dq-pay'), 'spec.replicas')).toBe(2)
    expect(around.lines.some(line => line.includes('another field manager'))).toBe(true)
  })

  test('should leave alone what others added and remove what is no longer wanted', async () => {
    const owner = await queue()
    await ports.workers.apply(deployment(owner, { podTemplate: { nodeSelector: { disk: 'ssd' } } }))
    await must(cluster, ['annotate', '-n', namespace, 'deployment', 'dq-pay', 'team=shop'])
    await eventually('the annotation', async () => (await get(cluster, namespace, 'deployment', 'dq-pay'))?.metadata.annotations?.team)
    await ports.workers.apply(deployment(owner))
    const seen = (await get(cluster, namespace, 'deployment', 'dq-pay'))!
    expect(at(seen, 'spec.template.spec.nodeSelector')).toBeUndefined()
    expect(seen.metadata.annotations?.team).toBe('shop')
  })

  test('should roll when the contract or a Secret changes', async () => {
    const owner = await queue()
    const template = async () => at(await get(cluster, namespace, 'deployment', 'dq-pay'), 'spec.template.metadata.annotations')
    await ports.workers.apply(deployment(owner))
    const first = await template()
    expect(await ports.workers.apply(deployment(owner, { secretsHash: 'two' }))).toEqual(['Deployment dq-pay'])
    const second = await template()
    const contract = { ...deployment(owner).contract, generation: 2, memoryBudgetBytes: 2 }
    expect(await ports.workers.apply(deployment(owner, { secretsHash: 'two', contract }))).toEqual([
      'ConfigMap dq-pay',
      'Deployment dq-pay',
    ])
    expect(new Set([first, second, await template()].map(each => JSON.stringify(each))).size).toBe(3)
  })

  test('should show as ready on their generation only when the roll-out is over', async () => {
    await ports.workers.apply(deployment(await queue()))
    const seen = (await get(cluster, namespace, 'deployment', 'dq-pay'))!
    const report = async (status: object) =>
      must(cluster, [
        'patch',
        '-n',
        namespace,
        'deployment',
        'dq-pay',
        '--subresource=status',
        '--type=merge',
        '-p',
        JSON.stringify({ status }),
      ])
    expect(await ports.workers.view(refOfQueue())).toEqual({ desired: 2, ready: 0, generation: 0 })
    const { generation } = seen.metadata
    await report({ observedGeneration: generation, replicas: 3, updatedReplicas: 1, readyReplicas: 2 })
    await eventually('two ready', async () => (await ports.workers.view(refOfQueue()))?.ready === 2)
    expect(await ports.workers.view(refOfQueue())).toEqual({ desired: 2, ready: 2, generation: 0 })
    await report({ observedGeneration: generation, replicas: 2, updatedReplicas: 2, readyReplicas: 2 })
    await eventually('the generation', async () => (await ports.workers.view(refOfQueue()))?.generation === 1)
  })

  test('should not take over objects of somebody else, and say whose they are', async () => {
    const owner = await queue()
    await apply(cluster, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name: 'dq-pay' }, data: { mine: 'yes' } })
    await expect(ports.workers.apply(deployment(owner))).rejects.toMatchObject({
      code: 'NotOurs',
      message: expect.stringContaining(`ConfigMap ${namespace}/dq-pay exists and was not made by Sluice`),
    })
    expect((await get(cluster, namespace, 'configmap', 'dq-pay'))?.data).toEqual({ mine: 'yes' })
  })

  test('should be removed, twice without complaint', async () => {
    await ports.workers.apply(deployment(await queue()))
    await ports.workers.remove(refOfQueue())
    await ports.workers.remove(refOfQueue())
    for (const resource of ['configmap', 'pdb', 'deployment']) {
      await eventually(`no ${resource}`, async () => (await get(cluster, namespace, resource, 'dq-pay')) === undefined)
    }
    expect(await ports.workers.view(refOfQueue())).toBeUndefined()
  })
})

describe('the store', () => {
  const condition = {
    type: 'Ready',
    status: 'True',
    reason: 'Ready',
    message: 'm',
    observedGeneration: 1,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  } as const
  const patch = { observedGeneration: 1, conditions: [condition], fields: { topics: { input: 'x' } } }

  test('should write a status once, also when the schema drops a field of it', async () => {
    await queue()
    const odd = { ...patch, fields: { ...patch.fields, notInTheSchema: true } }
    expect(await ports.store.writeStatus(refOfQueue(), odd)).toBe('written')
    const { metadata, status } = (await get(cluster, namespace, 'delayqueue', 'pay'))!
    expect(status).toEqual({ observedGeneration: 1, conditions: [condition], topics: { input: 'x' } })
    expect(await ports.store.writeStatus(refOfQueue(), odd)).toBe('unchanged')
    expect(await ports.store.writeStatus(refOfQueue(), patch)).toBe('unchanged')
    expect((await get(cluster, namespace, 'delayqueue', 'pay'))!.metadata).toMatchObject({
      resourceVersion: metadata.resourceVersion,
      generation: metadata.generation,
    })
  })

  test('should answer a conflict when the resource changed meanwhile, and gone when there is none', async () => {
    await queue()
    const writing = ports.store.writeStatus(refOfQueue(), patch)
    const racing = ports.store.writeStatus(refOfQueue(), { ...patch, fields: {} })
    expect([await writing, await racing].sort()).toEqual(['conflict', 'written'])
    expect(await ports.store.writeStatus(refOfQueue('never-was'), patch)).toBe('gone')
  })

  test('should add and remove its finalizer beside those of others', async () => {
    await queue()
    await must(cluster, [
      'patch',
      '-n',
      namespace,
      'delayqueue',
      'pay',
      '--type=merge',
      '-p',
      '{"metadata":{"finalizers":["other.dev/x"]}}',
    ])
    await ports.store.addFinalizer(refOfQueue(), 'sluice.dev/topics')
    await ports.store.addFinalizer(refOfQueue(), 'sluice.dev/topics')
    expect((await get(cluster, namespace, 'delayqueue', 'pay'))?.metadata.finalizers).toEqual(['other.dev/x', 'sluice.dev/topics'])
    await ports.store.removeFinalizer(refOfQueue(), 'sluice.dev/topics')
    expect((await get(cluster, namespace, 'delayqueue', 'pay'))?.metadata.finalizers).toEqual(['other.dev/x'])
    await ports.store.removeFinalizer(refOfQueue('never-was'), 'sluice.dev/topics')
  })
})

describe('secrets, events, alerts', () => {
  test('should read a Secret by name, decoded', async () => {
    await must(cluster, ['create', 'secret', 'generic', '-n', namespace, 'kafka', '--from-literal=password=s3cret'])
    const secret = await ports.secrets.read(namespace, 'kafka')
    expect(secret?.get('password')?.toString()).toBe('s3cret')
    expect(await ports.secrets.read(namespace, 'other')).toBeUndefined()
  })

  test('should write an Event and count its repetitions', async () => {
    const owner = await queue()
    ports.events.emit(owner, 'Warning', 'TopicFailed', 'x'.repeat(2_000))
    const event = () => events().then(all => all[0])
    const first = await eventually('the Event', event)
    expect(first).toMatchObject({ type: 'Warning', reason: 'TopicFailed', regarding: { kind: 'DelayQueue', name: 'pay' } })
    expect(first.note).toHaveLength(1_024)
    ports.events.emit(owner, 'Warning', 'TopicFailed', 'x'.repeat(2_000))
    await eventually('the count', async () => at(await event(), 'series.count') === 2)
    expect(await events()).toHaveLength(1)
  })
  const events = async () =>
    (JSON.parse(await must(cluster, ['get', 'events.events.k8s.io', '-n', namespace, '-o', 'json'])) as { items: Seen[] }).items

  test('should skip alerts without PrometheusRule, and write them once it is there', async () => {
    const owner = await queue()
    const group: AlertGroup = {
      rules: [{ alert: 'Late', expr: 'vector(1)', for: '5m', severity: 'warning', summary: 's', description: 'd', runbook: 'r' }],
    }
    expect(await ports.alerts.apply(owner, 'dq-pay', group)).toBe('skipped')
    await ports.alerts.remove(refOfQueue(), 'dq-pay')
    await apply(cluster, prometheusRuleCrd())
    await must(cluster, ['wait', '--for=condition=Established', 'crd/prometheusrules.monitoring.coreos.com'])
    // A fresh process: this one believes its last answer for a minute.
    const fresh = await connect('fresh', surroundings().metrics)
    expect(await fresh.alerts.apply(owner, 'dq-pay', group)).toBe('written')
    expect(await fresh.alerts.apply(owner, 'dq-pay', group)).toBe('unchanged')
    const rule = (await get(cluster, namespace, 'prometheusrule', 'dq-pay'))!
    expect(rule.metadata.labels).toMatchObject({ release: 'prometheus', 'sluice.dev/name': 'pay' })
    expect(at(rule, 'spec.groups.0.rules')).toEqual([
      {
        alert: 'Late',
        expr: 'vector(1)',
        for: '5m',
        labels: { severity: 'warning' },
        annotations: { summary: 's', description: 'd', runbook_url: 'r' },
      },
    ])
    await fresh.alerts.remove(refOfQueue(), 'dq-pay')
    expect(await get(cluster, namespace, 'prometheusrule', 'dq-pay')).toBeUndefined()
    fresh.close()
  })
})

describe('the election', () => {
  test('should have one leader at a time and hand over at once when it stops', async () => {
    const candidates = await Promise.all(
      ['first', 'second'].map(async identity => {
        const stopping = new AbortController()
        const candidate = await connect(identity, surroundings().metrics)
        let terms = 0
        const running = candidate.election.run(stopping.signal, async leading => {
          terms++
          await new Promise(resolve => {
            leading.addEventListener('abort', resolve)
          })
        })
        return { candidate, stopping, running, terms: () => terms, leads: () => candidate.election.isLeader() }
      }),
    )
    const [a, b] = candidates as [(typeof candidates)[0], (typeof candidates)[0]]
    await eventually('a leader', () => a.leads() || b.leads())
    const [leader, follower] = a.leads() ? [a, b] : [b, a]
    expect(follower.leads()).toBe(false)
    leader.stopping.abort()
    await leader.running
    await eventually('the follower to lead', () => follower.leads(), 5_000)
    expect(leader.leads()).toBe(false)
    follower.stopping.abort()
    await follower.running
    expect([leader.terms(), follower.terms()]).toEqual([1, 1])
    for (const { candidate } of candidates) candidate.close()
  })
})
