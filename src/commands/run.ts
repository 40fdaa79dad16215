import { createWriteStream } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { parseDuration } from '../api/duration.ts'
import { startConsole } from '../console/index.ts'
import { NO_ACCESS_CONTROL } from '../console/ports.ts'
import { platformaticAdmin } from '../kafka/platformatic-admin.ts'
import { kinds } from '../kinds/index.ts'
import { serveHttp } from '../observability/http.ts'
import type { HttpServer } from '../observability/http.ts'
import { createLogger } from '../observability/logger.ts'
import type { Logger } from '../observability/logger.ts'
import { systemClock } from '../observability/system-clock.ts'
import { StreamAnnouncer } from '../standalone/announcer.ts'
import { FileWriter } from '../standalone/file-writer.ts'
import type { FileStore } from '../standalone/file-store.ts'
import type { ListenAddress } from './listen-address.ts'
import { isLoopback, parseConsoleAddress, parseListenAddress } from './listen-address.ts'
import { logFactory } from './log-factory.ts'
import { print } from './output.ts'
import type { FolderOptions, Standalone } from './standalone-operator.ts'
import { standaloneOperator, withFolderOptions } from './standalone-operator.ts'
import { settle, standing } from './standing.ts'

interface Options extends FolderOptions {
  readonly once?: boolean
  readonly timeout: number
  readonly listen?: ListenAddress
  readonly console?: ListenAddress
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

/** `sluice run -f DIR`: the operator on a folder of files, with child processes as workers. */
export const runCommand = (): Command =>
  withFolderOptions(new Command('run'))
    .description(
      'Reconciles a folder of resource files with a Kafka cluster, follows changes to them, and runs their workers as child processes.',
    )
    .option('--once', 'stop as soon as every resource is ready or stalled; exit status 0: all are ready, 1: not all')
    .option('--timeout <duration>', 'with --once: how long that may take', parseDuration, 60_000)
    .option('--listen <host:port>', 'serve /metrics, /livez and /readyz', parseListenAddress)
    .option('--console <host:port>', 'serve the web console, on a loopback address such as 127.0.0.1:8081', parseConsoleAddress)
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
  if (options.console !== undefined && !isLoopback(options.console))
    throw new Error(
      '--console: without Kubernetes nobody says who may look: serve it on 127.0.0.1 or ::1, and put what checks users in front',
    )
  await stat(options.filename).catch((error: unknown) => {
    throw new Error(`--filename: cannot read ${options.filename}: ${(error as Error).message}`)
  })
  await mkdir(options.state, { recursive: true })
  const logFile = createWriteStream(join(options.state, 'operator.log'), { flags: 'a', mode: 0o600 })
  const logger = createLogger({ level: options.logLevel }, logFile)
  const announcer = new StreamAnnouncer(
    text => process.stdout.write(text),
    () => new Date(),
  )
  const standalone = standaloneOperator(options, { announcer, logger, readOnly: false })
  const server = await serve(standalone, options.listen)
  announcer.say({ what: 'Started', message: `resources in ${options.filename}, state in ${options.state}; Ctrl-C stops`, level: 'info' })
  if (server !== undefined)
    announcer.say({ what: 'Listening', message: `/metrics, /livez and /readyz on port ${server.port}`, level: 'info' })
  const console = await serveConsole(standalone, options, logger)
  if (console !== undefined) announcer.say({ what: 'Console', message: `http://localhost:${console.port}`, level: 'info' })
  const running = standalone.operator.run(stop.signal)
  try {
    if (options.once === true) await once(standalone.store, options.timeout, stop, running)
    await running
  } finally {
    announcer.say({ what: 'Stopping', message: 'workers finish what they have begun', level: 'info' })
    await standalone.workers.close()
    await console?.close()
    await server?.close()
    logFile.end()
  }
}

async function serve({ operator, metrics }: Standalone, address: ListenAddress | undefined): Promise<HttpServer | undefined> {
  if (address === undefined) return undefined
  const notReady = (): readonly string[] => (operator.health().ready ? [] : ['the files have not been read yet'])
  return serveHttp({ metrics, live: () => operator.health().live, notReady }, address)
}

function serveConsole(
  { operator, store, secrets }: Standalone,
  { console: address, filename }: Options,
  logger: Logger,
): Promise<HttpServer | undefined> {
  if (address === undefined) return Promise.resolve(undefined)
  const options = {
    resources: store,
    ready: () => operator.health().ready,
    secrets,
    access: NO_ACCESS_CONTROL,
    writer: new FileWriter(filename),
    adminFactory: platformaticAdmin,
    logFactory,
    clock: systemClock,
    logger,
  }
  return startConsole(options, address)
}

/** Waits until nothing moves any more, says how things stand, and asks everything to stop. */
async function once(store: FileStore, timeoutMs: number, stop: AbortController, running: Promise<void>): Promise<void> {
  const enough = AbortSignal.any([stop.signal, AbortSignal.timeout(timeoutMs)])
  // An operator that fails to start must not be waited for.
  await Promise.race([settle(store, kinds, systemClock, enough), running])
  const { answer, allReady } = standing(store, kinds)
  print(answer, 'table')
  process.exitCode = allReady ? 0 : 1
  stop.abort()
}
