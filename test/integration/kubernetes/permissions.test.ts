import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { renderChart } from '../../support/chart.ts'
import { eventually } from '../../support/eventually.ts'
import { sharedKafka, type SharedKafka } from '../../support/kafka.ts'
import { startKubernetes, type TestKubernetes } from '../../support/kubernetes.ts'
import { auditLog, denials, type AuditLog } from './audit.ts'
import { apply, at, get, must, namespaceObject } from './parts.ts'
import { runOperator } from './running-operator.ts'

const SYSTEM = 'sluice-system'

let audit: AuditLog
let cluster: TestKubernetes
let kafka: SharedKafka
/** Kubeconfigs of the chart's service accounts: of a release for the whole cluster, and of one for the namespace `shop`. */
let everywhere: string
let scoped: string

beforeAll(async () => {
  audit = auditLog()
  cluster = await startKubernetes({ apiServerFlags: audit.flags })
  kafka = await sharedKafka()
  await apply(cluster, namespaceObject(SYSTEM), namespaceObject('shop'), namespaceObject('other'))
  await cluster.applyCrds()
  for (const [release, namespaces] of [
    ['everywhere', []],
    ['scoped', ['shop']],
  ] as const) {
    const objects = await renderChart({ crds: { enabled: false }, fullnameOverride: release, scope: { namespaces } }, { release })
    await apply(cluster, ...objects.filter(({ kind }) => /Role|ServiceAccount/.test(kind)))
  }
  for (const namespace of ['shop', 'other'])
    await must(cluster, ['create', 'secret', 'generic', '-n', namespace, 'kafka', '--from-literal=password=p'])
  everywhere = await cluster.serviceAccount(SYSTEM, 'everywhere')
  scoped = await cluster.serviceAccount(SYSTEM, 'scoped')
}, 90_000)
afterAll(async () => {
  await kafka.stop()
  await cluster.stop()
  audit.remove()
}, 60_000)

const allowed = async (kubeconfigPath: string, verb: string, resource: string, namespace: string): Promise<boolean> => {
  const { stdout, stderr } = await cluster.kubectl(['auth', 'can-i', verb, resource, '-n', namespace], { kubeconfigPath })
  if (!/^(yes|no)/.test(stdout)) throw new Error(stderr)
  return stdout.startsWith('yes')
}

describe('the service account of the chart', () => {
  test.each([
    ['list', 'secrets'],
    ['watch', 'secrets'],
    ['create', 'secrets'],
    ['update', 'secrets'],
    ['delete', 'secrets'],
    ['create', 'pods'],
    ['create', 'pods/exec'],
    ['get', 'pods'],
    ['create', 'daemonsets.apps'],
    ['create', 'serviceaccounts'],
    ['create', 'serviceaccounts/token'],
    ['create', 'roles.rbac.authorization.k8s.io'],
    ['create', 'rolebindings.rbac.authorization.k8s.io'],
    ['create', 'clusterrolebindings.rbac.authorization.k8s.io'],
    ['escalate', 'clusterroles.rbac.authorization.k8s.io'],
    ['delete', 'namespaces'],
    ['impersonate', 'users'],
    ['create', 'kafkatopicpolicies.sluice.dev'],
    ['delete', 'delayqueues.sluice.dev'],
    ['patch', 'customresourcedefinitions.apiextensions.k8s.io'],
    ['delete', 'leases.coordination.k8s.io'],
  ])('should not be able to %s %s in a namespace that it watches', async (verb, resource) => {
    expect(await allowed(everywhere, verb, resource, 'shop')).toBe(false)
  })

  test('should really be refused when it asks for the list of Secrets, and get one by name', async () => {
    const listing = await cluster.kubectl(['get', 'secrets', '-n', 'shop'], { kubeconfigPath: everywhere })
    expect(listing).toMatchObject({ code: 1, stderr: expect.stringContaining('Forbidden') })
    expect((await cluster.kubectl(['get', 'secret', '-n', 'shop', 'kafka'], { kubeconfigPath: everywhere })).code).toBe(0)
  })

  test.each([
    ['get', 'secrets'],
    ['list', 'configmaps'],
    ['patch', 'deployments.apps'],
    ['list', 'kafkatopicpolicies.sluice.dev'],
    ['update', 'kafkatopicpolicies.sluice.dev/status'],
    ['create', 'leases.coordination.k8s.io'],
  ])('should not be able to %s %s outside of the namespaces that it was given', async (verb, resource) => {
    expect(await allowed(scoped, verb, resource, 'other')).toBe(false)
  })

  test('should have all it needs to work in the namespaces that it was given', async () => {
    const running = await runOperator({ kubeconfig: scoped, namespaces: ['shop'], leaseNamespace: SYSTEM })
    try {
      const topic = kafka.uniquePrefix()
      for (const namespace of ['shop', 'other']) {
        const make = (kind: string, name: string, spec: object) => ({
          apiVersion: 'sluice.dev/v1alpha1',
          kind,
          metadata: { namespace, name },
          spec,
        })
        await apply(
          cluster,
          make('KafkaConnection', 'main', { bootstrapServers: [kafka.bootstrap], defaults: { replicationFactor: 1 } }),
          make('KafkaTopicPolicy', 'p', {
            connectionRef: { name: 'main' },
            topics: [{ name: topic, partitions: 1 }],
            retention: { time: '1h' },
          }),
          make('DelayQueue', 'q', {
            connectionRef: { name: 'main' },
            partitions: 1,
            maxDelay: '1h',
            topicPrefix: `${topic}-${namespace}`,
            target: { topic },
          }),
        )
      }
      await eventually('the workers', () => get(cluster, 'shop', 'deployment', 'dq-q'))
      await eventually('the policy', async () =>
        JSON.stringify(at(await get(cluster, 'shop', 'ktp', 'p'), 'status') ?? {}).includes('"reason":"Ready"'),
      )
      await running.reconciledAgain(2)
      expect(at(await get(cluster, 'other', 'ktp', 'p'), 'status')).toBeUndefined()
      expect(await get(cluster, 'other', 'deployment', 'dq-q')).toBeUndefined()
      const asked = audit.of(`system:serviceaccount:${SYSTEM}:scoped`).filter(({ requestURI }) => !requestURI.includes('selfsubject'))
      expect(denials(asked)).toEqual([])
    } finally {
      await running.stop()
    }
  }, 60_000)
})
