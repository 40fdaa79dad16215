import { closeSync, openSync } from 'node:fs'
import { Command } from 'commander'
import { withClusterOptions } from './cluster-options.ts'
import { exportTo, groups, list, show } from './dlq/look.ts'
import { move } from './dlq/move.ts'
import { withDeadLetters, withPipelineOptions } from './dlq/open.ts'
import type { PipelineOptions } from './dlq/open.ts'
import { selectOf, withSelectOptions } from './dlq/select.ts'
import type { SelectOptions } from './dlq/select.ts'
import { outputOption, print } from './output.ts'
import type { Format } from './output.ts'

interface Options extends PipelineOptions, SelectOptions {
  readonly output: Format
  readonly limit: number
  readonly unhandled?: boolean
}

/** `sluice dlq list | groups | show | export | redrive | discard`: the dead letters of a pipeline, read from Kafka itself. */
export const dlqCommand = (): Command =>
  new Command('dlq')
    .description(
      'Looks at the dead letters of a DeadLetterPipeline, delivers them again, or discards them. Read from Kafka: no operator is needed.',
    )
    .addCommand(listCommand())
    .addCommand(groupsCommand())
    .addCommand(showCommand())
    .addCommand(exportCommand())
    .addCommand(redriveCommand())
    .addCommand(discardCommand())

const subcommand = (name: string): Command => withClusterOptions(withPipelineOptions(new Command(name)))

const withLook = (command: Command, limit: number): Command =>
  withSelectOptions(command)
    .option('-l, --limit <count>', 'at most so many', parseCount, limit)
    .option('--unhandled', 'only what was neither redriven nor discarded')

const lookOf = ({ limit, unhandled }: Options) => ({ limit, unhandled: unhandled === true })

const listCommand = (): Command =>
  withLook(subcommand('list'), 100)
    .description('Lists dead letters, the oldest of each partition first.')
    .addOption(outputOption())
    .action(async (name: string, options: Options) => {
      print(await withDeadLetters(name, options, desk => list(desk, selectOf(options) ?? { all: true }, lookOf(options))), options.output)
    })

const groupsCommand = (): Command =>
  withLook(subcommand('groups'), 50)
    .description('Groups dead letters by fingerprint: how many, since when, and one of each as a sample.')
    .addOption(outputOption())
    .action(async (name: string, options: Options) => {
      print(await withDeadLetters(name, options, desk => groups(desk, selectOf(options) ?? { all: true }, lookOf(options))), options.output)
    })

const showCommand = (): Command =>
  subcommand('show')
    .description('Shows one dead letter with its headers.')
    .requiredOption('--partition <number>', 'its partition', parseNumber('--partition'))
    .requiredOption('--offset <number>', 'its offset', parseNumber('--offset'))
    .option('--payload', 'and its key and value')
    .addOption(outputOption())
    .action(
      async (name: string, options: Options & { readonly partition: number; readonly offset: number; readonly payload?: boolean }) => {
        const { partition, offset, payload } = options
        print(await withDeadLetters(name, options, desk => show(desk, partition, offset, payload === true)), options.output)
      },
    )

const exportCommand = (): Command =>
  withLook(subcommand('export'), Number.MAX_SAFE_INTEGER)
    .description('Writes dead letters with headers and payloads, one JSON document a line; what is not text is in Base64.')
    .option('--file <path>', 'where to; standard output when absent')
    .action(async (name: string, options: Options & { readonly file?: string }) => {
      const file = options.file === undefined ? 1 : openSync(options.file, 'w', 0o600)
      try {
        const written = await withDeadLetters(name, options, desk =>
          exportTo(file, desk, selectOf(options) ?? { all: true }, lookOf(options)),
        )
        process.stderr.write(`${written} dead letters were written\n`)
      } finally {
        if (file !== 1) closeSync(file)
      }
    })

interface MoveFlags extends Options {
  readonly execute?: boolean
  readonly topic?: string
  readonly rate?: number
  readonly max?: number
  readonly maxRedrives?: number
}

const withMove = (command: Command, what: string): Command =>
  withSelectOptions(command)
    .option('--all', 'all dead letters')
    .option('--rate <count>', 'at most so many a second', parseCount)
    .option('--max <count>', 'at most so many in all', parseCount)
    .option('--execute', what)
    .addOption(outputOption())

async function moved(name: string, options: MoveFlags, action: 'Redrive' | 'Discard'): Promise<void> {
  const select = selectOf(options)
  if (select === undefined)
    throw new Error('which dead letters? Give --all, or some of --fingerprint, --class, --key, --header, --from, --to, --offsets')
  const { topic, rate, max, maxRedrives, execute } = options
  const wish = {
    action,
    select,
    execute: execute === true,
    ...(topic !== undefined && { topic }),
    ...(rate !== undefined && { rate }),
    ...(max !== undefined && { max }),
    ...(maxRedrives !== undefined && { maxRedrives }),
  }
  print(await withDeadLetters(name, options, desk => move(desk, wish)), options.output)
}

const redriveCommand = (): Command =>
  withMove(subcommand('redrive'), 'do it, in this process: it can be stopped and run again, nothing moves twice')
    .description('Delivers dead letters again to the application of the pipeline, each once. Tells what would be moved; --execute moves.')
    .option('--topic <topic>', 'write to this topic instead')
    .option('--max-redrives <count>', 'leave what was redriven so often, 3 by default', parseCount)
    .action((name: string, options: MoveFlags) => moved(name, options, 'Redrive'))

const discardCommand = (): Command =>
  withMove(subcommand('discard'), 'do it')
    .description('Marks dead letters as handled, so that no redrive moves them; they stay until retention deletes them. --execute marks.')
    .action((name: string, options: MoveFlags) => moved(name, options, 'Discard'))

function parseCount(text: string): number {
  const count = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0
  if (count < 1) throw new Error(`"${text.slice(0, 40)}" is not a number from 1`)
  return count
}

const parseNumber =
  (flag: string) =>
  (text: string): number => {
    if (!/^[0-9]{1,15}$/.test(text)) throw new Error(`${flag}: "${text.slice(0, 40)}" is not a number from 0`)
    return Number(text)
  }
