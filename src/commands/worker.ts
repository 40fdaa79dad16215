import { totalmem } from 'node:os'
import { Command, Option } from 'commander'
import { httpCaller } from '../http/http-caller.ts'
import { confluentLog } from '../kafka/confluent-log.ts'
import { kinds } from '../kinds/index.ts'
import { serveHttp } from '../observability/http.ts'
import type { HttpSubject } from '../observability/http.ts'
import { createLogger } from '../observability/logger.ts'
import { createMetrics } from '../observability/metrics.ts'
import { systemClock } from '../observability/system-clock.ts'
import type { Contract } from '../worker/contract.ts'
import { HungSession } from '../worker/runtime.ts'
import type { TaskStatus, Worker } from '../worker/runtime.ts'
import { startWorker } from '../worker/worker.ts'
import { expectedGeneration, followContract, readContract } from './contract-file.ts'
import type { ListenAddress } from './listen-address.ts'
import { parseListenAddress } from './listen-address.ts'
import { DEFAULT_SECRETS_ROOT, readCredentials } from './worker-credentials.ts'
import { identity } from './worker-identity.ts'

interface Options {
  readonly contract: string
  readonly listen: ListenAddress
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

/** `sluice worker`: what a worker pod runs, and what `sluice run` starts as child processes. Credentials are files below `SLUICE_SECRETS`. */
export const workerCommand = (): Command =>
  new Command('worker')
    .description('Does the work that a contract describes, until SIGTERM. Operators write contracts and start workers; people seldom do.')
    .option('--contract <file>', 'contract to work on', '/etc/sluice/contract/contract.json')
    .addOption(
      new Option(
        '--listen <host:port>',
        'address of /metrics, /livez, /readyz, /contract and the queries of the kinds; port 0 takes a free one',
      )
        .argParser(parseListenAddress)
        .default({ host: '::', port: 8080 }, ':8080'),
    )
    .addOption(
      new Option('--log-level <level>', 'detail of the log')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info')
        .env('SLUICE_LOG_LEVEL'),
    )
    .action(work)

/** Work that does not end within this time after the kernel said it had is not worth waiting for. */
const EXIT_DEADLINE_MS = 5_000

async function work(options: Options): Promise<void> {
  const contract = await readContract(options.contract, expectedGeneration(process.env), systemClock)
  const secretsRoot = process.env.SLUICE_SECRETS ?? DEFAULT_SECRETS_ROOT
  const settings = await readCredentials(contract.connection, secretsRoot)
  const { instanceId, lineage, ended } = identity(process.env.SLUICE_WORKER_NAME)
  const logger = createLogger({ level: options.logLevel, fields: { group: contract.group, generation: contract.generation, instanceId } })
  const metrics = createMetrics()
  let worker: Worker | undefined
  const server = await serveHttp(
    {
      metrics,
      live: () => worker?.live() ?? true,
      notReady: () => notReady(worker),
      remarks: () => worker?.ready().reasons ?? [],
      get routes() {
        return {
          '/contract': () => told(worker?.contract ?? contract, worker?.tasks() ?? []),
          ...(worker && questionRoutes(worker)),
        }
      },
    },
    options.listen,
  )
  try {
    worker = await startWorker({
      contract,
      kinds: kinds.flatMap(kind => kind.worked ?? []),
      log: confluentLog(settings, { clientId: `sluice-worker-${instanceId}`, ...(lineage && { lineage: `sluice-worker-${lineage}` }) }),
      caller: httpCaller({ secretsRoot, allowed: contract.callsAllow ?? [] }),
      clock: systemClock,
      logger,
      metrics,
      instanceId,
      memoryLimitBytes: memoryLimit(),
    })
    stopWhenAsked(worker)
    const following = new AbortController()
    if (contract.pool !== undefined) void followContract(options.contract, worker, { clock: systemClock, logger, signal: following.signal })
    process.send?.({ type: 'listening', port: server.port })
    const failure = await worker.ended
    following.abort()
    if (failure === undefined) ended()
    else {
      logger.error({ error: failure }, 'the worker gave up; the platform starts another')
      process.exitCode = 1
      // Nothing gentler is sure to end it, and until it has ended nobody starts another.
      if (failure instanceof HungSession) process.kill(process.pid, 'SIGKILL')
    }
  } finally {
    await server.close()
    leave()
  }
}

/** Node answers with the memory of the machine, or with a number beyond any, where the container has no limit. */
function memoryLimit(): number | undefined {
  const bytes = process.constrainedMemory()
  return bytes > 0 && bytes < totalmem() ? bytes : undefined
}

/** By signal, or because the process that started us is gone: a worker without an operator would never hear of a new contract. */
function stopWhenAsked(worker: Worker): void {
  const stop = (): void => {
    void worker.stop()
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop)
  process.on('disconnect', stop)
}

function leave(): void {
  if (process.connected) process.disconnect()
  setTimeout(() => process.exit(), EXIT_DEADLINE_MS).unref()
}

function notReady(worker: Worker | undefined): readonly string[] {
  if (worker === undefined) return ['starting']
  const { ready, reasons } = worker.ready()
  if (ready) return []
  return reasons.length > 0 ? reasons : ['not ready']
}

/** The kinds' own questions: `/pending`, `/stats`, ... */
const questionRoutes = (worker: Worker): NonNullable<HttpSubject['routes']> =>
  Object.fromEntries(
    worker.questions.map(question => [
      `/${question}`,
      (below: string, parameters: URLSearchParams) => (below === '' ? { resources: worker.query(question, parameters) } : undefined),
    ]),
  )

const told = ({ generation, group, namespace, resources }: Contract, tasks: readonly TaskStatus[]) => ({
  generation,
  group,
  resources: resources.map(each => ({ kind: each.kind, namespace, name: each.name, generation: each.generation ?? generation })),
  tasks,
})
