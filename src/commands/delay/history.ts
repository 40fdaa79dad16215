import type { LogRecord } from '../../kafka/log.ts'
import { KafkaError } from '../../kafka/errors.ts'
import { readRanges } from '../../kafka/read-ranges.ts'
import { shownInstant } from '../../kafka/shown.ts'
import { BadRecord, readInstructions } from '../../kinds/delay-queue/headers.ts'
import type { Table } from '../output.ts'
import type { Desk } from './desk.ts'

/** Something that happened to an id, as the logs still have it. */
interface Event {
  readonly at: string | undefined
  readonly what: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly detail: string
}

/**
 * What the input and the dead letters still say of an id: as far back as their retention reaches (eight days and thirty by default). Deliveries are in the
 * target, which is not searched: look there for `sluice-origin-partition` and `sluice-origin-offset` of a schedule.
 */
export async function history(
  { queue, admin, reader, clock }: Desk,
  id: string,
  partitions: readonly number[],
): Promise<{ readonly data: readonly Event[]; readonly answer: Table | string }> {
  const { input, deadLetter } = queue.config.topics
  const deadPartitions = (await admin.describeTopics([deadLetter])).get(deadLetter)?.partitions ?? 0
  const asked = [
    ...partitions.map(partition => ({ topic: input, partition })),
    ...Array.from({ length: deadPartitions }, (_, partition) => ({ topic: deadLetter, partition })),
  ]
  const watermarks = await reader.watermarks(asked)
  const ranges = asked.flatMap((one, i) => {
    const marks = watermarks[i]
    return marks === undefined || marks instanceof KafkaError ? [] : [{ ...one, from: marks.low, to: marks.high }]
  })
  const events: Event[] = []
  await readRanges(
    reader,
    ranges,
    record => {
      const event = record.topic === input ? written(record, id) : died(record, id, input)
      if (event !== undefined) events.push(event)
      return 'more'
    },
    clock,
  )
  const data = events.sort((a, b) => ((a.at ?? '') < (b.at ?? '') ? -1 : 1))
  return { data, answer: data.length === 0 ? 'no trace of it in the input and the dead letters' : eventTable(data) }
}

const eventOf = (record: LogRecord, what: string, detail: string): Event => ({
  at: shownInstant(record.timestampMs),
  what,
  topic: record.topic,
  partition: record.partition,
  offset: record.offset,
  detail,
})

function written(record: LogRecord, id: string): Event | undefined {
  if (textOf(record, 'sluice-id') !== id) return undefined
  const told = readInstructions(record.headers, record.headers.length, record.timestampMs, {
    by: 'headers',
    maxDelayMs: Number.MAX_SAFE_INTEGER,
  })
  if (told instanceof BadRecord) return eventOf(record, 'bad', told.message)
  const version = told.version === 0 ? '' : `version ${told.version}`
  return eventOf(
    record,
    told.op,
    [told.op === 'schedule' ? `due ${shownInstant(told.dueMs) ?? ''}` : '', version].filter(text => text !== '').join(', '),
  )
}

function died(record: LogRecord, id: string, input: string): Event | undefined {
  if (textOf(record, 'sluice-id') !== id || textOf(record, 'sluice-origin-topic') !== input) return undefined
  return eventOf(
    record,
    'dead letter',
    `${textOf(record, 'sluice-disposition') ?? ''} ${textOf(record, 'sluice-error-code') ?? ''}, origin offset ${textOf(record, 'sluice-origin-offset') ?? ''}`,
  )
}

const textOf = ({ headers }: LogRecord, name: string): string | undefined =>
  headers.findLast(([candidate]) => candidate === name)?.[1]?.toString()

const eventTable = (events: readonly Event[]): Table => ({
  columns: [
    { heading: 'AT' },
    { heading: 'WHAT' },
    { heading: 'TOPIC' },
    { heading: 'PARTITION', align: 'right' },
    { heading: 'OFFSET', align: 'right' },
    { heading: 'DETAIL' },
  ],
  rows: events.map(({ at, what, topic, partition, offset, detail }) => [at, what, topic, partition, offset, detail]),
})
