import { Command } from 'commander'
import type { GroupDescription, KafkaAdmin } from '../kafka/admin.ts'
import type { ClusterOptions } from './cluster-options.ts'
import { withAdmin, withClusterOptions } from './cluster-options.ts'
import type { OffsetMove, OffsetTarget } from './offset-target.ts'
import { moveOffset, parseOffsetTarget } from './offset-target.ts'
import { offsetsAt, positionKey } from './offsets-at.ts'
import type { Answer, Format, Table } from './output.ts'
import { outputOption, print } from './output.ts'
import type { TopicArgument } from './topic-argument.ts'
import { collectTopics, existingPartitions } from './topic-argument.ts'

interface Options extends ClusterOptions {
  readonly group: string
  readonly topic: readonly TopicArgument[]
  readonly to: readonly string[]
  readonly execute?: boolean
  readonly output: Format
}

/** `sluice offsets reset ...` */
export const offsetsCommand = (): Command =>
  new Command('offsets').description('Moves the committed offsets of a consumer group.').addCommand(resetCommand())

const resetCommand = (): Command =>
  withClusterOptions(new Command('reset'))
    .description('Moves the committed offsets of a consumer group that is not running. Shows what it would do; --execute does it.')
    .requiredOption('-g, --group <name>', 'consumer group')
    .requiredOption('-t, --topic <topic[:0,1]>', 'topic, or some of its partitions; may be repeated', collectTopics)
    .requiredOption('--to <where...>', 'earliest | latest | offset N | datetime INSTANT | shift-by N')
    .option('--execute', 'write the new offsets')
    .addOption(outputOption())
    .action(async (options: Options) => {
      const target = parseOffsetTarget(options.to)
      const { answer, refused } = await withAdmin(options, admin => reset(admin, target, options))
      print(answer, options.output)
      if (refused !== undefined) process.stderr.write(`${refused}\n`)
      if (refused !== undefined && options.execute === true) process.exitCode = 1
    })

async function reset(
  admin: KafkaAdmin,
  target: OffsetTarget,
  { group, topic, execute }: Options,
): Promise<{ readonly answer: Answer; readonly refused: string | undefined }> {
  const moves = await plannedMoves(admin, target, group, topic)
  const refused = refusal(await admin.describeGroup(group))
  const written = execute === true && refused === undefined
  if (written) await admin.alterGroupOffsets(group, wanted(moves))
  const remark = written
    ? `${changes(moves)} offsets written`
    : `dry run: nothing was written; ${changes(moves)} offsets would change${refused === undefined ? '; --execute writes them' : ''}`
  return { answer: { data: { group, written, refused, offsets: moves }, text: [moveTable(moves), remark] }, refused }
}

async function plannedMoves(
  admin: KafkaAdmin,
  target: OffsetTarget,
  group: string,
  topics: readonly TopicArgument[],
): Promise<readonly OffsetMove[]> {
  const positions = await existingPartitions(admin, topics)
  const earliest = await offsetsAt(admin, positions, 'earliest')
  const latest = await offsetsAt(admin, positions, 'latest')
  const atTime = target.to === 'datetime' ? await offsetsAt(admin, positions, { timestamp: target.at }) : undefined
  const committed = new Map((await admin.groupOffsets(group)).map(offset => [positionKey(offset), Number(offset.offset)]))
  return positions.map(position => {
    const key = positionKey(position)
    const [from, end] = [earliest.get(key), latest.get(key)]
    if (from === undefined || end === undefined) {
      throw new Error(
        `the brokers do not tell the offsets of ${position.topic} partition ${position.partition}: it has no leader; try again once it has`,
      )
    }
    const [time, at] = [atTime?.get(key), committed.get(key)]
    return moveOffset(target, {
      ...position,
      earliest: from,
      latest: end,
      ...(time !== undefined && { atTime: time }),
      ...(at !== undefined && { committed: at }),
    })
  })
}

/** Members would go on from their own positions and overwrite the new offsets. */
function refusal({ id, members }: GroupDescription): string | undefined {
  if (members.length === 0) return undefined
  const clients = [...new Set(members.map(member => `${member.clientId} at ${member.host}`))].slice(0, 5).join(', ')
  return `refused: group ${id} is active with ${members.length} members (${clients}); stop them and run this again`
}

const wanted = (moves: readonly OffsetMove[]) =>
  moves.flatMap(({ topic, partition, to }) => (to === undefined ? [] : [{ topic, partition, offset: BigInt(to) }]))

const changes = (moves: readonly OffsetMove[]): number => moves.filter(({ from, to }) => to !== undefined && from !== to).length

const moveTable = (moves: readonly OffsetMove[]): Table => ({
  columns: [
    { heading: 'TOPIC' },
    { heading: 'PARTITION', align: 'right' },
    { heading: 'COMMITTED', align: 'right' },
    { heading: 'NEW', align: 'right' },
    { heading: 'CHANGE', align: 'right' },
    { heading: 'REMARK' },
  ],
  rows: moves.map(({ topic, partition, from, to, remark }) => [
    topic,
    partition,
    from,
    to ?? 'left alone',
    from === undefined || to === undefined ? undefined : signed(to - from),
    remark ?? '',
  ]),
})

const signed = (difference: number): string => (difference > 0 ? `+${difference}` : String(difference))
