import { Option } from 'commander'
import type { Command } from 'commander'
import { topicName } from '../../api/topic-name.ts'
import { openDesk } from '../../dead-letters/desk.ts'
import type { DeadLetterDesk, DeadLetterTopics } from '../../dead-letters/desk.ts'
import type { ConnectionSettings } from '../../kafka/connection.ts'
import { systemClock } from '../../observability/system-clock.ts'
import { connectionSettings } from '../cluster-options.ts'
import type { ClusterOptions } from '../cluster-options.ts'

export interface PipelineOptions extends ClusterOptions {
  readonly topicPrefix?: string
  readonly deadLetterTopic?: string
}

/** Adds the argument and the options of `PipelineOptions`. */
export const withPipelineOptions = (command: Command): Command =>
  command
    .argument('<namespace/name>', 'the DeadLetterPipeline')
    .addOption(option('--topic-prefix <prefix>', 'its spec.topicPrefix, where it has one'))
    .addOption(option('--dead-letter-topic <topic>', 'its spec.deadLetter.topic, where it has one, or a topic that its rules name'))

const option = (flags: string, description: string): Option => new Option(flags, description).helpGroup('Pipeline:')

/** What a command needs: some start a worker of their own. */
export interface CommandDesk extends DeadLetterDesk {
  readonly settings: ConnectionSettings
}

/** Opens what a command needs of one pipeline, and closes it whatever happens. */
export async function withDeadLetters<T>(argument: string, options: PipelineOptions, work: (desk: CommandDesk) => Promise<T>): Promise<T> {
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
      const topics: DeadLetterTopics = {
        deadLetter: options.deadLetterTopic ?? topic('dlq'),
        handled: topic('handled'),
        audit: topic('audit'),
        redelivery: topic('redelivery'),
      }
      return await work({ ...(await openDesk({ namespace, name, topics, admin, reader, clock: systemClock })), settings })
    } finally {
      await reader.close()
    }
  } finally {
    await admin.close()
  }
}
