import { createWriteStream } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, Option } from 'commander'
import { parseDuration } from '../api/duration.ts'
import { validateResource } from '../api/validation.ts'
import { platformaticAdmin } from '../kafka/platformatic-admin.ts'
import { definitions } from '../kinds/definitions.ts'
import { kinds } from '../kinds/index.ts'
import { createLogger } from '../observability/logger.ts'
import type { Logger } from '../observability/logger.ts'
import { createMetrics } from '../observability/metrics.ts'
import { systemClock } from '../observability/system-clock.ts'
import { createOperator } from '../operator/operator.ts'
import type { Operator } from '../operator/operator.ts'
import { AlwaysLeader } from '../standalone/always-leader.ts'
import { StreamAnnouncer } from '../standalone/announcer.ts'
import type { Announcer } from '../standalone/announcer.ts'
import { ChildWorkers } from '../standalone/child-workers.ts'
import { ConsoleEvents } from '../standalone/console-events.ts'
import { FileSecrets } from '../standalone/file-secrets.ts'
import { FileStore } from '../standalone/file-store.ts'
import { Folder } from '../standalone/folder.ts'
import { RuleFiles } from '../standalone/rule-files.ts'
import { StateFiles } from '../standalone/state-files.ts'
import { readdress } from './readdress.ts'
import { settle, standing } from './standing.ts'
import { print } from './output.ts'

interface Options {
  readonly filename: string
  readonly bootstrap?: string
  readonly secrets?: string
  readonly state: string
  readonly once?: boolean
  readonly timeout: number
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

/** `sluice run -f DIR`: the operator on a folder of files, with child processes as workers. */
export const runCommand = (): Command =>
  new Command('run')
    .description(
      'Reconciles a folder of resource files with a Kafka cluster, follows changes to them, and runs their workers as child processes.',
    )
    .requiredOption('-f, --filename <path>', 'folder of manifests, or one file')
    .option('-b, --bootstrap <host:port,...>', 'address of the cluster, instead of the one in the KafkaConnections')
    .option('--secrets <path>', 'folder of Secret manifests, beside those among the resources')
    .option('--state <folder>', 'status, alert rules, contracts and logs go here', '.sluice')
    .option('--once', 'stop as soon as every resource is ready or stalled; exit status 0 when all are ready, 1 otherwise')
    .option('--timeout <duration>', 'with --once: how long that may take', parseDuration, 60_000)
    .addOption(
      new Option('--log-level <level>', 'detail of operator.log in the state folder')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .action(async (options: Options) => {
      const stop = new AbortController()
      stopOnSignals(stop)
      await run(options, stop)
    })

/** The first signal asks, the second one insists: the exit then takes the workers with it. */
function stopOnSignals(stop: AbortController): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(130)
      stop.abort()
    })
  }
}

async function run(options: Options, stop: AbortController): Promise<void> {
  await stat(options.filename).catch((error: unknown) => {
    throw new Error(`--filename: cannot read ${options.filename}: ${(error as Error).message}`)
  })
  await mkdir(options.state, { recursive: true })
  const announcer = new StreamAnnouncer(
    text => process.stdout.write(text),
    () => new Date(),
  )
  const logger = createLogger(
    { level: options.logLevel },
    createWriteStream(join(options.state, 'operator.log'), { flags: 'a', mode: 0o600 }),
  )
  const { operator, store, workers } = assemble(options, announcer, logger)
  announcer.say({ what: 'Started', message: `resources in ${options.filename}, state in ${options.state}; Ctrl-C stops`, level: 'info' })
  const running = operator.run(stop.signal)
  try {
    if (options.once === true) await once(store, options.timeout, stop, running)
    await running
  } finally {
    announcer.say({ what: 'Stopping', message: 'workers finish what they have begun', level: 'info' })
    await workers.close()
  }
}

/** Waits until nothing moves any more, says how things stand, and asks everything to stop. */
async function once(store: FileStore, timeoutMs: number, stop: AbortController, running: Promise<void>): Promise<void> {
  const failed = running.then(() => undefined)
  await Promise.race([settle(store, kinds, systemClock, AbortSignal.any([stop.signal, AbortSignal.timeout(timeoutMs)])), failed])
  const { answer, allReady } = standing(store, kinds)
  print(answer, 'table')
  process.exitCode = allReady ? 0 : 1
  stop.abort()
}

interface Standalone {
  readonly operator: Operator
  readonly store: FileStore
  readonly workers: ChildWorkers
}

function assemble(options: Options, announcer: Announcer, logger: Logger): Standalone {
  const state = (name: string): string => join(resolve(options.state), name)
  const amend = readdress(options.bootstrap)
  const store = new FileStore({
    folder: new Folder(options.filename),
    definitions,
    ...(amend && { amend }),
    state: new StateFiles(state('status')),
    clock: systemClock,
    announcer,
  })
  const secrets = new FileSecrets(
    [options.filename, ...(options.secrets === undefined ? [] : [options.secrets])].map(path => new Folder(path)),
  )
  const workers = new ChildWorkers({
    command: workerCommand(),
    stateFolder: resolve(options.state),
    secrets,
    clock: systemClock,
    announcer,
  })
  const operator = createOperator({
    kinds,
    store,
    secrets,
    workers,
    alerts: new RuleFiles(state('rules')),
    events: new ConsoleEvents(announcer),
    election: new AlwaysLeader(),
    adminFactory: platformaticAdmin,
    clock: systemClock,
    logger,
    metrics: createMetrics(),
    validate: validateResource,
  })
  return { operator, store, workers }
}

/** This very program, by the same Node. */
const workerCommand = (): readonly [string, ...string[]] => [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  fileURLToPath(new URL('../main.ts', import.meta.url)),
  'worker',
]
