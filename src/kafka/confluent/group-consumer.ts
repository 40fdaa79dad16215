import { setTimeout as sleep } from 'node:timers/promises'
import type { LibrdKafkaError, TopicPartitionOffsetAndMetadata } from '@confluentinc/kafka-javascript'
import type { ConnectionSettings } from '../connection.ts'
import { KafkaError } from '../errors.ts'
import type { Commit, GroupConsumer, GroupConsumerOptions, LogOptions, TopicPartition } from '../log.ts'
import { newConsumer } from './binding.ts'
import type { Consumer } from './binding.ts'
import { connectConsumer, disconnect } from './client.ts'
import { call, kafkaError } from './errors.ts'
import { consumerConfig } from './settings.ts'

const ASSIGN = -175
const REVOKE = -174
const TIMED_OUT = -185
const CONSUME_TIMEOUT_MS = 100
const COMMITTED_NOW_TIMEOUT_MS = 5000
const LEAVE_TIMEOUT_MS = 10_000

/** The vendor's consumer behind a port object: the producer needs it to send offsets with the member's generation. */
const members = new WeakMap<GroupConsumer, Consumer>()
export function memberOf(consumer: GroupConsumer): Consumer {
  const member = members.get(consumer)
  if (member === undefined) throw new KafkaError('Unexpected', 'this group consumer was not made by the same log', { retriable: false })
  // The binding would read the generation of a consumer that is gone, and take the process with it.
  if (!member.isConnected()) throw new KafkaError('RebalanceInProgress', 'this consumer has left the group', { retriable: true })
  return member
}

export async function joinGroup(settings: ConnectionSettings, client: LogOptions, options: GroupConsumerOptions): Promise<GroupConsumer> {
  const consumer = new ConfluentGroupConsumer(settings, client, options)
  await consumer.start(settings, client)
  return consumer
}

/**
 * A member that acknowledges every assignment with an empty one: nothing is ever fetched here, yet it carries member id and generation (seen on
 * Kafka 4.1: commits and transactional offsets pass while current, and are refused with ILLEGAL_GENERATION and UNKNOWN_MEMBER_ID when not).
 */
class ConfluentGroupConsumer implements GroupConsumer {
  readonly #options: GroupConsumerOptions
  readonly #member: Consumer
  /** Never joins: asks for offsets without waiting for open transactions. */
  readonly #asking: Consumer
  #turn: Promise<void> = Promise.resolve()
  #owned = 0
  #closing = false
  #closed = false
  #loop: Promise<void> = Promise.resolve()
  #succession: Promise<void> = Promise.resolve()

  constructor(settings: ConnectionSettings, client: LogOptions, options: GroupConsumerOptions) {
    this.#options = options
    const config = consumerConfig(settings, client.clientId, options.groupId)
    this.#member = newConsumer(
      {
        ...config,
        // A dead worker is noticed after the session timeout; the incremental protocol lets the others go on meanwhile.
        'partition.assignment.strategy': 'cooperative-sticky',
        'session.timeout.ms': options.sessionTimeoutMs,
        'heartbeat.interval.ms': Math.min(500, options.sessionTimeoutMs / 4),
        'max.poll.interval.ms': 600_000,
        rebalance_cb: (error: LibrdKafkaError, partitions: readonly TopicPartition[]) => {
          // Only true inside the callback.
          const lost = error.code === REVOKE && this.#member.assignmentLost()
          this.#turn = this.#turn.then(() => this.#rebalance(error, partitions, lost))
        },
      },
      {},
    )
    this.#asking = newConsumer({ ...config, 'isolation.level': 'read_uncommitted' }, {})
    members.set(this, this.#member)
  }

