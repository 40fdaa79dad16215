import type { Clock } from '../api/clock.ts'
import type { Access, ResourceWriter } from '../console/ports.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { AlertSink, Election, EventSink, ResourceStore, SecretReader, WorkerPlatform } from '../operator/ports.ts'
import { createAccess } from './access.ts'
import { createAlertSink } from './alerts.ts'
import { Applier } from './apply.ts'
import { openClient } from './client.ts'
import { createEventSink } from './events.ts'
import { WatchedCollection } from './informers.ts'
import { createElection } from './lease.ts'
import { informerMetrics, writeMetrics } from './metrics.ts'
import { CONFIG_MAPS, DEPLOYMENTS, DISRUPTION_BUDGETS } from './object.ts'
import { OWNED_SELECTOR } from './ownership.ts'
import { createResourceWriter } from './resource-writer.ts'
import { createSecretReader } from './secrets.ts'
import { createResourceStore } from './store.ts'
import type { WorkerImage } from './worker-objects.ts'
import { createWorkerPlatform } from './workers.ts'

export type { WorkerImage } from './worker-objects.ts'

export interface KubernetesOptions {
  /** File; otherwise the service account of the pod, KUBECONFIG, `~/.kube/config`. */
  readonly kubeconfig?: string
  /** Namespaces to watch; empty: all. */
  readonly namespaces: readonly string[]
  /** Plural of each kind of ours. */
  readonly plurals: ReadonlyMap<string, string>
  readonly workers: WorkerImage
  /** Labels on every PrometheusRule. */
  readonly ruleLabels: Readonly<Record<string, string>>
  /** How long it is believed that the cluster has, or has not, the PrometheusRule kind. @default 60000 */
  readonly ruleDiscoveryMs?: number
  /** undefined: this process leads without asking. */
  readonly lease?: { readonly name: string; readonly namespace?: string }
  /** Tells this process from every other candidate. */
  readonly identity: string
  readonly userAgent: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** The ports of operator and console, on an API server. */
export interface KubernetesPorts {
  readonly store: ResourceStore
  readonly secrets: SecretReader
  readonly workers: WorkerPlatform
  readonly alerts: AlertSink
  readonly events: EventSink
  readonly election: Election
  /** For the console: who may do what, and changes in their name. */
  readonly access: Access
  readonly writer: ResourceWriter
  close(): void
}

/** Puts the adapters together. Nothing is asked of the API server before a port is used. Rejects with KubernetesError without a cluster. */
export async function connectKubernetes(options: KubernetesOptions): Promise<KubernetesPorts> {
  const { clock, logger, metrics, namespaces } = options
  const client = await openClient({
    userAgent: options.userAgent,
    ...(options.kubeconfig !== undefined && { kubeconfig: options.kubeconfig }),
  })
  const writes = writeMetrics(metrics)
  const applier = new Applier({ client, logger, writes })
  const informer = { clock, logger, metrics: informerMetrics(metrics) }
  const owned = [CONFIG_MAPS, DEPLOYMENTS, DISRUPTION_BUDGETS].map(
    collection => new WatchedCollection(collection, namespaces, { ...informer, client, labelSelector: OWNED_SELECTOR }),
  )
  const [configMaps, deployments, budgets] = owned as [WatchedCollection, WatchedCollection, WatchedCollection]
  return {
    store: createResourceStore({ client, plurals: options.plurals, namespaces, informer, writes, companions: owned }),
    secrets: createSecretReader(client),
    workers: createWorkerPlatform({ client, applier, image: options.workers, configMaps, deployments, budgets }),
    alerts: createAlertSink({
      client,
      applier,
      clock,
      labels: options.ruleLabels,
      discoveryMs: options.ruleDiscoveryMs ?? RULE_DISCOVERY_MS,
    }),
    events: createEventSink({ client, clock, logger, instance: options.identity }),
    election:
      options.lease === undefined
        ? ALWAYS
        : createElection({
            client,
            clock,
            logger,
            identity: options.identity,
            name: options.lease.name,
            namespace: options.lease.namespace ?? client.namespace,
          }),
    access: createAccess(client, clock),
    writer: createResourceWriter(client, options.plurals),
    close: () => {
      client.close()
    },
  }
}

const RULE_DISCOVERY_MS = 60_000

/** For a single replica that was told not to elect. */
const ALWAYS: Election = { isLeader: () => true, run: (signal, lead) => lead(signal) }
