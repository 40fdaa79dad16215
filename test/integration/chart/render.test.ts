import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { CHART, lintChart, renderChart } from '../../support/chart.ts'
import type { Rendered } from '../../support/chart.ts'

const PROMETHEUS = ['monitoring.coreos.com/v1/PrometheusRule', 'monitoring.coreos.com/v1/ServiceMonitor']

const names = (objects: readonly Rendered[], kind: string): readonly string[] =>
  objects
    .filter(object => object.kind === kind)
    .map(object => [object.metadata.namespace, object.metadata.name].filter(part => part !== undefined).join('/'))
    .toSorted()

interface Pod {
  readonly enableServiceLinks: boolean
  readonly securityContext: object
  readonly containers: readonly {
    readonly image: string
    readonly securityContext: object
    readonly env: readonly { name: string; value?: string }[]
  }[]
}
const podOf = (objects: readonly Rendered[]): Pod => {
  const deployment = objects.find(object => object.kind === 'Deployment')
  return (deployment as unknown as { spec: { template: { spec: Pod } } }).spec.template.spec
}

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

/** What a ClusterRole may make. */
const creates = (objects: readonly Rendered[], name: string): readonly string[] =>
  (objects.find(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === name)?.rules as readonly Rule[])
    .filter(({ verbs }) => verbs.includes('create'))
    .flatMap(({ resources }) => resources)

