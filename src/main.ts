import { Command, CommanderError } from 'commander'
import manifest from '../package.json' with { type: 'json' }

/** A command as the overview knows it; its module, and what that imports, is loaded only when it is asked for. */
interface Entry {
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<Command>
}

const ENTRIES: readonly Entry[] = [
  {
    name: 'run',
    summary: 'reconcile a folder of resource files, without Kubernetes',
    load: async () => (await import('./commands/run.ts')).runCommand(),
  },
  {
    name: 'plan',
    summary: 'show what would change on the cluster, write nothing',
    load: async () => (await import('./commands/plan.ts')).planCommand(),
  },
  {
    name: 'validate',
    summary: 'check resource files offline',
    load: async () => (await import('./commands/validate.ts')).validateCommand(),
  },
  {
    name: 'operator',
    summary: 'reconcile resources of a Kubernetes cluster',
    load: async () => (await import('./commands/operator.ts')).operatorCommand(),
  },
  {
    name: 'worker',
    summary: 'do the work of a contract that an operator wrote',
    load: async () => (await import('./commands/worker.ts')).workerCommand(),
  },
  {
    name: 'groups',
    summary: 'consumer groups: members, and lag per partition',
    load: async () => (await import('./commands/groups.ts')).groupsCommand(),
  },
  {
    name: 'offsets',
    summary: 'move the offsets of an inactive consumer group',
    load: async () => (await import('./commands/offsets.ts')).offsetsCommand(),
  },
  {
    name: 'delay',
    summary: 'look into a DelayQueue: what waits, what is overdue; cancel',
    load: async () => (await import('./commands/delay.ts')).delayCommand(),
  },
  {
    name: 'dlq',
    summary: 'dead letters of a DeadLetterPipeline: look, redrive, discard',
    load: async () => (await import('./commands/dlq.ts')).dlqCommand(),
  },
  {
    name: 'sizes',
    summary: 'bytes on disk per topic and partition',
    load: async () => (await import('./commands/sizes.ts')).sizesCommand(),
  },
  {
    name: 'clean',
    summary: 'delete the oldest records of a topic',
    load: async () => (await import('./commands/clean.ts')).cleanCommand(),
  },
]

/** Exit status of every command: 0 done, 1 a negative answer (invalid, differences, refused), 2 could not run. */
const COULD_NOT_RUN = 2

async function program(args: readonly string[]): Promise<Command> {
  const asked = args.find(arg => !arg.startsWith('-'))
  const root = new Command('sluice')
    .description(manifest.description)
    .version(manifest.version, '-V, --version')
    .helpCommand(false)
    .showHelpAfterError('(--help shows what is possible)')
  for (const entry of ENTRIES) {
    const command = entry.name === asked ? await entry.load() : new Command(entry.name)
    root.addCommand(command.summary(entry.summary))
  }
  throwInsteadOfExit(root)
  return root
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride()
  command.commands.forEach(throwInsteadOfExit)
}

/** `help NAME` is `NAME --help`. */
const normalised = (args: readonly string[]): readonly string[] => (args[0] === 'help' ? [...args.slice(1, 2), '--help'] : args)

/** A mistake of the user, or of the world, is told in one line; a mistake of ours with its stack. */
function report(error: unknown): void {
  const ours = error instanceof TypeError || error instanceof ReferenceError || !(error instanceof Error)
  process.stderr.write(`error: ${ours ? ((error as Error | undefined)?.stack ?? String(error)) : error.message}\n`)
}

const args = normalised(process.argv.slice(2))
try {
  await (await program(args)).parseAsync(args.length === 0 ? ['--help'] : args, { from: 'user' })
} catch (error) {
  if (!(error instanceof CommanderError)) report(error)
  process.exitCode = error instanceof CommanderError && error.exitCode === 0 ? 0 : COULD_NOT_RUN
}
