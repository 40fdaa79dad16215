import type { KafkaAdmin, OffsetAnswer, OffsetQuery } from '../kafka/admin.ts'

export interface Position {
  readonly topic: string
  readonly partition: number
}

export const positionKey = ({ topic, partition }: Position): string => `${topic}/${partition}`

/** Offsets of many partitions by `positionKey`; partitions that the brokers could not answer for are absent. */
export async function offsetsAt(
  admin: KafkaAdmin,
  positions: readonly Position[],
  at: OffsetQuery['at'],
): Promise<ReadonlyMap<string, number>> {
  if (positions.length === 0) return new Map()
  const answers: readonly OffsetAnswer[] = await admin.listOffsets(positions.map(({ topic, partition }) => ({ topic, partition, at })))
  return new Map(answers.filter(answer => answer.error === undefined).map(answer => [positionKey(answer), Number(answer.offset)]))
}
