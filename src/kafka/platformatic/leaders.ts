import type { Brokers } from './brokers.ts'
import { chunked } from './chunks.ts'

export interface Target {
  readonly topic: string
  readonly partition: number
}
export const keyOf = ({ topic, partition }: Target): string => `${topic}/${partition}`
export const aboutPartition = ({ topic, partition }: Target): string => `topic "${topic}" partition ${partition}`

export interface Leader {
  readonly host: string
  readonly port: number
}

/** Who leads each partition, by `keyOf`; those without a leader, and unknown ones, are absent. */
export async function leadersOf(brokers: Brokers, items: readonly Target[]): Promise<ReadonlyMap<string, Leader>> {
  const leaders = new Map<string, Leader>()
  for (const chunk of chunked([...new Set(items.map(item => item.topic))])) {
    const { brokers: live, topics } = await brokers.metadata(chunk)
    const byId = new Map(live.map(broker => [broker.nodeId, broker]))
    for (const { name, partitions } of topics) {
      for (const { partitionIndex, leaderId } of partitions) {
        const leader = byId.get(leaderId)
        if (typeof name === 'string' && leader !== undefined) leaders.set(keyOf({ topic: name, partition: partitionIndex }), leader)
      }
    }
  }
  return leaders
}
