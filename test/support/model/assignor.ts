import type { TopicPartition } from '../../../src/kafka/log.ts'
import { nameOf } from './partition.ts'

export interface Claimant {
  readonly topics: readonly string[]
  readonly owned: readonly TopicPartition[]
}

/**
 * The cooperative sticky assignor: members keep what they own up to their fair share; what has to move is given to nobody in this round, since its
 * owner must let go first.
 */
export function share<Member extends Claimant>(
  members: readonly Member[],
  partitions: readonly TopicPartition[],
): ReadonlyMap<Member, readonly TopicPartition[]> {
  const owners = new Map<string, Member[]>()
  for (const member of members) for (const each of member.owned) owners.set(nameOf(each), [...(owners.get(nameOf(each)) ?? []), member])
  const kept = new Map<Member, TopicPartition[]>(members.map(member => [member, []]))
  const takes = ({ topics }: Member, { topic }: TopicPartition): boolean => topics.includes(topic)
  const most = Math.ceil(partitions.length / members.length)
  let larger = partitions.length - Math.floor(partitions.length / members.length) * members.length
  if (larger === 0) larger = members.length
  const free: TopicPartition[] = []
  for (const partition of partitions) {
    const claims = (owners.get(nameOf(partition)) ?? []).filter(owner => takes(owner, partition))
    const [owner] = claims
    const list = owner === undefined || claims.length > 1 ? undefined : kept.get(owner)
    const room = list === undefined ? false : list.length < most - 1 || (list.length < most && larger > 0)
    if (list !== undefined && room) {
      list.push(partition)
      if (list.length === most) larger -= 1
    } else if (claims.length === 0) free.push(partition)
  }
  for (const partition of free) {
    const lists = members.flatMap(member => (takes(member, partition) ? [kept.get(member) ?? []] : []))
    if (lists.length > 0) lists.reduce((a, b) => (b.length < a.length ? b : a)).push(partition)
  }
  return kept
}
