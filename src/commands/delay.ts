import { Command } from 'commander'
import { parseDuration } from '../api/duration.ts'
import type { EpochMs } from '../api/resource.ts'
import type { ClusterOptions } from './cluster-options.ts'
import { withClusterOptions } from './cluster-options.ts'
import { cancel } from './delay/cancel.ts'
import { get, partitionsOf } from './delay/get.ts'
import { peek, pending } from './delay/listing.ts'
import { withDesk } from './delay/open.ts'
import { withQueueOptions } from './delay/queue.ts'
import type { QueueOptions } from './delay/queue.ts'
import { parseWhen } from './delay/shown.ts'
import { stats } from './delay/stats.ts'
import { askWorkers, parseWorkerUrl } from './delay/workers.ts'
import type { Format } from './output.ts'
import { outputOption, print } from './output.ts'

interface Options extends ClusterOptions, QueueOptions {
  readonly output: Format
}

/** `sluice delay stats | pending | peek | get | cancel`: what waits in a DelayQueue, read from Kafka itself: no worker has to be reached. */
export const delayCommand = (): Command =>
  new Command('delay')
    .description(
      'Looks into a DelayQueue: counts, lists and finds what waits, and cancels. Read from Kafka: it works when the workers do not.',
    )
    .addCommand(statsCommand())
    .addCommand(pendingCommand())
    .addCommand(peekCommand())
    .addCommand(getCommand())
    .addCommand(cancelCommand())

const subcommand = (name: string): Command => withClusterOptions(withQueueOptions(new Command(name))).addOption(outputOption())

const statsCommand = (): Command =>
  subcommand('stats')
    .description('How much waits where, what is overdue, and how the workers are.')
    .option('--scan', 'read every message that waits: exact counts, also of tiers and fixed delays')
    .option(
      '-w, --worker <url>',
      'ask this worker over HTTP as well, e.g. http://127.0.0.1:8080 behind kubectl port-forward; may be repeated',
      parseWorkerUrl,
    )
    .action(async (name: string | undefined, options: Options & { readonly scan?: boolean; readonly worker?: readonly string[] }) => {
      const answer = await withDesk(name, options, async desk => {
        const workers = await askWorkers(options.worker ?? [], `${desk.queue.namespace}/${desk.queue.name}`)
        return stats(desk, options.scan === true, workers)
      })
      print(answer, options.output)
    })

const DEFAULT_LISTED = 100
const DEFAULT_PEEKED = 5

interface WindowOptions extends Options {
  readonly limit: number
  readonly from?: EpochMs
  readonly to?: EpochMs
  readonly key?: string
  readonly partition?: number
}

const withWindow = (command: Command, limit: number): Command =>
  command
    .option('-l, --limit <count>', 'at most so many messages', parseCount, limit)
    .option('--from <when>', 'only what is due from then on: RFC 3339, epoch ms, or a duration from now such as 5m', parseWhen)
    .option('--to <when>', 'only what is due until then', parseWhen)
    .option('--key <key>', 'only the partition of this record key')
    .option('--partition <number>', 'only this partition', parsePartition)

const windowOf = (options: WindowOptions, desk: Parameters<typeof partitionsOf>[0]) => ({
  limit: options.limit,
  fromMs: options.from ?? -Infinity,
  toMs: options.to ?? Infinity,
  partitions: partitionsOf(desk, options),
})

const pendingCommand = (): Command =>
  withWindow(subcommand('pending'), DEFAULT_LISTED)
    .description('Lists what waits, the first due first.')
    .action(async (name: string | undefined, options: WindowOptions) => {
      print(await withDesk(name, options, desk => pending(desk, windowOf(options, desk))), options.output)
    })

const peekCommand = (): Command =>
  withWindow(subcommand('peek'), DEFAULT_PEEKED)
    .description('Shows the messages that are due next, with their headers.')
    .option('--payload', 'and their payloads, as text')
    .action(async (name: string | undefined, options: WindowOptions & { readonly payload?: boolean }) => {
      print(await withDesk(name, options, desk => peek(desk, windowOf(options, desk), options.payload === true)), options.output)
    })

interface IdOptions extends Options {
  readonly id: string
  readonly key?: string
  readonly partition?: number
}

const getCommand = (): Command =>
  subcommand('get')
    .description('Finds what waits under a sluice-id, and what is remembered of it. With --key only in the partition of the key.')
    .requiredOption('--id <id>', 'the sluice-id')
    .option('--key <key>', 'record key of the message')
    .option('--partition <number>', 'partition of the message', parsePartition)
    .option('--history', 'also what the input and the dead letters still say of it')
    .action(async (name: string | undefined, options: IdOptions & { readonly history?: boolean }) => {
      print(await withDesk(name, options, desk => get(desk, options, options.history === true)), options.output)
    })

const DEFAULT_WAIT_MS = 30_000

const cancelCommand = (): Command =>
  subcommand('cancel')
    .description('Cancels what waits under a sluice-id. Shows what it would end; --execute writes the cancel.')
    .requiredOption('--id <id>', 'the sluice-id')
    .option('--key <key>', 'record key of the message: the id belongs to its partition')
    .option('--partition <number>', 'partition, where the producer chose it otherwise than Java does', parsePartition)
    .option('--execute', 'write the cancel')
    .option('--wait [duration]', 'with --execute: until a worker has carried it out, 30s by default', parseDuration)
    .action(async (name: string | undefined, options: IdOptions & { readonly execute?: boolean; readonly wait?: number | true }) => {
      if (options.key === undefined && options.partition === undefined)
        throw new Error('the id belongs to the partition of its message: give --key, the record key of the message, or --partition')
      const waitMs = options.wait === true ? DEFAULT_WAIT_MS : options.wait
      const { answer, failed } = await withDesk(name, options, (desk, log) =>
        cancel(desk, log, { ...options, execute: options.execute === true, waitMs }),
      )
      print(answer, options.output)
      if (failed) process.exitCode = 1
    })

const MOST_LISTED = 100_000
function parseCount(text: string): number {
  const count = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0
  if (count < 1 || count > MOST_LISTED) throw new Error(`--limit: "${text.slice(0, 40)}" is not a number from 1 to ${MOST_LISTED}`)
  return count
}

function parsePartition(text: string): number {
  if (!/^[0-9]{1,6}$/.test(text)) throw new Error(`--partition: "${text.slice(0, 40)}" is not the number of a partition`)
  return Number(text)
}