describe('the chart', () => {
  test('should pass helm lint without a warning', async () => {
    expect(await lintChart()).toContain('0 chart(s) failed')
  })

  test('should watch the whole cluster by default', async () => {
    const objects = await renderChart()
    expect(names(objects, 'ClusterRole')).toEqual(['sluice', 'sluice-edit', 'sluice-view'])
    expect(names(objects, 'Role')).toEqual(['sluice-system/sluice-leases'])
    expect(podOf(objects).containers[0]?.env).toContainEqual({ name: 'SLUICE_NAMESPACES', value: '' })
  })

  test('should stay inside the listed namespaces', async () => {
    const objects = await renderChart({ scope: { namespaces: ['shop', 'billing'] } })
    expect(names(objects, 'ClusterRole')).toEqual(['sluice-edit', 'sluice-view'])
    expect(names(objects, 'ClusterRoleBinding')).toEqual([])
    expect(names(objects, 'Role')).toEqual(['billing/sluice', 'shop/sluice', 'sluice-system/sluice-leases'])
    expect(names(objects, 'RoleBinding')).toEqual(['billing/sluice', 'shop/sluice', 'sluice-system/sluice-leases'])
    expect(podOf(objects).containers[0]?.env).toContainEqual({ name: 'SLUICE_NAMESPACES', value: 'shop,billing' })
  })

  test('should let the operator read Secrets by name only, and leave pods alone', async () => {
    const role = (await renderChart()).find(object => object.kind === 'ClusterRole' && object.metadata.name === 'sluice')
    const rules = role?.rules as readonly Rule[]
    expect(rules.filter(rule => rule.resources.includes('secrets')).flatMap(rule => rule.verbs)).toEqual(['get'])
    expect(rules.flatMap(rule => [...rule.resources, ...rule.verbs])).not.toEqual(expect.arrayContaining(['*']))
    expect(rules.some(rule => rule.resources.some(resource => resource.startsWith('pods')))).toBe(false)
  })

  test('should keep the CRDs when the release goes, unless told otherwise', async () => {
    const kept = (await renderChart()).filter(object => object.kind === 'CustomResourceDefinition')
    expect(kept.length).toBeGreaterThanOrEqual(3)
    expect(kept.map(crd => crd.metadata.annotations?.['helm.sh/resource-policy'])).toEqual(kept.map(() => 'keep'))
    const loose = (await renderChart({ crds: { keep: false } })).filter(object => object.kind === 'CustomResourceDefinition')
    expect(loose.map(crd => crd.metadata.annotations)).toEqual(kept.map(() => undefined))
    expect(names(await renderChart({ crds: { enabled: false } }), 'CustomResourceDefinition')).toEqual([])
  })

  test('should run the operator restricted, as the pod security standard asks', async () => {
    const pod = podOf(await renderChart())
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } })
    expect(pod.containers[0]?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    expect(pod.enableServiceLinks).toBe(false)
  })

  test('should give workers the image of the operator, by digest when there is one', async () => {
    const digest = `sha256:${'a'.repeat(64)}`
    const container = podOf(await renderChart({ image: { repository: 'registry.test/sluice', digest } })).containers[0]
    expect(container?.image).toBe(`registry.test/sluice@${digest}`)
    expect(container?.env).toContainEqual({ name: 'SLUICE_WORKER_IMAGE', value: container?.image })
  })

  test('should guard two replicas against drains, and only two', async () => {
    expect(names(await renderChart(), 'PodDisruptionBudget')).toEqual([])
    expect(names(await renderChart({ operator: { replicas: 2 } }), 'PodDisruptionBudget')).toEqual(['sluice-system/sluice'])
  })

  test('should make Prometheus objects where the cluster knows them', async () => {
    expect(names(await renderChart(), 'PrometheusRule')).toEqual([])
    const known = await renderChart({ monitors: { install: 'IfSupported' } }, { apis: PROMETHEUS })
    expect(names(known, 'PrometheusRule')).toEqual(['sluice-system/sluice'])
    expect(names(known, 'PodMonitor')).toEqual(['sluice-system/sluice-workers'])
    expect(names(await renderChart({ alerts: { install: 'Never' } }, { apis: PROMETHEUS }), 'PrometheusRule')).toEqual([])
  })

  test('should serve no console unless asked, and then on the loopback address of the pod, as the operator itself', async () => {
    expect(JSON.stringify(await renderChart())).not.toMatch(/console|tokenreviews|payloads/i)
    const objects = await renderChart({ console: { enabled: true } })
    expect(podOf(objects).containers[0]?.env).toContainEqual({ name: 'SLUICE_CONSOLE', value: '127.0.0.1:8081' })
    expect(names(objects, 'Service')).toEqual(['sluice-system/sluice-metrics'])
    expect(names(objects, 'ClusterRole')).toEqual(['sluice', 'sluice-edit', 'sluice-view'])
    expect(creates(objects, 'sluice')).toContain('deadletterredrives')
  })

  test('should ask for tokens where the console is exposed, and let nobody read payloads by default', async () => {
    const objects = await renderChart({ console: { enabled: true, expose: true }, networkPolicy: { enabled: true } })
    expect(podOf(objects).containers[0]?.env).toContainEqual({ name: 'SLUICE_CONSOLE', value: ':8081' })
    expect(names(objects, 'Service')).toEqual(['sluice-system/sluice-console', 'sluice-system/sluice-metrics'])
    expect(creates(objects, 'sluice-console')).toEqual(['tokenreviews', 'subjectaccessreviews'])
    expect(creates(objects, 'sluice')).not.toContain('deadletterredrives')
    expect(names(objects, 'ClusterRole')).toContain('sluice-payloads')
    expect(names(objects, 'ClusterRoleBinding')).toEqual(['sluice', 'sluice-console'])
    const policy = objects.find(({ kind }) => kind === 'NetworkPolicy') as unknown as {
      spec: { ingress: readonly { ports: readonly { port: string }[] }[] }
    }
    expect(policy.spec.ingress.flatMap(({ ports }) => ports.map(({ port }) => port))).toEqual(['http', 'console'])
  })

  test('should serve an exposed console over TLS where a Secret is named', async () => {
    const objects = await renderChart({ console: { enabled: true, expose: true, tlsSecret: 'console' } })
    expect(podOf(objects).containers[0]?.env).toContainEqual({ name: 'SLUICE_CONSOLE_TLS_KEY', value: '/etc/sluice/console/tls.key' })
    expect(podOf(objects)).toMatchObject({ volumes: [{ name: 'console-tls', secret: { secretName: 'console' } }] })
    expect(JSON.stringify(await renderChart({ console: { enabled: true, tlsSecret: 'console' } }))).not.toContain('console-tls')
  })

  test('should put the dashboard into a ConfigMap for the sidecar of Grafana', async () => {
    const dashboard = (await renderChart({ dashboard: { enabled: true } })).find(object => object.kind === 'ConfigMap')
    const json = (dashboard?.data as Record<string, string> | undefined)?.['sluice.json'] ?? ''
    expect(JSON.parse(json)).toEqual(JSON.parse(readFileSync(`${CHART}/files/dashboards/sluice.json`, 'utf8')))
  })

  test.each([
    { values: { scope: { namespaces: ['Not_A_Namespace'] } }, field: 'namespaces' },
    { values: { operator: { replicas: 'two' } }, field: 'replicas' },
    { values: { alerts: { sources: ['graphite'] } }, field: 'sources' },
    { values: { image: { digest: 'latest' } }, field: 'digest' },
    { values: { console: { expose: 'yes' } }, field: 'expose' },
    { values: { operatr: {} }, field: 'operatr' },
  ])('should refuse a wrong value and name it: $field', async ({ values, field }) => {
    await expect(renderChart(values)).rejects.toThrow(field)
  })
})
