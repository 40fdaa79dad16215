import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { validateResource } from '../api/validation.ts'
import { LOOPBACK } from '../http/addresses.ts'
import { platformaticAdmin } from '../kafka/platformatic-admin.ts'
import { definitions } from '../kinds/definitions.ts'
import { kinds } from '../kinds/index.ts'
import type { Logger } from '../observability/logger.ts'
import { createMetrics } from '../observability/metrics.ts'
import type { Metrics } from '../observability/metrics.ts'
import { systemClock } from '../observability/system-clock.ts'
import { createOperator } from '../operator/operator.ts'
import type { Operator } from '../operator/operator.ts'
import { AlwaysLeader } from '../standalone/always-leader.ts'
import type { Announcer } from '../standalone/announcer.ts'
import { ChildWorkers } from '../standalone/child-workers.ts'
import { ConsoleEvents } from '../standalone/console-events.ts'
import { FileSecrets } from '../standalone/file-secrets.ts'
import { FileStore } from '../standalone/file-store.ts'
import { Folder } from '../standalone/folder.ts'
import { RuleFiles } from '../standalone/rule-files.ts'
import { StateFiles } from '../standalone/state-files.ts'
import { servers } from './cluster-options.ts'
import { withStandIns } from './stand-in-connections.ts'

export interface FolderOptions {
  readonly filename: string
  readonly bootstrap?: string
  readonly secrets?: string
  readonly state: string
}

/** Adds the options of `FolderOptions`. */
export const withFolderOptions = (command: Command): Command =>
  command
    .requiredOption('-f, --filename <path>', 'folder of manifests, or one file')
    .option('-b, --bootstrap <host:port,...>', 'address of the cluster, instead of the one in the KafkaConnections')
    .option('--secrets <path>', 'folder of Secret manifests, beside those among the resources')
    .option('--state <folder>', 'status, alert rules, contracts and logs', '.sluice')

export interface Standalone {
  readonly operator: Operator
  readonly store: FileStore
  readonly workers: ChildWorkers
  readonly metrics: Metrics
  readonly secrets: FileSecrets
}

/** Puts the operator together with files and child processes. `readOnly`: what is known is read from the state folder, nothing is written there. */
export function standaloneOperator(
  options: FolderOptions,
  { announcer, logger, readOnly }: { readonly announcer: Announcer; readonly logger: Logger; readonly readOnly: boolean },
): Standalone {
  const stateFolder = resolve(options.state)
  const amend = readdress(options.bootstrap)
  const state = new StateFiles(join(stateFolder, 'status'))
  const store = new FileStore({
    folder: new Folder(options.filename),
    definitions,
    ...(amend && { amend }),
    state: readOnly ? { load: () => state.load(), save: nothing, remove: nothing } : state,
    clock: systemClock,
    announcer,
  })
  const folders = [options.filename, ...(options.secrets === undefined ? [] : [options.secrets])]
  const secrets = new FileSecrets(folders.map(path => new Folder(path)))
  const workers = new ChildWorkers({ command: workerCommand(), stateFolder, secrets, clock: systemClock, announcer })
  const metrics = createMetrics()
  const operator = createOperator({
    kinds,
    store: readOnly && options.bootstrap !== undefined ? withStandIns(store, servers(options.bootstrap)) : store,
    secrets,
    workers,
    alerts: new RuleFiles(join(stateFolder, 'rules')),
    events: new ConsoleEvents(announcer),
    election: new AlwaysLeader(),
    adminFactory: platformaticAdmin,
    clock: systemClock,
    logger,
    metrics,
    validate: validateResource,
    // Whoever writes these files runs these workers: an application on the same machine is theirs to call.
    options: { callsAllow: LOOPBACK },
  })
  return { operator, store, workers, metrics, secrets }
}

const nothing = (): Promise<void> => Promise.resolve()

/** The start script: it knows what a worker wants of Node. */
const workerCommand = (): readonly [string, ...string[]] => [fileURLToPath(new URL('../../bin/sluice', import.meta.url)), 'worker']

/** Puts another address into every KafkaConnection, for a cluster that is reached in another way from here; undefined: leave them alone. */
function readdress(bootstrap: string | undefined): ((kind: string, spec: unknown) => unknown) | undefined {
  if (bootstrap === undefined) return undefined
  const bootstrapServers = servers(bootstrap)
  return (kind, spec) => (kind === 'KafkaConnection' ? { ...(spec as object), bootstrapServers } : spec)
}
