import { Command } from 'commander'
import type { CommittedOffset, GroupDescription, GroupListing, KafkaAdmin } from '../kafka/admin.ts'
import type { ClusterOptions } from './cluster-options.ts'
import { withAdmin, withClusterOptions } from './cluster-options.ts'
import { offsetsAt, positionKey } from './offsets-at.ts'
import type { Answer, Format, Table } from './output.ts'
import { outputOption, print } from './output.ts'

interface Options extends ClusterOptions {
  readonly group?: string
  readonly output: Format
}

/** `sluice groups [--group NAME]` */
export const groupsCommand = (): Command =>
  withClusterOptions(new Command('groups'))
    .description('Lists consumer groups with members and lag; with --group the members of one and its lag per partition.')
    .option('-g, --group <name>', 'only this group, in detail')
    .addOption(outputOption())
    .action(async (options: Options) => {
      const answer = await withAdmin(options, admin => (options.group === undefined ? overview(admin) : detail(admin, options.group)))
      print(answer, options.output)
    })

/** Groups asked for at the same time: enough to hide the round trip, few enough not to bother a coordinator. */
const AT_ONCE = 8

interface Lag {
  readonly topic: string
  readonly partition: number
  readonly committed: number | undefined
  readonly end: number | undefined
  /** Records between the committed offset and the end; undefined when either is not known. */
  readonly lag: number | undefined
  readonly clientId: string | undefined
  readonly host: string | undefined
}

async function overview(admin: KafkaAdmin): Promise<Answer> {
  const listed = [...(await admin.listGroups())].sort((a, b) => (a.id < b.id ? -1 : 1))
  const seen: { listing: GroupListing; group: GroupDescription; offsets: readonly CommittedOffset[] }[] = []
  for (let i = 0; i < listed.length; i += AT_ONCE) {
    const chunk = listed.slice(i, i + AT_ONCE)
    seen.push(...(await Promise.all(chunk.map(async listing => ({ listing, ...(await look(admin, listing.id)) })))))
  }
  const ends = await offsetsAt(admin, distinct(seen.flatMap(entry => entry.offsets)), 'latest')
  const groups = seen.map(({ listing, group, offsets }) => ({
    group: listing.id,
    state: listing.state,
    protocol: listing.protocol,
    members: group.members.length,
    topics: new Set(offsets.map(offset => offset.topic)).size,
    lag: total(offsets.map(offset => lagOf(Number(offset.offset), ends.get(positionKey(offset))))),
  }))
  const table: Table = {
    columns: [
      { heading: 'GROUP' },
      { heading: 'STATE' },
      { heading: 'PROTOCOL' },
      { heading: 'MEMBERS', align: 'right' },
      { heading: 'TOPICS', align: 'right' },
      { heading: 'LAG', align: 'right' },
    ],
    rows: groups.map(group => [group.group, group.state, group.protocol, group.members, group.topics, group.lag]),
  }
  return { data: { groups }, text: [groups.length === 0 ? 'no consumer groups' : table] }
}

async function look(
  admin: KafkaAdmin,
  id: string,
): Promise<{ readonly group: GroupDescription; readonly offsets: readonly CommittedOffset[] }> {
  const [group, offsets] = await Promise.all([admin.describeGroup(id), admin.groupOffsets(id)])
  return { group, offsets }
}

async function detail(admin: KafkaAdmin, id: string): Promise<Answer> {
  const { group, offsets } = await look(admin, id)
  const assigned = group.members.flatMap(({ clientId, host, assignments }) =>
    assignments.flatMap(({ topic, partitions }) => partitions.map(partition => ({ topic, partition, clientId, host }))),
  )
  const positions = distinct([...offsets, ...assigned])
  const ends = await offsetsAt(admin, positions, 'latest')
  const committed = new Map(offsets.map(offset => [positionKey(offset), Number(offset.offset)]))
  const owners = new Map(assigned.map(owner => [positionKey(owner), owner]))
  const partitions = positions.map((position): Lag => {
    const key = positionKey(position)
    const owner = owners.get(key)
    const [at, end] = [committed.get(key), ends.get(key)]
    return { ...position, committed: at, end, lag: lagOf(at, end), clientId: owner?.clientId, host: owner?.host }
  })
  const members = group.members.map(({ memberId, clientId, host, assignments }) => ({ memberId, clientId, host, assignments }))
  const lag = total(partitions.map(partition => partition.lag))
  const data = { group: id, state: group.state, protocol: group.protocol, lag, members, partitions }
  return { data, text: [`group ${id}: ${group.state}, ${members.length} members, lag ${lag}`, memberTable(group), lagTable(partitions)] }
}

const memberTable = (group: GroupDescription): string | Table =>
  group.members.length === 0
    ? 'no members'
    : {
        columns: [{ heading: 'MEMBER' }, { heading: 'CLIENT' }, { heading: 'HOST' }, { heading: 'PARTITIONS', align: 'right' }],
        rows: group.members.map(({ memberId, clientId, host, assignments }) => [
          memberId,
          clientId,
          host,
          assignments.reduce((sum, { partitions }) => sum + partitions.length, 0),
        ]),
      }

const lagTable = (partitions: readonly Lag[]): string | Table =>
  partitions.length === 0
    ? 'nothing committed'
    : {
        columns: [
          { heading: 'TOPIC' },
          { heading: 'PARTITION', align: 'right' },
          { heading: 'COMMITTED', align: 'right' },
          { heading: 'END', align: 'right' },
          { heading: 'LAG', align: 'right' },
          { heading: 'CLIENT' },
          { heading: 'HOST' },
        ],
        rows: partitions.map(({ topic, partition, committed, end, lag, clientId, host }) => [
          topic,
          partition,
          committed,
          end,
          lag,
          clientId,
          host,
        ]),
      }

const lagOf = (committed: number | undefined, end: number | undefined): number | undefined =>
  committed === undefined || end === undefined ? undefined : Math.max(0, end - committed)

const total = (lags: readonly (number | undefined)[]): number => lags.reduce<number>((sum, lag) => sum + (lag ?? 0), 0)

function distinct(
  positions: readonly { readonly topic: string; readonly partition: number }[],
): readonly { readonly topic: string; readonly partition: number }[] {
  const byKey = new Map(positions.map(({ topic, partition }) => [positionKey({ topic, partition }), { topic, partition }]))
  return [...byKey.values()].sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition))
}
