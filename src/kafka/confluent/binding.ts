import confluent from '@confluentinc/kafka-javascript'
import type { ConsumerGlobalConfig, ConsumerTopicConfig, KafkaConsumer, LibrdKafkaError, Message } from '@confluentinc/kafka-javascript'

interface Partition {
  readonly topic: string
  readonly partition: number
  readonly offset?: number
}

/** What the binding can do and its declarations leave out. */
export interface Consumer extends Omit<KafkaConsumer, 'consume'> {
  consume(max: number, done: (error: LibrdKafkaError | null, messages: Message[]) => void): void
  assignmentLost(): boolean
  /** `NONE` before the group is joined and while disconnecting. */
  rebalanceProtocol(): 'NONE' | 'EAGER' | 'COOPERATIVE'
  incrementalAssign(partitions: readonly Partition[]): void
  incrementalUnassign(partitions: readonly Partition[]): void
  /** The timeout of consume applies to the first record; others are taken if they are there. */
  setDefaultIsTimeoutOnlyForFirstMessage(value: boolean): void
}

export const newConsumer = (config: ConsumerGlobalConfig, topicConfig: ConsumerTopicConfig = {}): Consumer =>
  new confluent.KafkaConsumer(config, topicConfig) as unknown as Consumer

export interface TopicAdmin {
  describeTopics(
    topics: readonly string[],
    options: { readonly timeout: number },
    /** The declarations have another name for the id's text than the binding. */
    done: (
      error: LibrdKafkaError | null,
      found: readonly { readonly name: string; readonly topicId?: { readonly base64?: string } }[],
    ) => void,
  ): void
}

/** Shares the handle of the consumer: costs no connection. One for the life of the consumer, and kept: it must neither be collected before nor outlive it. */
export const adminOf = (consumer: Consumer): TopicAdmin =>
  confluent.AdminClient.createFrom(consumer as unknown as KafkaConsumer) as unknown as TopicAdmin

/** The part of a consumer or producer that connecting needs. */
export interface Client {
  connect(options: { readonly allTopics: boolean; readonly timeout: number }, done: (error: LibrdKafkaError) => void): void
  disconnect(done: (error: LibrdKafkaError | null) => void): void
  isConnected(): boolean
  on(event: 'event.error', listener: (error: LibrdKafkaError) => void): void
}
