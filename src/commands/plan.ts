import { Command } from 'commander'
import { refOf } from '../api/resource.ts'
import type { Resource } from '../api/resource.ts'
import { kinds } from '../kinds/index.ts'
import { definition as connection } from '../kinds/kafka-connection/resource.ts'
import { createLogger } from '../observability/logger.ts'
import type { Operator } from '../operator/operator.ts'
import type { ResourceStore } from '../operator/ports.ts'
import type { Format } from './output.ts'
import { outputOption, print } from './output.ts'
import type { PlannedResource } from './plan-text.ts'
import { planText } from './plan-text.ts'
import type { FolderOptions } from './standalone-operator.ts'
import { standaloneOperator, withFolderOptions } from './standalone-operator.ts'

interface Options extends FolderOptions {
  readonly all?: boolean
  readonly output: Format
}

/** `sluice plan -f DIR`: exit status as of `kubectl diff`: 0 nothing differs, 1 something does, 2 could not tell. */
export const planCommand = (): Command =>
  withFolderOptions(new Command('plan'))
    .description(
      'Shows what the resources of a folder would change on the cluster, and writes nothing. Exit status 0: nothing, 1: something, 2: could not tell.',
    )
    .option('--all', 'also say what resources bring and cost that have nothing to change')
    .addOption(outputOption())
    .action(async (options: Options) => {
      const { planned, problems, assumed } = await plan(options)
      print(
        { data: { resources: planned, problems, assumed }, text: [planText(planned, options.all), ...assumed, ...problems] },
        options.output,
      )
      const unknown = problems.length > 0 || planned.some(resource => resource.unknown)
      const differs = planned.some(({ changes, problems }) => changes.length > 0 || problems.some(({ severity }) => severity === 'Stalled'))
      process.exitCode = unknown ? 2 : differs ? 1 : 0
    })

interface Planned {
  readonly planned: readonly PlannedResource[]
  readonly problems: readonly string[]
  /** What the files do not say and the plan took for granted. */
  readonly assumed: readonly string[]
}

async function plan(options: Options): Promise<Planned> {
  const announcer = { say: () => undefined }
  const { operator, store } = standaloneOperator(options, { announcer, logger: createLogger({ level: 'silent' }), readOnly: true })
  const stop = new AbortController()
  try {
    await store.start(
      kinds.map(kind => kind.definition.kind),
      stop.signal,
    )
    const planned: PlannedResource[] = []
    for (const kind of kinds) for (const resource of store.list(kind.definition.kind)) planned.push(await planOne(resource, operator))
    return { planned, problems: store.problems(), assumed: options.bootstrap === undefined ? [] : assumptions(store, options.bootstrap) }
  } finally {
    stop.abort()
    await operator.close()
  }
}

/** One line for each KafkaConnection that a resource names and that is not among the files. */
function assumptions(store: Pick<ResourceStore, 'list' | 'get'>, bootstrap: string): readonly string[] {
  const lines = kinds.flatMap(kind =>
    store.list(kind.definition.kind).flatMap(resource => {
      const name = kind.connectionOf(resource)
      const { namespace } = resource.metadata
      if (name === undefined || store.get({ kind: connection.kind, namespace, name }) !== undefined) return []
      return [
        `KafkaConnection/${namespace}/${name} is not among the files: assumed at ${bootstrap}, without credentials, defaults and allowedTopics`,
      ]
    }),
  )
  return [...new Set(lines)]
}

async function planOne(resource: Resource, operator: Operator): Promise<PlannedResource> {
  const ref = refOf(resource)
  const report = await operator.planOnly(ref)
  return { ...ref, ...report, unknown: report.problems.some(problem => CANNOT_TELL.has(problem.reason)) }
}

/** Where the cluster was not seen, no change is no answer. */
const CANNOT_TELL: ReadonlySet<string> = new Set(['ConnectionNotFound', 'ConnectionNotReady', 'SecretNotFound', 'InternalError'])
