import type { Clock } from '../api/clock.ts'
import type { KafkaAdmin } from '../kafka/admin.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { LogReader, LogRecord, TopicPartition } from '../kafka/log.ts'
import { readRanges } from '../kafka/read-ranges.ts'
import type { Range } from '../kafka/read-ranges.ts'
import { Handled, readMarker } from '../kinds/dead-letter-redrive/handled.ts'

/** Topics of a pipeline as far as dead letters are concerned. */
export interface DeadLetterTopics {
  readonly deadLetter: string
  readonly handled: string
  readonly audit: string
  readonly redelivery: string
}

/** What a look at the dead letters of one pipeline begins with. */
export interface DeskParts {
  readonly namespace: string
  readonly name: string
  readonly topics: DeadLetterTopics
  readonly admin: KafkaAdmin
  readonly reader: LogReader
  readonly clock: Clock
  /** Ends the look early: what runs rejects with its reason. */
  readonly signal?: AbortSignal
}

/** One dead letter topic, as it was when the look began. */
export interface DeadLetterDesk extends DeskParts {
  readonly topicId: string
  /** What comes later is not looked at. */
  readonly ranges: readonly Range[]
  /** By partition. */
  readonly handled: readonly Handled[]
}

/** @throws Error that names the topic when there is none; KafkaError for a partition that nobody answers for */
export async function openDesk(parts: DeskParts): Promise<DeadLetterDesk> {
  const { admin, topics, namespace, name, reader } = parts
  const found = await admin.describeTopics([topics.deadLetter, topics.handled])
  const deadLetter = found.get(topics.deadLetter)
  if (deadLetter === undefined)
    throw new Error(
      `topic ${topics.deadLetter} does not exist on this cluster: is ${namespace}/${name} a DeadLetterPipeline here, and are its topics named like that?`,
    )
  const handled = Array.from({ length: deadLetter.partitions }, () => new Handled())
  if (found.has(topics.handled)) await readHandled(parts, deadLetter.id, found.get(topics.handled)?.partitions ?? 0, handled)
  return { ...parts, topicId: deadLetter.id, handled, ranges: await rangesOf(reader, topics.deadLetter, deadLetter.partitions) }
}

async function readHandled(
  { reader, topics, clock, signal }: DeskParts,
  topicId: string,
  partitions: number,
  handled: readonly Handled[],
): Promise<void> {
  const load = (record: LogRecord): 'more' => {
    const marker = readMarker(record)
    if (marker?.topicId === topicId) handled[record.partition]?.add(marker)
    return 'more'
  }
  await readRanges(reader, await rangesOf(reader, topics.handled, partitions), load, clock, signal)
}

async function rangesOf(reader: LogReader, topic: string, partitions: number): Promise<readonly Range[]> {
  const asked: readonly TopicPartition[] = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
  const answers = await reader.watermarks(asked)
  return asked.map((one, i) => {
    const answer = answers[i]
    if (answer === undefined || answer instanceof KafkaError) throw answer ?? new Error(`no answer for ${topic}[${one.partition}]`)
    return { ...one, from: answer.low, to: answer.high }
  })
}
