import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaError } from '../../../src/kafka/errors.ts'
import type {
  Commit,
  GroupConsumer,
  GroupConsumerOptions,
  KafkaLog,
  LogReader,
  LogRecord,
  OutgoingRecord,
  ReadBatch,
  Refusal,
  TopicPartition,
  TransactionalProducer,
  Watermarks,
} from '../../../src/kafka/log.ts'
import { nameOf } from './cluster.ts'
import type { Cluster, Group, Member, TransactionState } from './cluster.ts'

/** What a test may make go wrong, per client. */
export interface Faults {
  /** Called before the coordinator carries the commit out, and after: throw to lose the answer. */
  beforeCommit?: (() => Promise<void> | void) | undefined
  afterCommit?: (() => Promise<void> | void) | undefined
  refuses?: ((record: OutgoingRecord) => Refusal['code'] | undefined) | undefined
}

/** The log port on the model. */
export function modelLog(cluster: Cluster, faults: Faults = {}): KafkaLog {
  return {
    groupConsumer: options => Promise.resolve(new ModelMember(cluster, options)),
    reader: () => Promise.resolve(new ModelReader(cluster)),
    producer: ({ transactionalId }) => Promise.resolve(new ModelProducer(cluster, transactionalId, faults)),
  }
}

export class ModelMember implements GroupConsumer {
  readonly group: Group
  readonly member: Member

  constructor(cluster: Cluster, options: GroupConsumerOptions) {
    this.group = cluster.group(options.groupId)
    this.member = this.group.join(options)
  }

  async committed(partition: TopicPartition, { timeoutMs }: { readonly timeoutMs: number }): Promise<Commit | undefined> {
    const until = performance.now() + timeoutMs
    while (!this.group.stable(partition)) {
      if (performance.now() > until) throw new KafkaError('UnstableOffsets', `${nameOf(partition)} is not stable`, { retriable: true })
      await sleep(1)
    }
    return this.group.offset(partition)
  }

  committedNow(partition: TopicPartition): Promise<Commit | undefined> {
    return Promise.resolve(this.group.offset(partition))
  }

  async close(): Promise<void> {
    this.member.closed = true
    if (this.group.members.includes(this.member)) await this.group.leave(this.member)
  }
}

class ModelReader implements LogReader {
  readonly #cluster: Cluster
  readonly #positions = new Map<string, TopicPartition & { offset: number; told: number }>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  assign(partitions: readonly (TopicPartition & { readonly offset: number })[]): Promise<void> {
    for (const each of partitions) this.#positions.set(nameOf(each), { ...each, told: -1 })
    return Promise.resolve()
  }

  unassign(partitions: readonly TopicPartition[]): Promise<void> {
    for (const each of partitions) this.#positions.delete(nameOf(each))
    return Promise.resolve()
  }

  pause(partitions: readonly TopicPartition[]): void {
    void this.unassign(partitions)
  }

  resume(partitions: readonly (TopicPartition & { readonly offset: number })[]): Promise<void> {
    return this.assign(partitions)
  }

  async poll(max: number): Promise<ReadBatch> {
    await sleep(1)
    const records: LogRecord[] = []
    const ends: (TopicPartition & { readonly offset: number })[] = []
    const stopped: ReadBatch['stopped'][number][] = []
    for (const [name, position] of this.#positions) {
      const log = this.#cluster.log(position)
      if (position.offset < log.low || position.offset > log.high) {
        this.#positions.delete(name)
        stopped.push({ ...position, error: new KafkaError('OffsetOutOfRange', `${name} at ${position.offset}`, { retriable: false }) })
        continue
      }
      for (let record = log.next(position.offset); record !== undefined && records.length < max; record = log.next(position.offset)) {
        records.push(record)
        position.offset = record.offset + 1
      }
      if (log.next(position.offset) === undefined && position.told !== log.lastStable) {
        position.offset = Math.max(position.offset, log.lastStable)
        position.told = log.lastStable
        ends.push({ topic: position.topic, partition: position.partition, offset: position.offset })
      }
    }
    return { records, ends, stopped }
  }

  positions(partitions: readonly TopicPartition[]): readonly (number | undefined)[] {
    return partitions.map(partition => this.#positions.get(nameOf(partition))?.offset)
  }

  watermarks(partitions: readonly TopicPartition[]): Promise<readonly (Watermarks | KafkaError)[]> {
    return Promise.resolve(
      partitions.map(partition => {
        try {
          const { low, high, lastStable } = this.#cluster.log(partition)
          return { low, high, lastStable }
        } catch (error) {
          return error as KafkaError
        }
      }),
    )
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

const fenced = (): KafkaError => new KafkaError('Fenced', 'a newer producer has this transactional id', { retriable: false })

class ModelProducer implements TransactionalProducer {
  readonly #cluster: Cluster
  readonly #state: TransactionState
  readonly #faults: Faults
  #epoch = -1
  #refusals: Refusal[] = []

  constructor(cluster: Cluster, transactionalId: string, faults: Faults) {
    this.#cluster = cluster
    this.#state = cluster.transactions(transactionalId)
    this.#faults = faults
  }

  initTransactions(): Promise<void> {
    this.#cluster.end(this.#state, 'aborted')
    this.#epoch = this.#state.epoch += 1
    return Promise.resolve()
  }

  async begin(): Promise<void> {
    await sleep(0)
    this.#check()
    this.#refusals = []
    this.#state.open = { writer: { state: 'open' }, partitions: new Set(), offsets: [] }
  }

  send(record: OutgoingRecord): void {
    const code = this.#faults.refuses?.(record)
    if (code !== undefined) this.#refusals.push({ topic: record.topic, partition: record.partition, code, message: 'refused by the model' })
    if (this.#epoch !== this.#state.epoch || this.#state.open === undefined) return
    const log = this.#cluster.log(record)
    log.append(record, this.#state.open.writer)
    this.#state.open.partitions.add(log)
  }

  async sendOffsets(commits: readonly Commit[], consumer: GroupConsumer): Promise<void> {
    await sleep(0)
    this.#check()
    const { group, member } = consumer as unknown as ModelMember
    group.check(member)
    group.begin(commits)
    this.#state.open?.offsets.push({ group, commits })
  }

  async commit(): Promise<void> {
    await this.#faults.beforeCommit?.()
    this.#check()
    if (this.#refusals.length > 0) throw new KafkaError('Unexpected', 'records were refused', { retriable: true })
    this.#cluster.end(this.#state, 'committed')
    await this.#faults.afterCommit?.()
  }

  abort(): Promise<void> {
    this.#check()
    this.#cluster.end(this.#state, 'aborted')
    return Promise.resolve()
  }

  refusals(): readonly Refusal[] {
    return this.#refusals
  }

  partitionsOf(topic: string): Promise<number | undefined> {
    return Promise.resolve(this.#cluster.partitionsOf(topic)?.length)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #check(): void {
    if (this.#epoch !== this.#state.epoch) throw fenced()
  }
}
