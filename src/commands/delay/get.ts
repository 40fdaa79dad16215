import type { EpochMs } from '../../api/resource.ts'
import { partitionOf } from '../../kafka/partitioner.ts'
import type { Found } from '../../kinds/delay-queue/survey.ts'
import type { Answer } from '../output.ts'
import { Look } from './desk.ts'
import type { Desk } from './desk.ts'
import { history } from './history.ts'
import { messageOf, messageTable } from './shown.ts'

export interface IdQuestion {
  readonly id: string
  readonly key?: string
  readonly partition?: number
}

/** Everything that waits in some partitions under an id, and what is remembered of it. */
export async function findId(desk: Desk, id: string, partitions: readonly number[]) {
  const look = await Look.at(desk, partitions)
  const surveys = new Map(look.surveys.map(survey => [survey.partition, survey]))
  const found: Found[] = []
  await look.read(['input', 'tier'], one => {
    if (one.id === id) found.push(one)
  })
  const nowMs = desk.clock.now()
  const messages = found
    .filter(({ deed }) => deed !== 'cancel' && deed !== 'fire')
    .map(one => messageOf(one, stateOf(one, surveys.get(one.partition)?.verdict(one) ?? 'alive', nowMs)))
    .sort((a, b) => a.partition - b.partition || a.originOffset - b.originOffset)
  const orders = found
    .filter(({ deed }) => deed === 'cancel' || deed === 'fire')
    .map(one => ({ op: one.deed, partition: one.partition, offset: one.offset }))
  const remembered = look.surveys.flatMap(survey => {
    const entry = survey.remembered(id)
    return entry === undefined ? [] : [{ partition: survey.partition, ...entry }]
  })
  return { messages, orders, remembered, remarks: look.remarks }
}
export type IdAnswer = Awaited<ReturnType<typeof findId>>

function stateOf({ deed, dueMs }: Found, verdict: string, nowMs: EpochMs): string {
  if (verdict !== 'alive') return verdict
  if (deed === 'deadLetter') return 'refused'
  return dueMs <= nowMs ? 'overdue' : 'waiting'
}

/** Partitions in which the id can be: one where the key or the partition is known. */
export function partitionsOf({ queue }: Desk, { key, partition }: Pick<IdQuestion, 'key' | 'partition'>): readonly number[] {
  const { partitions } = queue.config
  if (partition !== undefined && partition >= partitions)
    throw new Error(`--partition ${partition}: the queue has the partitions 0 to ${partitions - 1}`)
  if (partition !== undefined) return [partition]
  return key === undefined ? Array.from({ length: partitions }, (_, p) => p) : [partitionOf(Buffer.from(key), partitions)]
}

/** `sluice delay get --id ID` */
export async function get(desk: Desk, question: IdQuestion, withHistory: boolean): Promise<Answer> {
  const partitions = partitionsOf(desk, question)
  const found = await findId(desk, question.id, partitions)
  const events = withHistory ? await history(desk, question.id, partitions) : undefined
  const { messages, orders, remembered, remarks } = found
  const lines = [
    ...orders.map(
      ({ op, partition, offset }) =>
        `a ${op} of it at offset ${offset} of ${desk.queue.config.topics.input}[${partition}] has not been carried out yet`,
    ),
    ...remembered.flatMap(({ partition, cancelledBelow, version }) => [
      ...(cancelledBelow === undefined
        ? []
        : [`cancelled in partition ${partition}: everything under the id that was written below offset ${cancelledBelow} of the input`]),
      ...(version === 0 ? [] : [`highest version seen in partition ${partition}: ${version}`]),
    ]),
    ...(events === undefined ? [] : [events.answer]),
    ...remarks,
  ]
  return {
    data: {
      queue: `${desk.queue.namespace}/${desk.queue.name}`,
      id: question.id,
      partitions,
      ...found,
      ...(events && { history: events.data }),
    },
    text: [messages.length === 0 ? nothing(question, partitions, withHistory) : messageTable(messages, desk.clock.now()), ...lines],
  }
}

const nothing = ({ id, key }: IdQuestion, partitions: readonly number[], withHistory: boolean): string =>
  `nothing waits under id ${id} in ${partitions.length === 1 ? `partition ${partitions[0] ?? 0}` : 'any partition'}: delivered, ended, or never written` +
  (key === undefined ? '' : '; without --key all partitions are searched') +
  (withHistory ? '' : '; --history looks into the past')
