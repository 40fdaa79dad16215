import { KafkaError } from '../../../src/kafka/errors.ts'
import type { Commit, TopicPartition } from '../../../src/kafka/log.ts'
import { share } from './assignor.ts'
import { nameOf } from './partition.ts'
import type { Cluster } from './cluster.ts'

/** What a request says of the member that makes it. */
export interface Identity {
  readonly memberId: string
  readonly generation: number
}

export interface Joined {
  readonly generation: number
  readonly assigned: readonly TopicPartition[]
}

export interface Joining {
  /** '' before the first time. */
  memberId: string
  /** Counts the joins of a member. */
  readonly serial: number
  readonly topics: readonly string[]
  readonly sessionTimeoutMs: number
  readonly owned: readonly TopicPartition[]
}

/** A member as the coordinator knows it. */
interface Member {
  readonly id: string
  topics: readonly string[]
  readonly sessionTimeoutMs: number
  owned: readonly TopicPartition[]
  asked: Joining
  /** Waits for the rebalance to complete. */
  joining: ((joined: Joined | undefined) => void) | undefined
  heardAtMs: number
}

interface Offset {
  readonly commit: Commit
  /** Place in the log of the group: of two commits the later one counts, whichever marker comes first. */
  readonly place: number
}

/** A consumer group of the classic protocol with the cooperative assignor, as its coordinator keeps it. */
export class Group {
  readonly #cluster: Cluster
  readonly #members = new Map<string, Member>()
  readonly #offsets = new Map<string, Offset>()
  readonly #pending = new Map<object, Map<string, Offset>>()
  #place = 0
  #serial = 0
  #generation = 0
  #rebalancing = false

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  get away(): boolean {
    return this.#cluster.time.nowMs() < this.#cluster.groupsAwayUntilMs
  }

  get generation(): number {
    return this.#generation
  }

  get members(): readonly string[] {
    return [...this.#members.keys()]
  }

  /** JoinGroup and SyncGroup in one; `answer` is called when all members have joined, or with nothing when it was expelled meanwhile. Returns the id of the member. A request that is repeated changes nothing. */
  join(asked: Joining, answer: (joined: Joined | undefined) => void): string {
    const { topics, sessionTimeoutMs, owned } = asked
    const known = this.#members.get(asked.memberId)
    // Repeated, perhaps after a later one: a connection keeps the order of its requests.
    if (known !== undefined && known.asked.serial >= asked.serial) return known.id
    if (asked.memberId !== '' && known === undefined) throw unknownMember()
    const id = known?.id ?? `member-${(this.#serial += 1)}`
    asked.memberId = id
    const heardAtMs = this.#cluster.time.nowMs()
    const member: Member = known ?? { id, topics, sessionTimeoutMs, owned, asked, joining: undefined, heardAtMs }
    member.topics = topics
    member.owned = owned
    member.asked = asked
    member.joining = answer
    member.heardAtMs = heardAtMs
    if (known === undefined) {
      this.#members.set(id, member)
      this.#watch(member)
    }
    this.#rebalancing = true
    this.#complete()
    return id
  }

  /** True: a rebalance has begun, join again. */
  heartbeat(identity: Identity): boolean {
    const member = this.#check(identity)
    member.heardAtMs = this.#cluster.time.nowMs()
    return this.#rebalancing
  }

  leave(memberId: string): void {
    const member = this.#members.get(memberId)
    if (member === undefined) return
    this.#members.delete(memberId)
    member.joining?.(undefined)
    this.#rebalance()
  }

  /** The session timed out: the partitions move on, and the member does not know. */
  expel(memberId: string): void {
    this.leave(memberId)
  }

  /**
   * Offsets of a transaction. A member that is not known or not of this generation is refused; a request that claims no membership at all passes, as
   * it does on brokers, for producers from before KIP-447.
   */
  propose(transaction: object, identity: Identity, commits: readonly Commit[]): void {
    if (identity.memberId !== '' || identity.generation >= 0) this.#check(identity)
    const pending = this.#pending.get(transaction) ?? new Map<string, Offset>()
    this.#pending.set(transaction, pending)
    for (const commit of commits) pending.set(nameOf(commit), { commit, place: (this.#place += 1) })
  }

  /** The marker of the transaction reached the log of the group. */
  settle(transaction: object, outcome: 'committed' | 'aborted'): void {
    const pending = this.#pending.get(transaction)
    this.#pending.delete(transaction)
    if (outcome === 'aborted') return
    for (const [name, offset] of pending ?? []) {
      if (offset.place <= (this.#offsets.get(name)?.place ?? -1)) continue
      this.#offsets.set(name, offset)
      this.#cluster.note(name, `committed at ${offset.commit.offset} ${offset.commit.metadata}`)
    }
  }

  offset(partition: TopicPartition): Commit | undefined {
    return this.#offsets.get(nameOf(partition))?.commit
  }

  /** No open transaction commits an offset of the partition. */
  stable(partition: TopicPartition): boolean {
    for (const pending of this.#pending.values()) if (pending.has(nameOf(partition))) return false
    return true
  }

  /** What a person does with an admin client. */
  move(partition: TopicPartition, offset: number): void {
    const { topic, partition: number } = partition
    this.#offsets.set(nameOf(partition), { commit: { topic, partition: number, offset, metadata: '' }, place: (this.#place += 1) })
  }

  /** What brokers do after `offsets.retention.minutes`. */
  forget(partition: TopicPartition): void {
    this.#offsets.delete(nameOf(partition))
  }

  #check({ memberId, generation }: Identity): Member {
    const member = this.#members.get(memberId)
    if (member === undefined) throw unknownMember()
    if (generation !== this.#generation) throw new IllegalGeneration()
    return member
  }

  #watch(member: Member): void {
    const restMs = member.heardAtMs + member.sessionTimeoutMs - this.#cluster.time.nowMs()
    this.#cluster.time.after(Math.max(1, restMs), () => {
      if (this.#members.get(member.id) !== member) return
      const silentMs = this.#cluster.time.nowMs() - member.heardAtMs
      // While it waits for the others to join, it need not be heard of; while the coordinator is away, it cannot.
      if (member.joining !== undefined || this.away) member.heardAtMs = this.#cluster.time.nowMs()
      else if (silentMs >= member.sessionTimeoutMs) this.expel(member.id)
      this.#watch(member)
    })
  }

  #rebalance(): void {
    this.#rebalancing = this.#members.size > 0
    this.#complete()
  }

  /** When every member has joined: a new generation. */
  #complete(): void {
    const members = [...this.#members.values()]
    if (!this.#rebalancing || members.some(({ joining }) => joining === undefined)) return
    this.#rebalancing = false
    this.#generation += 1
    this.#cluster.note('group', `generation ${this.#generation} of ${members.map(({ id }) => id).join(', ')}`)
    const topics = [...new Set(members.flatMap(member => member.topics))]
    const partitions = topics.flatMap(topic => (this.#cluster.partitionsOf(topic) ?? []).map((_, partition) => ({ topic, partition })))
    const shares = share(members, partitions)
    for (const member of members) {
      const answer = member.joining
      member.joining = undefined
      member.heardAtMs = this.#cluster.time.nowMs()
      answer?.({ generation: this.#generation, assigned: shares.get(member) ?? [] })
    }
  }
}

/** Named apart, since a client does different things about the two. */
export class IllegalGeneration extends KafkaError {
  constructor() {
    super('RebalanceInProgress', 'ILLEGAL_GENERATION', { retriable: true })
  }
}
const unknownMember = (): KafkaError => new KafkaError('RebalanceInProgress', 'UNKNOWN_MEMBER_ID', { retriable: true })
