import { KafkaError } from '../../../src/kafka/errors.ts'
import type { LogRecord, TopicPartition } from '../../../src/kafka/log.ts'
import { Group } from './group.ts'
import { Unavailable, nameOf } from './partition.ts'
import { PartitionLog } from './partition-log.ts'
import { perfectNetwork, realTime } from './time.ts'
import type { Network, Time } from './time.ts'
import { Coordinator } from './transactions.ts'

export interface ClusterOptions {
  readonly time?: Time
  readonly network?: Network
  /** Wall clock of the brokers, epoch ms. */
  readonly now?: () => number
  /** Told of what no log shows: offsets that were committed, generations, fencing. */
  readonly note?: (where: string, what: string) => void
}

/** Partitions, transactions, generations, fencing: the part of Kafka that exactly-once rests on, in memory. */
export class Cluster {
  readonly time: Time
  readonly network: Network
  readonly now: () => number
  readonly note: (where: string, what: string) => void
  readonly coordinator: Coordinator
  readonly #topics = new Map<string, readonly PartitionLog[]>()
  readonly #ids = new Map<string, string>()
  #created = 0
  readonly #groups = new Map<string, Group>()
  /** The coordinator of the groups is away until then (monotonic); that of the transactions has its own. */
  groupsAwayUntilMs = -Infinity
  /** Nobody answers what topics there are until then. */
  metadataAwayUntilMs = -Infinity

  constructor({ time = realTime, network = perfectNetwork, now = () => Date.now(), note = () => undefined }: ClusterOptions = {}) {
    this.time = time
    this.note = note
    this.network = network
    this.now = now
    this.coordinator = new Coordinator(time, network, note)
  }

  createTopic(topic: string, partitions: number): void {
    this.deleteTopic(topic)
    this.#created += 1
    this.#ids.set(topic, `topic-${this.#created}`)
    this.#topics.set(
      topic,
      Array.from({ length: partitions }, (_, partition) => new PartitionLog(topic, partition, this.now)),
    )
  }

  deleteTopic(topic: string): void {
    for (const log of this.#topics.get(topic) ?? []) log.deleted = true
    this.#topics.delete(topic)
    this.#ids.delete(topic)
  }

  topicIds(topics: readonly string[]): ReadonlyMap<string, string> {
    return new Map(
      topics.flatMap(topic => {
        const id = this.#ids.get(topic)
        return id === undefined ? [] : [[topic, id] as const]
      }),
    )
  }

  partitionsOf(topic: string): readonly PartitionLog[] | undefined {
    return this.#topics.get(topic)
  }

  get logs(): readonly PartitionLog[] {
    return [...this.#topics.values()].flat()
  }

  log({ topic, partition }: TopicPartition): PartitionLog {
    const log = this.#topics.get(topic)?.[partition]
    if (log === undefined) throw new KafkaError('UnknownTopic', `no ${topic}[${partition}]`, { retriable: true })
    return log
  }

  /** Partitions of a topic as brokers tell it. @throws Unavailable while none does. */
  described(topic: string): number | undefined {
    if (this.time.nowMs() < this.metadataAwayUntilMs) throw new Unavailable('no broker answers')
    return this.#topics.get(topic)?.length
  }

  /** The partition as its leader serves it. @throws Unavailable while it has none. */
  led(partition: TopicPartition): PartitionLog {
    const log = this.log(partition)
    if (this.time.nowMs() < log.awayUntilMs) throw new Unavailable(`${nameOf(partition)} has no leader`)
    return log
  }

  visible(topic: string): readonly LogRecord[] {
    return (this.#topics.get(topic) ?? []).flatMap(log => log.visible())
  }

  group(id: string): Group {
    const group = this.#groups.get(id) ?? new Group(this)
    this.#groups.set(id, group)
    return group
  }

  /** The group as its coordinator serves it. @throws Unavailable while that is away. */
  coordinated(group: Group): Group {
    if (this.time.nowMs() < this.groupsAwayUntilMs) throw new Unavailable('the coordinator of the group is away')
    return group
  }
}
