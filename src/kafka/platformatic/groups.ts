import {
  consumerGroupDescribeV0,
  decodeConsumerProtocolAssignment,
  deleteGroupsV2,
  describeGroupsV5,
  listGroupsV4,
  listGroupsV5,
  offsetCommitV8,
  offsetFetchV8,
} from '@platformatic/kafka'
import type { CommittedOffset, GroupDescription, GroupListing, TopicPartitions } from '../admin.ts'
import { KafkaError } from '../errors.ts'
import type { Brokers } from './brokers.ts'
import { grouped } from './chunks.ts'
import { itemError } from './errors.ts'

const LIST_GROUPS = 16
const CONSUMER_GROUP_DESCRIBE = 69
const GROUP_ID_NOT_FOUND = 69
const NO_GENERATION = -1

const aboutGroup = (groupId: string): string => `group "${groupId}"`

export async function listGroups(brokers: Brokers): Promise<readonly GroupListing[]> {
  const [{ brokers: live }, { maxVersion }] = await Promise.all([brokers.metadata([]), brokers.abilities()])
  const typed = (maxVersion.get(LIST_GROUPS) ?? 0) >= 5
  const answers = await Promise.all(
    live.map(async address => {
      const connection = await brokers.at(address)
      const { errorCode, groups } = typed
        ? await brokers.ask(connection, 'listGroups', listGroupsV5.api, [], [])
        : await brokers.ask(connection, 'listGroups', listGroupsV4.api, [], [])
      const error = itemError('listGroups', errorCode)
      if (error !== undefined) throw error
      return groups.map(group => ({
        id: group.groupId,
        state: group.groupState,
        protocol: protocolOf('groupType' in group ? group.groupType : 'classic'),
      }))
    }),
  )
  return answers.flat().sort((a, b) => (a.id < b.id ? -1 : 1))
}

const protocolOf = (type: string): GroupListing['protocol'] => {
  const lower = type.toLowerCase()
  return lower === 'classic' || lower === 'consumer' ? lower : 'other'
}

/** A group of the new protocol (KIP-848) answers only the new request; the old one calls a living group dead. */
export async function describeGroup(brokers: Brokers, groupId: string): Promise<GroupDescription> {
  const { maxVersion } = await brokers.abilities()
  const modern = maxVersion.has(CONSUMER_GROUP_DESCRIBE) ? await describeModern(brokers, groupId) : undefined
  return modern ?? describeClassic(brokers, groupId)
}

async function describeModern(brokers: Brokers, groupId: string): Promise<GroupDescription | undefined> {
  const { groups } = await brokers.ask(
    await brokers.coordinator(groupId),
    'consumerGroupDescribe',
    consumerGroupDescribeV0.api,
    [groupId],
    false,
  )
  const [group] = groups
  if (group === undefined || group.errorCode === GROUP_ID_NOT_FOUND) return undefined
  const error = itemError(aboutGroup(groupId), group.errorCode, group.errorMessage)
  if (error !== undefined) throw error
  return {
    id: groupId,
    state: group.groupState,
    protocol: 'consumer',
    members: group.members.map(member => ({
      memberId: member.memberId,
      clientId: member.clientId,
      host: member.clientHost,
      assignments: member.assignment.topicPartitions.map(({ topicName, partitions }) => ({ topic: topicName, partitions })),
    })),
  }
}

async function describeClassic(brokers: Brokers, groupId: string): Promise<GroupDescription> {
  const { groups } = await brokers.ask(await brokers.coordinator(groupId), 'describeGroups', describeGroupsV5.api, [groupId], false)
  const [group] = groups
  const error = itemError(aboutGroup(groupId), group?.errorCode ?? GROUP_ID_NOT_FOUND)
  if (error !== undefined) throw error
  // Old brokers call a group that never was "Dead".
  if (group === undefined || group.groupState === 'Dead')
    throw new KafkaError('UnknownGroup', `${aboutGroup(groupId)} does not exist`, { retriable: false })
  return {
    id: groupId,
    state: group.groupState,
    protocol: 'classic',
    members: group.members.map(member => ({
      memberId: member.memberId,
      clientId: member.clientId,
      host: member.clientHost,
      assignments: group.protocolType === 'consumer' ? assignmentsOf(member.memberAssignment) : [],
    })),
  }
}

function assignmentsOf(assignment: Buffer): readonly TopicPartitions[] {
  // Empty while the group rebalances.
  if (assignment.length === 0) return []
  return [...decodeConsumerProtocolAssignment(assignment).assignedPartitions].map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.toSorted((a, b) => a - b),
  }))
}

export async function groupOffsets(brokers: Brokers, groupId: string): Promise<readonly CommittedOffset[]> {
  const wanted = [{ groupId, memberEpoch: NO_GENERATION, topics: null }]
  const { groups } = await brokers.ask(await brokers.coordinator(groupId), 'offsetFetch', offsetFetchV8.api, wanted, false)
  const error = itemError(aboutGroup(groupId), groups[0]?.errorCode ?? 0)
  if (error !== undefined && error.code !== 'UnknownGroup') throw error
  return (groups[0]?.topics ?? []).flatMap(({ name, partitions }) =>
    partitions.flatMap(({ partitionIndex, committedOffset, metadata }) =>
      committedOffset < 0n ? [] : [{ topic: name, partition: partitionIndex, offset: committedOffset, metadata: textOf(metadata) }],
    ),
  )
}

/** librdkafka ends the metadata of transactional commits with a null character, as a text in C is (seen with 2.11). */
const textOf = (metadata: string | null | undefined): string => (metadata ?? '').replace(/\0$/, '')

export async function alterGroupOffsets(
  brokers: Brokers,
  groupId: string,
  offsets: readonly { readonly topic: string; readonly partition: number; readonly offset: bigint }[],
): Promise<void> {
  const topics = [...grouped(offsets, one => one.topic)].map(([name, own]) => ({
    name,
    // Never null: readers of the metadata, ours among them, expect a text.
    partitions: own.map(({ partition, offset }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: -1,
      committedMetadata: '',
    })),
  }))
  const response = await brokers.ask(
    await brokers.coordinator(groupId),
    'offsetCommit',
    offsetCommitV8.api,
    groupId,
    NO_GENERATION,
    '',
    null,
    topics,
  )
  for (const { name, partitions } of response.topics) {
    for (const { partitionIndex, errorCode } of partitions) {
      const error = itemError(`${aboutGroup(groupId)}, topic "${name}" partition ${partitionIndex}`, errorCode)
      if (error !== undefined) throw error
    }
  }
}

export async function deleteGroup(brokers: Brokers, groupId: string): Promise<void> {
  const { results } = await brokers.ask(await brokers.coordinator(groupId), 'deleteGroups', deleteGroupsV2.api, [groupId])
  const error = itemError(aboutGroup(groupId), results[0]?.errorCode ?? 0)
  if (error !== undefined) throw error
}
