import { Command } from 'commander'
import type { EpochMs } from '../api/resource.ts'
import { formatSize } from '../api/size.ts'
import { isInternalTopic } from '../api/topic-name.ts'
import type { KafkaAdmin } from '../kafka/admin.ts'
import type { ClusterOptions } from './cluster-options.ts'
import { withAdmin, withClusterOptions } from './cluster-options.ts'
import { parseMoment, parseOffset } from './moments.ts'
import type { Position } from './offsets-at.ts'
import { offsetsAt, positionKey } from './offsets-at.ts'
import type { Answer, Format, Table } from './output.ts'
import { outputOption, print } from './output.ts'
import type { TopicArgument } from './topic-argument.ts'
import { existingPartitions, parseTopicArgument } from './topic-argument.ts'

interface Options extends ClusterOptions {
  readonly topic: TopicArgument
  readonly before: readonly string[]
  readonly execute?: boolean
  readonly output: Format
}

/** `sluice clean --topic T --before offset N | datetime INSTANT` */
export const cleanCommand = (): Command =>
  withClusterOptions(new Command('clean'))
    .description(
      'Asks the brokers to delete the oldest records of a topic (DeleteRecords; no file is touched). Shows what would go; --execute deletes.',
    )
    .requiredOption('-t, --topic <topic[:0,1]>', 'topic, or some of its partitions', parseTopicArgument)
    .requiredOption('--before <bound...>', 'offset N | datetime INSTANT: what is older goes, the bound itself stays')
    .option('--execute', 'delete for good')
    .addOption(outputOption())
    .action(async (options: Options) => {
      const bound = parseBound(options.before)
      print(await withAdmin(options, admin => clean(admin, bound, options)), options.output)
    })

type Bound = { readonly before: 'offset'; readonly offset: number } | { readonly before: 'datetime'; readonly at: EpochMs }

/** @throws Error naming the two forms. */
export function parseBound(words: readonly string[]): Bound {
  const [before, value = '', ...more] = words.length === 1 ? (words[0] ?? '').split(/=(.*)/s, 2) : words
  if (more.length === 0 && value !== '' && before === 'offset') return { before, offset: parseOffset(value, '--before offset') }
  if (more.length === 0 && value !== '' && before === 'datetime') return { before, at: parseMoment(value) }
  throw new Error(`--before takes offset N or datetime INSTANT, not "${words.join(' ').slice(0, 60)}"`)
}

/** What goes from one partition. Record counts are offsets: markers of transactions and compacted records count as well. */
interface Cut extends Position {
  readonly start: number
  readonly end: number
  readonly newStart: number
  readonly records: number
  /** In proportion to the records: an estimate. */
  readonly bytes: number
}

async function clean(admin: KafkaAdmin, bound: Bound, { topic: argument, execute }: Options): Promise<Answer> {
  const { topic } = argument
  const positions = await existingPartitions(admin, [argument])
  await refuse(admin, topic)
  const cuts = await plannedCuts(admin, bound, topic, positions)
  const going = cuts.filter(cut => cut.records > 0)
  if (execute === true && going.length > 0) await deleteBefore(admin, going)
  const records = going.reduce((sum, cut) => sum + cut.records, 0)
  const bytes = going.reduce((sum, cut) => sum + cut.bytes, 0)
  const amount = `${records} records, about ${formatSize(bytes)}`
  const remark =
    execute === true
      ? `deleted ${amount}`
      : `dry run: nothing was deleted; ${amount} would go${records > 0 ? '; --execute deletes them for good' : ''}`
  return { data: { topic, executed: execute === true, records, bytes, partitions: cuts }, text: [cutTable(cuts), remark] }
}

async function refuse(admin: KafkaAdmin, topic: string): Promise<void> {
  if (isInternalTopic(topic)) throw new Error(`${topic} is an internal topic of Kafka: deleting from it loses offsets or transactions`)
  const policy = (await admin.describeConfigs([topic], ['cleanup.policy'])).get(topic)?.get('cleanup.policy')?.value
  if (policy === 'compact')
    throw new Error(`topic ${topic} has cleanup.policy=compact: brokers delete records only where the policy includes delete`)
}

async function plannedCuts(admin: KafkaAdmin, bound: Bound, topic: string, positions: readonly Position[]): Promise<readonly Cut[]> {
  const starts = await offsetsAt(admin, positions, 'earliest')
  const ends = await offsetsAt(admin, positions, 'latest')
  const times = bound.before === 'datetime' ? await offsetsAt(admin, positions, { timestamp: bound.at }) : undefined
  const sizes = (await admin.logDirSizes([{ topic, partitions: positions.map(position => position.partition) }])).get(topic)
  return positions.map(position => {
    const key = positionKey(position)
    const [start, end] = [starts.get(key), ends.get(key)]
    if (start === undefined || end === undefined)
      throw new Error(
        `the brokers do not tell the offsets of ${topic} partition ${position.partition}: it has no leader; try again once it has`,
      )
    const wanted = bound.before === 'offset' ? bound.offset : (times?.get(key) ?? end)
    const newStart = Math.min(Math.max(wanted, start), end)
    const share = end === start ? 0 : (newStart - start) / (end - start)
    return {
      ...position,
      start,
      end,
      newStart,
      records: newStart - start,
      bytes: Math.round(share * (sizes?.get(position.partition) ?? 0)),
    }
  })
}

async function deleteBefore(admin: KafkaAdmin, cuts: readonly Cut[]): Promise<void> {
  const answers = await admin.deleteRecords(cuts.map(({ topic, partition, newStart }) => ({ topic, partition, offset: BigInt(newStart) })))
  const failed = answers.filter(answer => answer.error !== undefined)
  if (failed.length === 0) return
  const reasons = failed.map(({ topic, partition, error }) => `${topic} partition ${partition}: ${error?.message ?? ''}`)
  throw new Error(
    `the brokers deleted from ${answers.length - failed.length} partitions and refused ${failed.length}: ${reasons.slice(0, 5).join('; ')}`,
  )
}

const cutTable = (cuts: readonly Cut[]): Table => ({
  columns: [
    { heading: 'TOPIC' },
    { heading: 'PARTITION', align: 'right' },
    { heading: 'START', align: 'right' },
    { heading: 'NEW START', align: 'right' },
    { heading: 'END', align: 'right' },
    { heading: 'RECORDS', align: 'right' },
    { heading: 'ABOUT', align: 'right' },
  ],
  rows: cuts.map(({ topic, partition, start, newStart, end, records, bytes }) => [
    topic,
    partition,
    start,
    newStart,
    end,
    records,
    formatSize(bytes),
  ]),
})
