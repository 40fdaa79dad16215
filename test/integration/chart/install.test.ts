import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { dump } from 'js-yaml'
import { renderChart } from '../../support/chart.ts'
import { startKubernetes } from '../../support/kubernetes.ts'
import type { TestKubernetes } from '../../support/kubernetes.ts'

/** As much of the Prometheus operator's CRDs as an API server needs to take objects of them. */
const prometheusCrd = (kind: string, plural: string): object => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.monitoring.coreos.com` },
  spec: {
    group: 'monitoring.coreos.com',
    scope: 'Namespaced',
    names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
})
const EVERYTHING = {
  operator: { replicas: 2, podLabels: { team: 'platform' }, nodeSelector: { disk: 'ssd' }, extraArgs: ['--help'] },
  alerts: { install: 'Always', sources: ['sluice', 'kafka_exporter', 'strimzi', 'jmx'], labels: { release: 'prometheus' } },
  monitors: { install: 'Always' },
  dashboard: { enabled: true },
  networkPolicy: { enabled: true },
}
const yaml = (objects: readonly object[]): string => objects.map(object => dump(object)).join('---\n')

describe('the chart on a real API server', () => {
  let kubernetes: TestKubernetes
  beforeAll(async () => {
    kubernetes = await startKubernetes()
    const namespaces = ['sluice-system', 'shop'].map(name => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      // The operator must run where the strictest pod security standard is enforced.
      metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted', 'pod-security.kubernetes.io/warn': 'restricted' } },
    }))
    const crds = [
      prometheusCrd('PrometheusRule', 'prometheusrules'),
      prometheusCrd('ServiceMonitor', 'servicemonitors'),
      prometheusCrd('PodMonitor', 'podmonitors'),
    ]
    const made = await kubernetes.kubectl(['create', '-f', '-'], { input: yaml([...namespaces, ...crds]) })
    expect(made).toMatchObject({ code: 0 })
    const names = crds.map(crd => `crd/${(crd as { metadata: { name: string } }).metadata.name}`)
    expect(await kubernetes.kubectl(['wait', '--for=condition=Established', '--timeout=30s', ...names])).toMatchObject({ code: 0 })
  }, 90_000)
  afterAll(async () => {
    await kubernetes.stop()
  })

  const accepted = async (values: object): Promise<void> => {
    const input = yaml(await renderChart(values))
    const outcome = await kubernetes.kubectl(['create', '--dry-run=server', '--validate=strict', '-f', '-'], { input })
    expect(outcome.stderr).toBe('')
    expect(outcome.code).toBe(0)
  }

  test('should be accepted with its defaults, strictly validated and without a warning', () => accepted({}), 30_000)
  test('should be accepted with everything switched on', () => accepted(EVERYTHING), 30_000)
  test('should be accepted for listed namespaces', () => accepted({ scope: { namespaces: ['shop'] } }), 30_000)

  test('should let editors of a namespace edit its resources, and viewers only view them', async () => {
    const input = yaml(await renderChart())
    expect(await kubernetes.kubectl(['apply', '--server-side', '-f', '-'], { input })).toMatchObject({ code: 0 })
    const roles = ['view', 'edit'].map(role => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: `sluice-${role}` },
    }))
    for (const role of roles) {
      const { stdout } = await kubernetes.kubectl(['get', 'clusterrole', role.metadata.name, '-o', 'jsonpath={.metadata.labels}'])
      expect(stdout).toContain(`aggregate-to-${role.metadata.name.slice('sluice-'.length)}`)
    }
    const can = async (verb: string, resource: string): Promise<string> =>
      (
        await kubernetes.kubectl(['auth', 'can-i', verb, resource, '-n', 'shop', '--as=system:serviceaccount:sluice-system:sluice'])
      ).stdout.trim()
    expect(await can('get', 'secrets')).toBe('yes')
    expect(await can('list', 'secrets')).toBe('no')
    expect(await can('patch', 'delayqueues.sluice.dev/status')).toBe('yes')
    expect(await can('create', 'pods')).toBe('no')
    expect(await can('create', 'delayqueues.sluice.dev')).toBe('no')
  }, 60_000)
})
