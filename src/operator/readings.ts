import type { KafkaAdmin } from '../kafka/admin.ts'
import { noteOf } from './contract.ts'
import type { Readings } from './observed.ts'
import type { ReadingQuestion } from './plan.ts'

/** Asks the brokers, a request for each part of the question. Rejects with `KafkaError`. */
export async function read(admin: KafkaAdmin, { group, ends }: ReadingQuestion): Promise<Readings> {
  const committed = group === undefined ? [] : await admin.groupOffsets(group)
  const positions = committed.map(({ topic, partition, offset, metadata }) => ({
    topic,
    partition,
    offset: Number(offset),
    note: noteOf(metadata),
  }))
  const bounds = ends && (await boundsOf(admin, ends))
  return { positions, ...(bounds && { bounds }) }
}

async function boundsOf(admin: KafkaAdmin, { topic, partitions }: NonNullable<ReadingQuestion['ends']>): Promise<Readings['bounds']> {
  const all = Array.from({ length: partitions }, (_, partition) => partition)
  const answers = await admin.listOffsets((['earliest', 'latest'] as const).flatMap(at => all.map(partition => ({ topic, partition, at }))))
  const offset = (i: number): number | undefined => (answers[i]?.error === undefined ? Number(answers[i]?.offset ?? NaN) : undefined)
  const bounds = all.map(partition => [offset(partition), offset(partitions + partition)] as const)
  return bounds.every((pair): pair is readonly [number, number] => pair.every(Number.isSafeInteger)) ? bounds : undefined
}
