import { KafkaError } from '../../../src/kafka/errors.ts'
import type { Commit, GroupConsumer, GroupConsumerOptions, TopicPartition } from '../../../src/kafka/log.ts'
import { Unavailable, nameOf } from './partition.ts'
import { IllegalGeneration } from './group.ts'
import type { Group, Identity, Joined } from './group.ts'
import type { Remote } from './remote.ts'

const HEARTBEAT_MS = 500
const REQUEST_TIMEOUT_MS = 3000
const COMMITTED_NOW_TIMEOUT_MS = 5000
const LEAVE_TIMEOUT_MS = 10_000

/**
 * A member of a group as librdkafka has it: heartbeats and joins in the background, rebalances on the thread of the application, one after the other.
 * Cooperative: what it keeps goes on through a rebalance; what it loses is let go before it joins again.
 */
export class ModelMember implements GroupConsumer {
  readonly group: Group
  readonly #remote: Remote
  readonly #options: GroupConsumerOptions
  #memberId = ''
  #generation = -1
  #serial = 0
  #owned: readonly TopicPartition[] = []
  #heardAtMs: number
  #topics: readonly string[]
  /** A join is on its way, or its outcome is being carried out. */
  #busy = false
  /** The subscription changed meanwhile. */
  #again = false
  #closing = false
  #left = false
  #turn: Promise<void> = Promise.resolve()

  constructor(remote: Remote, options: GroupConsumerOptions) {
    this.#remote = remote
    this.#options = options
    this.group = remote.cluster.group(options.groupId)
    this.#topics = options.topics
    this.#heardAtMs = remote.nowMs
    this.#join()
    this.#beat()
  }

