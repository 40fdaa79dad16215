import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { Command } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { validateResource } from '../api/validation.ts'
import { startConsole } from '../console/index.ts'
import { NO_ACCESS_CONTROL } from '../console/ports.ts'
import { platformaticAdmin } from '../kafka/platformatic-admin.ts'
import { kinds } from '../kinds/index.ts'
import { connectKubernetes, type KubernetesPorts } from '../kubernetes/index.ts'
import { serveHttp } from '../observability/http.ts'
import type { HttpServer } from '../observability/http.ts'
import { createLogger, type Logger } from '../observability/logger.ts'
import { createMetrics, type Metrics } from '../observability/metrics.ts'
import { systemClock } from '../observability/system-clock.ts'
import { createOperator } from '../operator/operator.ts'
import { logFactory } from './log-factory.ts'
import { isLoopback } from './listen-address.ts'
import { operatorOptions, refuseUnknownVariables, withSettings, type OperatorSettings } from './operator-settings.ts'

/** `sluice operator`: the engine on an API server. Runs until SIGTERM or SIGINT. */
export const operatorCommand = (): Command =>
  withSettings(new Command('operator')).action(async (settings: OperatorSettings) => {
    refuseUnknownVariables(process.env, operatorOptions())
    const stop = new AbortController()
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        stop.abort()
      })
    }
    await runOperator(settings, stop.signal)
  })

/** Resolves when the signal has aborted and the lease is released. */
async function runOperator(settings: OperatorSettings, signal: AbortSignal): Promise<void> {
  // A container that restarts in the same pod is another candidate for the lease.
  const identity = `${process.env.POD_NAME ?? hostname()}_${randomUUID()}`
  const logger = createLogger({ level: settings.logLevel })
  const metrics = createMetrics()
  const ports = await connect(settings, identity, logger, metrics)
  const operator = createOperator({
    ...ports,
    kinds,
    metrics,
    logger,
    adminFactory: platformaticAdmin,
    clock: systemClock,
    validate: validateResource,
    options: { resyncIntervalMs: settings.resync, concurrency: settings.concurrency, callsAllow: settings.callsAllow },
  })
  const subject = {
    metrics,
    live: () => operator.health().live,
    // A follower is ready: it is warm, and leadership is nobody's readiness.
    notReady: () => (operator.health().ready ? [] : ['the first listing of the resources is not complete']),
  }
  const server = await serveHttp(subject, settings.listen)
  const console = await serveConsole(settings, ports, () => operator.health().ready, logger)
  logger.info({ version: manifest.version, identity, namespaces: settings.namespaces, port: server.port }, 'operator started')
  try {
    await operator.run(signal)
  } finally {
    await console?.close()
    await server.close()
    ports.close()
  }
  logger.info({ identity }, 'operator stopped')
}

async function serveConsole(
  { console: address, consoleTlsCert: certificate, consoleTlsKey: key }: OperatorSettings,
  ports: KubernetesPorts,
  ready: () => boolean,
  logger: Logger,
): Promise<HttpServer | undefined> {
  if (address === undefined) return undefined
  if ((certificate === undefined) !== (key === undefined))
    throw new Error('--console-tls-cert and --console-tls-key belong together: give both')
  const access = isLoopback(address) ? NO_ACCESS_CONTROL : ports.access
  const options = {
    ...ports,
    resources: ports.store,
    access,
    ready,
    adminFactory: platformaticAdmin,
    logFactory,
    clock: systemClock,
    logger,
  }
  const tls = certificate !== undefined && key !== undefined && { tls: { certificate, key } }
  const console = await startConsole(options, { ...address, ...tls })
  logger.info({ port: console.port, access: access.mode }, 'console started')
  return console
}

function connect(settings: OperatorSettings, identity: string, logger: Logger, metrics: Metrics): Promise<KubernetesPorts> {
  const leaseNamespace = settings.leaseNamespace ?? process.env.POD_NAMESPACE
  return connectKubernetes({
    namespaces: settings.namespaces,
    plurals: new Map(kinds.map(({ definition }) => [definition.kind, definition.plural])),
    workers: {
      image: settings.workerImage,
      pullPolicy: settings.workerImagePullPolicy,
      pullSecrets: settings.workerImagePullSecrets,
    },
    ruleLabels: settings.ruleLabels,
    identity,
    userAgent: `sluice-operator/${manifest.version}`,
    clock: systemClock,
    logger,
    metrics,
    ...(settings.kubeconfig !== undefined && { kubeconfig: settings.kubeconfig }),
    ...(settings.leaderElection === 'on' && {
      lease: { name: settings.leaseName, ...(leaseNamespace !== undefined && { namespace: leaseNamespace }) },
    }),
  })
}
