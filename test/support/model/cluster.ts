import { KafkaError } from '../../../src/kafka/errors.ts'
import type { Commit, GroupConsumerOptions, LogRecord, TopicPartition } from '../../../src/kafka/log.ts'
import { PartitionLog } from './partition-log.ts'
import type { Writer } from './partition-log.ts'

export const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

/** A producer's state at its coordinator. A higher epoch fences the lower ones. */
export interface TransactionState {
  epoch: number
  open:
    | {
        readonly writer: Writer
        readonly partitions: Set<PartitionLog>
        offsets: { readonly group: Group; readonly commits: readonly Commit[] }[]
      }
    | undefined
}

export interface Member {
  readonly options: GroupConsumerOptions
  generation: number
  owned: readonly TopicPartition[]
  closed: boolean
}

/** Partitions, transactions, generations, fencing: the part of Kafka that exactly-once rests on, in memory. */
export class Cluster {
  readonly #topics = new Map<string, readonly PartitionLog[]>()
  readonly #transactions = new Map<string, TransactionState>()
  readonly #groups = new Map<string, Group>()

  createTopic(topic: string, partitions: number): void {
    this.#topics.set(
      topic,
      Array.from({ length: partitions }, (_, partition) => new PartitionLog(topic, partition)),
    )
  }

  partitionsOf(topic: string): readonly PartitionLog[] | undefined {
    return this.#topics.get(topic)
  }

  log({ topic, partition }: TopicPartition): PartitionLog {
    const log = this.#topics.get(topic)?.[partition]
    if (log === undefined) throw new KafkaError('UnknownTopic', `no ${topic}[${partition}]`, { retriable: true })
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

  transactions(id: string): TransactionState {
    const state = this.#transactions.get(id) ?? { epoch: 0, open: undefined }
    this.#transactions.set(id, state)
    return state
  }

  /** Ends the open transaction: records, markers and offsets at once. */
  end(state: TransactionState, outcome: 'committed' | 'aborted'): void {
    const { open } = state
    if (open === undefined) return
    state.open = undefined
    open.writer.state = outcome
    for (const log of open.partitions) log.mark()
    for (const { group, commits } of open.offsets) group.settle(commits, outcome)
  }
}

/** Cooperative: members that keep a partition keep it through a rebalance. */
export class Group {
  readonly #cluster: Cluster
  readonly #members: Member[] = []
  readonly #offsets = new Map<string, Commit>()
  readonly #pending = new Map<string, number>()
  #generation = 0
  #rebalancing: Promise<void> = Promise.resolve()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  get members(): readonly Member[] {
    return this.#members
  }

  join(options: GroupConsumerOptions): Member {
    const member: Member = { options, generation: -1, owned: [], closed: false }
    this.#members.push(member)
    this.#rebalance()
    return member
  }

  async leave(member: Member): Promise<void> {
    await this.#rebalancing
    const { owned } = member
    await member.options.revoked(owned, false)
    member.owned = []
    this.#remove(member)
  }

  /** The session timed out: the partitions move on, and the member does not know. */
  expel(member: Member): void {
    this.#remove(member)
  }

  /** The member hears that it was expelled, and joins again unless it was closed. */
  async returns(member: Member): Promise<void> {
    const { owned } = member
    await member.options.revoked(owned, true)
    member.owned = []
    if (member.closed) return
    this.#members.push(member)
    this.#rebalance()
  }

  async settled(): Promise<void> {
    await this.#rebalancing
  }

  check(member: Member): void {
    if (this.#members.includes(member) && member.generation === this.#generation) return
    throw new KafkaError('RebalanceInProgress', 'generation or member is not current', { retriable: true })
  }

  begin(commits: readonly Commit[]): void {
    for (const commit of commits) this.#pending.set(nameOf(commit), (this.#pending.get(nameOf(commit)) ?? 0) + 1)
  }

  settle(commits: readonly Commit[], outcome: 'committed' | 'aborted'): void {
    for (const commit of commits) {
      this.#pending.set(nameOf(commit), (this.#pending.get(nameOf(commit)) ?? 1) - 1)
      if (outcome === 'committed') this.#offsets.set(nameOf(commit), commit)
    }
  }

  offset(partition: TopicPartition): Commit | undefined {
    return this.#offsets.get(nameOf(partition))
  }

  /** What brokers do after `offsets.retention.minutes`. */
  forget(partition: TopicPartition): void {
    this.#offsets.delete(nameOf(partition))
  }

  stable(partition: TopicPartition): boolean {
    return (this.#pending.get(nameOf(partition)) ?? 0) === 0
  }

  #remove(member: Member): void {
    const at = this.#members.indexOf(member)
    if (at >= 0) this.#members.splice(at, 1)
    this.#rebalance()
  }

  #rebalance(): void {
    this.#rebalancing = this.#rebalancing.then(() => this.#reassign())
  }

  async #reassign(): Promise<void> {
    const members = [...this.#members]
    this.#generation += 1
    const wanted = new Map(members.map(member => [member, this.#share(member, members)]))
    for (const member of members) {
      const gone = member.owned.filter(partition => !has(wanted.get(member) ?? [], partition))
      if (gone.length > 0) {
        // Still a member of the last generation while it lets go.
        member.generation = this.#generation
        await member.options.revoked(gone, false)
        member.owned = member.owned.filter(partition => !has(gone, partition))
      }
    }
    for (const member of members) {
      const come = (wanted.get(member) ?? []).filter(partition => !has(member.owned, partition))
      member.generation = this.#generation
      member.owned = [...member.owned, ...come]
      await member.options.assigned(come)
    }
  }

  #share(member: Member, members: readonly Member[]): readonly TopicPartition[] {
    const all = member.options.topics.flatMap(topic =>
      (this.#cluster.partitionsOf(topic) ?? []).map((_, partition) => ({ topic, partition })),
    )
    return all.filter((_, index) => members[index % members.length] === member)
  }
}

const has = (list: readonly TopicPartition[], one: TopicPartition): boolean => list.some(each => nameOf(each) === nameOf(one))