  /** As it stands when a request is sent, not when it was asked for. */
  get identity(): Identity {
    return { memberId: this.#memberId, generation: this.#generation }
  }

  get left(): boolean {
    return this.#left
  }

  committed(partition: TopicPartition, { timeoutMs }: { readonly timeoutMs: number }): Promise<Commit | undefined> {
    const ask = (): Commit | undefined => {
      const group = this.#coordinated()
      if (!group.stable(partition)) throw new Unavailable('UNSTABLE_OFFSET_COMMIT')
      return group.offset(partition)
    }
    return this.#remote.call('committed', timeoutMs, ask).catch((error: unknown) => {
      throw new KafkaError('UnstableOffsets', `the committed offset of ${nameOf(partition)} is not stable`, {
        retriable: true,
        cause: error,
      })
    })
  }

  committedNow(partition: TopicPartition): Promise<Commit | undefined> {
    return this.#remote.call('committed now', COMMITTED_NOW_TIMEOUT_MS, () => this.#coordinated().offset(partition))
  }

  subscribe(topics: readonly string[]): void {
    this.#topics = topics
    this.#remote.host.background(0, () => {
      const gone = this.#owned.filter(({ topic }) => !topics.includes(topic))
      if (this.#busy) {
        this.#again = true
        return
      }
      if (gone.length === 0) {
        this.#join()
        return
      }
      this.#busy = true
      this.#served(async () => {
        await this.#letGo(gone, false)
        return true
      })
    })
  }

  async close(): Promise<void> {
    this.#closing = true
    const { host } = this.#remote
    const late = new Promise<void>(resolve => {
      host.after(LEAVE_TIMEOUT_MS, resolve)
    })
    await Promise.race([this.#turn.then(() => this.#letGo(this.#owned, false)), late])
    const memberId = this.#memberId
    this.#left = true
    if (memberId === '') return
    // A goodbye that does not arrive is not waited for: the session will time out.
    await this.#remote
      .call('leave', REQUEST_TIMEOUT_MS, () => {
        this.#coordinated().leave(memberId)
      })
      .catch(() => undefined)
  }

  #coordinated(): Group {
    return this.#remote.cluster.coordinated(this.group)
  }

  #beat(): void {
    this.#remote.host.background(HEARTBEAT_MS, () => {
      if (this.#left) return
      this.#beat()
      const { identity } = this
      const { memberId } = identity
      if (memberId === '') return
      this.#remote.request(
        'heartbeat',
        REQUEST_TIMEOUT_MS,
        () => this.#coordinated().heartbeat(identity),
        outcome => {
          // The answer to another life.
          if (this.#memberId !== memberId || this.#left) return
          if ('answer' in outcome) {
            this.#heardAtMs = this.#remote.nowMs
            if (outcome.answer) this.#join()
          } else if (outcome.error.code === 'RebalanceInProgress' && !this.#busy) {
            this.#lose(outcome.error)
          } else if (this.#remote.nowMs - this.#heardAtMs > this.#options.sessionTimeoutMs) this.#lose(outcome.error)
        },
      )
    })
  }

  #join(): void {
    // A heartbeat that is answered while this goes on may tell of the rebalance that it belongs to; the next one tells of a later one.
    if (this.#busy || this.#left || this.#closing) return
    this.#busy = true
    this.#again = false
    const { host, cluster } = this.#remote
    const { sessionTimeoutMs } = this.#options
    const asked = { memberId: this.#memberId, serial: (this.#serial += 1), topics: this.#topics, sessionTimeoutMs, owned: this.#owned }
    // Long: answered when all others have joined.
    const answer = (joined: Joined | undefined): void => {
      host.background(cluster.network.delayMs(), () => {
        if (joined !== undefined) this.#joined(joined)
        else {
          this.#busy = false
          this.#lose()
        }
      })
    }
    this.#remote.request(
      'join',
      REQUEST_TIMEOUT_MS,
      () => this.#coordinated().join(asked, answer),
      outcome => {
        if ('answer' in outcome) {
          if (this.#memberId === '') this.#memberId = outcome.answer
          this.#heardAtMs = this.#remote.nowMs
          return
        }
        this.#busy = false
        if (outcome.error.code === 'RebalanceInProgress') this.#lose(outcome.error)
        else this.#join()
      },
    )
  }

  #joined({ generation, assigned }: Joined): void {
    if (this.#left) return
    this.#generation = generation
    this.#heardAtMs = this.#remote.nowMs
    const gone = this.#owned.filter(partition => !has(assigned, partition))
    const come = assigned.filter(partition => !has(this.#owned, partition))
    this.#served(async () => {
      if (gone.length > 0) await this.#letGo(gone, false)
      if (!this.#closing) {
        this.#owned = [...this.#owned, ...come]
        await this.#options.assigned(come)
      }
      return gone.length > 0
    })
  }

  /** Expelled, or of an older generation: everything is lost, and it begins anew. */
  #lose(error?: KafkaError): void {
    if (this.#busy) return
    this.#busy = true
    if (error instanceof IllegalGeneration) this.#generation = -1
    else this.#memberId = ''
    this.#served(async () => {
      await this.#letGo(this.#owned, true)
      return true
    })
  }

  /** Runs a rebalance on the application's thread, when it has come round to serve it; afterwards joins again if it has to. */
  #served(rebalance: () => Promise<boolean>): void {
    const { host, cluster } = this.#remote
    host.after(cluster.network.delayMs(), () => {
      this.#turn = this.#turn
        .then(rebalance)
        .catch((error: unknown) => {
          this.#options.failed(error as Error)
          return false
        })
        .then(rejoin => {
          host.background(0, () => {
            this.#busy = false
            if (rejoin || this.#again) this.#join()
          })
        })
    })
  }

  async #letGo(partitions: readonly TopicPartition[], lost: boolean): Promise<void> {
    if (partitions.length > 0) await this.#options.revoked(partitions, lost)
    this.#owned = this.#owned.filter(partition => !has(partitions, partition))
  }
}

const has = (list: readonly TopicPartition[], one: TopicPartition): boolean =>
  list.some(({ topic, partition }) => topic === one.topic && partition === one.partition)
