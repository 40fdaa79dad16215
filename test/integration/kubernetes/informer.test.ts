import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { openClient, type KubernetesClient } from '../../../src/kubernetes/client.ts'
import { Informer } from '../../../src/kubernetes/informer.ts'
import { informerMetrics } from '../../../src/kubernetes/metrics.ts'
import { CONFIG_MAPS, pathOf } from '../../../src/kubernetes/object.ts'
import { eventually } from '../../support/eventually.ts'
import { startKubernetes, type TestKubernetes } from '../../support/kubernetes.ts'
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import { apply, kubeconfigThrough, namespaceObject, portOf, surroundings } from './parts.ts'

const FAILURES = 'sluice_informer_failures_total{resource="configmaps"}'
const RELISTS = 'sluice_informer_relists_total{resource="configmaps"}'
const MISSED = 'sluice_informer_missed_events_total{resource="configmaps"}'

let cluster: TestKubernetes
let proxy: TcpProxy
/** Through the proxy, as the informer; and past it. */
let through: KubernetesClient
let direct: KubernetesClient
let namespaces = 0
const stops: (() => Promise<void>)[] = []

beforeAll(async () => {
  cluster = await startKubernetes()
  proxy = await startTcpProxy(portOf(cluster))
  through = await openClient({ kubeconfig: kubeconfigThrough(cluster, proxy.port), userAgent: 'test' })
  direct = await openClient({ kubeconfig: cluster.kubeconfigPath, userAgent: 'test' })
}, 90_000)
afterAll(async () => {
  await Promise.all(stops.map(stop => stop()))
  through.close()
  direct.close()
  await proxy.close()
  await cluster.stop()
})

/** An informer over the ConfigMaps of a fresh namespace, through the proxy. */
async function started(options: { readonly relistMs?: number; readonly prepare?: (namespace: string) => Promise<void> } = {}) {
  const namespace = `informer-${++namespaces}`
  await apply(cluster, namespaceObject(namespace))
  await options.prepare?.(namespace)
  const around = surroundings()
  const informer = new Informer({
    ...around,
    client: through,
    metrics: informerMetrics(around.metrics),
    scope: { collection: CONFIG_MAPS, namespace },
    ...(options.relistMs !== undefined && { relistMs: options.relistMs }),
  })
  const stop = new AbortController()
  const running = informer.run(stop.signal)
  stops.push(async () => {
    stop.abort()
    await running
  })
  await informer.synced
  return { informer, namespace, ...around }
}

const create = (namespace: string, name: string, text = 'a') =>
  direct.send({ method: 'POST', path: pathOf(CONFIG_MAPS, namespace), body: { metadata: { name }, data: { text } } })
const change = (namespace: string, name: string, text: string) =>
  direct.send({
    method: 'PATCH',
    path: pathOf(CONFIG_MAPS, namespace, name),
    contentType: 'application/merge-patch+json',
    body: { data: { text } },
  })
const remove = (namespace: string, name: string) => direct.send({ method: 'DELETE', path: pathOf(CONFIG_MAPS, namespace, name) })
const names = (informer: Informer) => informer.list().map(object => object.metadata.name)
const textOf = (informer: Informer, namespace: string, name: string) =>
  (informer.get(namespace, name)?.data as { readonly text: string } | undefined)?.text

describe('an informer on a real API server', () => {
  test('should list more than one page and then follow changes', async () => {
    const many = Array.from({ length: 1_100 }, (_, i) => `m${String(i).padStart(4, '0')}`)
    const { informer, namespace } = await started({
      prepare: async where => {
        for (let i = 0; i < many.length; i += 50) await Promise.all(many.slice(i, i + 50).map(name => create(where, name)))
      },
    })
    expect(names(informer)).toEqual(many)

    const seen: string[] = []
    informer.onChange(object => seen.push(object.metadata.name))
    await change(namespace, 'm0007', 'b')
    await remove(namespace, 'm0008')
    await create(namespace, 'new')
    await eventually('all three changes', () => seen.length >= 3)
    expect(new Set(seen)).toEqual(new Set(['m0007', 'm0008', 'new']))
    expect(textOf(informer, namespace, 'm0007')).toBe('b')
    expect(informer.get(namespace, 'm0008')).toBeUndefined()
  }, 60_000)

  test('should go on where it was after its connections were cut, and count no event as missed', async () => {
    const { informer, namespace, sample } = await started()
    for (let round = 0; round < 3; round++) {
      const failures = await sample(FAILURES)
      proxy.cut()
      await create(namespace, `while-away-${round}`)
      await eventually('the failure', async () => (await sample(FAILURES)) > failures)
      await eventually('the change made meanwhile', () => names(informer).includes(`while-away-${round}`))
    }
    expect(await sample(RELISTS)).toBe(1)
    expect(await sample(MISSED)).toBe(0)
    expect(informer.healthy).toBe(true)
  }, 60_000)

  test('should survive a restart of the API server and see what changed right after it', async () => {
    const { informer, namespace } = await started()
    await cluster.restart()
    await create(namespace, 'after-restart')
    await eventually('the change', () => names(informer).includes('after-restart'), 45_000)
  }, 90_000)

  test('should relist by force without calling changes under way missed', async () => {
    const { informer, namespace, sample } = await started({ relistMs: 400 })
    let made = 0
    await eventually('five relists', async () => {
      const name = `busy-${made++}`
      await create(namespace, name)
      if (made % 2 === 0) await remove(namespace, name)
      return (await sample(RELISTS)) > 5
    })
    await eventually('the survivors', () => names(informer).length === Math.ceil(made / 2))
    expect(await sample(MISSED)).toBe(0)
  }, 60_000)

  test('should say that it is unhealthy when the API server stays away, and heal', async () => {
    const { informer, namespace } = await started({ relistMs: 500 })
    proxy.block()
    await eventually('three silent periods', () => !informer.healthy)
    proxy.heal()
    await create(namespace, 'healed')
    await eventually('the change', () => names(informer).includes('healed'), 45_000)
    expect(informer.healthy).toBe(true)
  }, 90_000)
})
