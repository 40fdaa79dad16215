import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { createLogger, type Logger } from '../../../src/observability/logger.ts'
import { createMetrics, type Metrics } from '../../../src/observability/metrics.ts'
import { systemClock } from '../../../src/observability/system-clock.ts'
import type { TestKubernetes } from '../../support/kubernetes.ts'

/** What the adapters are given beside a cluster; `lines` holds what was logged. */
export interface Surroundings {
  readonly clock: typeof systemClock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly lines: string[]
  /** Value of one series, e.g. `sluice_informer_failures_total{resource="configmaps"}`. */
  readonly sample: (series: string) => Promise<number>
}

export function surroundings(): Surroundings {
  const lines: string[] = []
  const metrics = createMetrics()
  return {
    clock: systemClock,
    logger: createLogger({ level: 'debug' }, { write: line => lines.push(line) }),
    metrics,
    lines,
    sample: async series => {
      const { body } = await metrics.expose()
      const line = body.split('\n').find(each => each.startsWith(`${series} `))
      return Number(line?.slice(series.length) ?? Number.NaN)
    },
  }
}

/** A kubeconfig (the administrator's) with another port: that of a proxy. The certificate names the address, not the port. */
export function kubeconfigThrough(cluster: TestKubernetes, port: number, kubeconfigPath = cluster.kubeconfigPath): string {
  const path = join(cluster.dir, `through-${port}-${basename(kubeconfigPath)}`)
  const text = readFileSync(kubeconfigPath, 'utf8').replaceAll(cluster.server, `https://127.0.0.1:${port}`)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

export const portOf = (cluster: TestKubernetes): number => Number(new URL(cluster.server).port)

/** An object as kubectl prints it. */
export interface Seen {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid: string
    readonly resourceVersion: string
    readonly generation: number
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly finalizers?: readonly string[]
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly controller?: boolean }[]
  }
  readonly [field: string]: unknown
}

/** What is at a path such as `spec.template.metadata`, list positions included; undefined where the path ends early. */
export function at(object: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, step) => (value as Readonly<Record<string, unknown>> | undefined)?.[step], object)
}

/** `kubectl get`; undefined when there is no such object. */
export async function get(cluster: TestKubernetes, namespace: string, resource: string, name: string): Promise<Seen | undefined> {
  const { code, stdout, stderr } = await cluster.kubectl(['get', '-n', namespace, resource, name, '-o', 'json', '--ignore-not-found'])
  if (code !== 0) throw new Error(stderr)
  return stdout === '' ? undefined : (JSON.parse(stdout) as Seen)
}

/** `kubectl apply` of one or more objects; fails with what kubectl said. */
export async function apply(cluster: TestKubernetes, ...objects: readonly object[]): Promise<void> {
  const list = { apiVersion: 'v1', kind: 'List', items: objects }
  await must(cluster, ['apply', '-f', '-'], JSON.stringify(list))
}

export async function must(cluster: TestKubernetes, args: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(args, { input })
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
  return stdout
}

export const namespaceObject = (name: string, labels: Readonly<Record<string, string>> = {}): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
})

/** As much of Prometheus operator's CRD as it takes to store a rule. */
export const prometheusRuleCrd = (): object => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'prometheusrules.monitoring.coreos.com' },
  spec: {
    group: 'monitoring.coreos.com',
    scope: 'Namespaced',
    names: { kind: 'PrometheusRule', listKind: 'PrometheusRuleList', plural: 'prometheusrules', singular: 'prometheusrule' },
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
