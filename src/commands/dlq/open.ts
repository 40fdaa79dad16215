import { Option } from 'commander'
import type { Command } from 'commander'
import type { Clock } from '../../api/clock.ts'
import { topicName } from '../../api/topic-name.ts'
import type { KafkaAdmin } from '../../kafka/admin.ts'
import type { ConnectionSettings } from '../../kafka/connection.ts'
import { KafkaError } from '../../kafka/errors.ts'
import type { LogReader, LogRecord, TopicPartition } from '../../kafka/log.ts'
import { Handled, readMarker } from '../../kinds/dead-letter-redrive/handled.ts'
import { systemClock } from '../../observability/system-clock.ts'
import { connectionSettings } from '../cluster-options.ts'
import type { ClusterOptions } from '../cluster-options.ts'
import { readRanges } from '../delay/read-ranges.ts'
import type { Range } from '../delay/read-ranges.ts'

export interface PipelineOptions extends ClusterOptions {
  readonly topicPrefix?: string
  readonly deadLetterTopic?: string
}

/** Adds the argument and the options of `PipelineOptions`. */
export const withPipelineOptions = (command: Command): Command =>
  command
    .argument('<namespace/name>', 'the DeadLetterPipeline')
    .addOption(option('--topic-prefix <prefix>', 'its spec.topicPrefix, where it has one'))
    .addOption(option('--dead-letter-topic <topic>', 'its spec.deadLetter.topic, where it has one'))

const option = (flags: string, description: string): Option => new Option(flags, description).helpGroup('Pipeline:')

/** Topics of a pipeline as far as dead letters are concerned. */
export interface PipelineTopics {
  readonly deadLetter: string
  readonly handled: string
  readonly audit: string
  readonly redelivery: string
}

/** What a look at the dead letters of one pipeline needs. */
export interface DeadLetterDesk {
  readonly namespace: string
  readonly name: string
  readonly topics: PipelineTopics
  readonly topicId: string
  /** Of the dead letter topic, as it was when the command began: what comes later is not looked at. */
  readonly ranges: readonly Range[]
  /** By partition. */
  readonly handled: readonly Handled[]
  readonly admin: KafkaAdmin
  readonly reader: LogReader
  readonly settings: ConnectionSettings
  readonly clock: Clock
}

/** Opens what a command needs of one pipeline, and closes it whatever happens. */
export async function withDeadLetters<T>(
  argument: string,
  options: PipelineOptions,
  work: (desk: DeadLetterDesk) => Promise<T>,
): Promise<T> {
  const [namespace = '', name = '', ...more] = argument.split('/')
  if (namespace === '' || name === '' || more.length > 0)
    throw new Error(`which pipeline? Write NAMESPACE/NAME, not "${argument.slice(0, 80)}"`)
  const settings = await connectionSettings(options)
  const { platformaticAdmin } = await import('../../kafka/platformatic-admin.ts')
  const { confluentLog } = await import('../../kafka/confluent-log.ts')
  const admin = platformaticAdmin(settings, { clientId: 'sluice-cli' })
  try {
    const reader = await confluentLog(settings, { clientId: 'sluice-cli' }).reader()
    try {
      const topic = (role: string): string => topicName({ namespace, name }, options.topicPrefix, role)
      const topics: PipelineTopics = {
        deadLetter: options.deadLetterTopic ?? topic('dlq'),
        handled: topic('handled'),
        audit: topic('audit'),
        redelivery: topic('redelivery'),
      }
      return await work(await open({ namespace, name, topics, admin, reader, settings, clock: systemClock }))
    } finally {
      await reader.close()
    }
  } finally {
    await admin.close()
  }
}

async function open(desk: Omit<DeadLetterDesk, 'topicId' | 'ranges' | 'handled'>): Promise<DeadLetterDesk> {
  const { admin, topics, namespace, name } = desk
  const found = await admin.describeTopics([topics.deadLetter, topics.handled])
  const deadLetter = found.get(topics.deadLetter)
  if (deadLetter === undefined)
    throw new Error(
      `topic ${topics.deadLetter} does not exist on this cluster: is ${namespace}/${name} a DeadLetterPipeline here? --topic-prefix or --dead-letter-topic say otherwise`,
    )
  const handled = Array.from({ length: deadLetter.partitions }, () => new Handled())
  if (found.has(topics.handled)) await readHandled(desk, deadLetter.id, found.get(topics.handled)?.partitions ?? 0, handled)
  return { ...desk, topicId: deadLetter.id, handled, ranges: await rangesOf(desk.reader, topics.deadLetter, deadLetter.partitions) }
}

async function readHandled(
  { reader, topics, clock }: Pick<DeadLetterDesk, 'reader' | 'topics' | 'clock'>,
  topicId: string,
  partitions: number,
  handled: readonly Handled[],
): Promise<void> {
  const load = (record: LogRecord): 'more' => {
    const marker = readMarker(record)
    if (marker?.topicId === topicId) handled[record.partition]?.add(marker)
    return 'more'
  }
  await readRanges(reader, await rangesOf(reader, topics.handled, partitions), load, clock)
}

/** @throws KafkaError for a partition that nobody answers for */
async function rangesOf(reader: LogReader, topic: string, partitions: number): Promise<readonly Range[]> {
  const asked: readonly TopicPartition[] = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
  const answers = await reader.watermarks(asked)
  return asked.map((one, i) => {
    const answer = answers[i]
    if (answer === undefined || answer instanceof KafkaError) throw answer ?? new Error(`no answer for ${topic}[${one.partition}]`)
    return { ...one, from: answer.low, to: answer.high }
  })
}