  async start(settings: ConnectionSettings, client: LogOptions): Promise<void> {
    if (client.lineage !== undefined) this.#succession = this.#succeed(settings, client)
    await Promise.all([connectConsumer(this.#member, settings), connectConsumer(this.#asking, settings)])
    this.#member.setDefaultConsumeTimeout(CONSUME_TIMEOUT_MS)
    this.subscribe(this.#options.topics)
    this.#loop = this.#serveCallbacks()
  }

  subscribe(topics: readonly string[]): void {
    if (topics.length === 0) this.#member.unsubscribe()
    else this.#member.subscribe([...topics])
  }

  async committed(partition: TopicPartition, options: { readonly timeoutMs: number }): Promise<Commit | undefined> {
    return this.#committed(this.#member, partition, options.timeoutMs)
  }

  async committedNow(partition: TopicPartition): Promise<Commit | undefined> {
    return this.#committed(this.#asking, partition, COMMITTED_NOW_TIMEOUT_MS)
  }

  async close(): Promise<void> {
    this.#closing = true
    // Unsubscribing first: `revoked` runs while commits still pass, which they do not any more during disconnect.
    if (this.#member.isConnected()) this.#member.unsubscribe()
    await this.#revoked()
    await disconnect(this.#member)
    this.#closed = true
    await Promise.all([this.#loop, this.#succession])
    await disconnect(this.#asking)
  }

  /**
   * librdkafka leaves a group for itself only, and its description of a group that has no coordinator yet ends the process (a null pointer in the
   * binding). The other library takes 29 MiB, so it is loaded when there is somebody to succeed. Whatever goes wrong, the session timeout remains.
   */
  async #succeed(settings: ConnectionSettings, client: LogOptions): Promise<void> {
    const { groupId } = this.#options
    const ended = (): boolean => this.#closing
    await import('../platformatic/membership.ts')
      .then(({ expelPredecessors }) => expelPredecessors({ settings, client, groupId, ended }))
      .catch(() => undefined)
  }

  /** librdkafka speaks to us only inside consume(): membership, rebalances and fatal errors all depend on this loop. */
  async #serveCallbacks(): Promise<void> {
    while (!this.#closed) {
      try {
        await call('consume', done => {
          this.#member.consume(1, done)
        })
      } catch (error) {
        const cause = (error as KafkaError).cause as LibrdKafkaError | undefined
        if (cause?.isFatal === true) this.#options.failed(error as KafkaError)
        await sleep(CONSUME_TIMEOUT_MS)
      }
    }
  }

  async #rebalance(error: LibrdKafkaError, partitions: readonly TopicPartition[], lost: boolean): Promise<void> {
    const list = partitions.map(({ topic, partition }) => ({ topic, partition }))
    try {
      if (error.code === ASSIGN) {
        this.#owned += list.length
        await this.#options.assigned(list)
      } else if (error.code === REVOKE) {
        await this.#options.revoked(list, lost)
      } else {
        this.#options.failed(kafkaError(error, 'rebalance'))
      }
    } catch (failure) {
      this.#options.failed(kafkaError(failure, 'handle a rebalance'))
    } finally {
      // Whatever happened: without this the client never disconnects and the process cannot even exit.
      this.#acknowledge(error)
      if (error.code === REVOKE) this.#owned -= list.length
    }
  }

  #acknowledge(error: LibrdKafkaError): void {
    try {
      // Read at the moment of acting: during disconnect it is NONE.
      const incremental = this.#member.rebalanceProtocol() === 'COOPERATIVE'
      if (error.code === ASSIGN) {
        if (incremental) this.#member.incrementalAssign([])
        else this.#member.assign([])
      } else if (incremental) this.#member.incrementalUnassign([])
      else this.#member.unassign()
    } catch (failure) {
      if (!this.#closing) this.#options.failed(kafkaError(failure, 'acknowledge a rebalance'))
    }
  }

  async #revoked(): Promise<void> {
    const deadline = performance.now() + LEAVE_TIMEOUT_MS
    while (this.#owned > 0 && performance.now() < deadline) await sleep(5)
  }

  async #committed(consumer: Consumer, { topic, partition }: TopicPartition, timeoutMs: number): Promise<Commit | undefined> {
    try {
      const answers = await call<readonly (TopicPartitionOffsetAndMetadata | Error)[]>(
        `read the committed offset of ${topic}[${partition}]`,
        done => {
          consumer.committed([{ topic, partition }], timeoutMs, done)
        },
      )
      const answer = answers[0]
      if (answer instanceof Error) throw kafkaError(answer, `read the committed offset of ${topic}[${partition}]`)
      const offset = answer?.offset
      return offset === undefined || offset < 0 ? undefined : { topic, partition, offset, metadata: answer?.metadata ?? '' }
    } catch (error) {
      if (((error as KafkaError).cause as LibrdKafkaError | undefined)?.code !== TIMED_OUT) throw error
      const message = `the committed offset of ${topic}[${partition}] is not stable: a transaction that commits it is still open`
      throw new KafkaError('UnstableOffsets', message, { retriable: true, cause: error })
    }
  }
}
