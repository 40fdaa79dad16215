import { topicNameProblem } from '../api/topic-name.ts'
import type { KafkaAdmin } from '../kafka/admin.ts'

/** `orders` is all partitions of it, `orders:0,3` two of them. */
export interface TopicArgument {
  readonly topic: string
  readonly partitions: readonly number[] | 'all'
}

/** @throws Error that says what is wrong with the argument. */
export function parseTopicArgument(text: string): TopicArgument {
  const [topic = '', list, ...more] = text.split(':')
  const problem = topicNameProblem(topic)
  if (problem !== undefined) throw new Error(problem)
  if (list === undefined) return { topic, partitions: 'all' }
  if (more.length > 0 || !/^\d{1,7}(,\d{1,7})*$/.test(list)) throw new Error(`"${text.slice(0, 80)}": write partitions as ${topic}:0,1,2`)
  return { topic, partitions: [...new Set(list.split(',').map(Number))].sort((a, b) => a - b) }
}

/** Collects a repeatable option. */
export const collectTopics = (text: string, before: readonly TopicArgument[] = []): readonly TopicArgument[] => [
  ...before,
  parseTopicArgument(text),
]

/**
 * The partitions that the arguments name.
 * @throws Error for a topic or a partition that does not exist.
 */
export async function existingPartitions(
  admin: KafkaAdmin,
  topics: readonly TopicArgument[],
): Promise<readonly { readonly topic: string; readonly partition: number }[]> {
  const described = await admin.describeTopics([...new Set(topics.map(({ topic }) => topic))])
  return topics.flatMap(({ topic, partitions }) => {
    const count = described.get(topic)?.partitions
    if (count === undefined) throw new Error(`topic ${topic} does not exist on this cluster`)
    const wanted = partitions === 'all' ? Array.from({ length: count }, (_, partition) => partition) : partitions
    const beyond = wanted.find(partition => partition >= count)
    if (beyond !== undefined) throw new Error(`topic ${topic} has no partition ${beyond}; its partitions are 0 to ${count - 1}`)
    return wanted.map(partition => ({ topic, partition }))
  })
}
