import type { TopicPartition } from '../../../src/kafka/log.ts'

/** A partition as maps and traces name it. */
export const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

/** A broker cannot answer now: the client library asks again. */
export class Unavailable extends Error {}
