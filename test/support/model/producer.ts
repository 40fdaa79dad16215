import { KafkaError } from '../../../src/kafka/errors.ts'
import type { Commit, GroupConsumer, OutgoingRecord, Refusal, TransactionalProducer } from '../../../src/kafka/log.ts'
import { nameOf } from './partition.ts'
import type { ModelMember } from './member.ts'
import type { Remote } from './remote.ts'

/** What a test may make go wrong, per client. */
export interface Faults {
  /** Called before the coordinator is asked to commit, and after it answered: throw to lose the answer. */
  beforeCommit?: (() => Promise<void> | void) | undefined
  afterCommit?: (() => Promise<void> | void) | undefined
  refuses?: ((record: OutgoingRecord) => Refusal['code'] | undefined) | undefined
}

const MESSAGE_TIMEOUT_MS = 10_000
const METADATA_TIMEOUT_MS = 5000

type Stamped = (appendedMs: number) => void
interface Queued {
  readonly record: OutgoingRecord
  readonly stamped: Stamped | undefined
}

/** Records of one partition that were not acknowledged so far. */
interface Line {
  readonly queue: Queued[]
  flying: boolean
  sequence: number
}

/** What is known of the open transaction. */
interface Transaction {
  /** Something of it is known to the coordinator: it has to be ended there. */
  begun: boolean
  /** It can only be aborted. */
  failed: KafkaError | undefined
}

/** A transactional producer as librdkafka has it: records leave in the background, errors surface at the commit. */
export class ModelProducer implements TransactionalProducer {
  readonly #remote: Remote
  readonly #id: string
  readonly #timeoutMs: number
  readonly #faults: Faults
  readonly #lines = new Map<string, Line>()
  #epoch = -1
  #fatal: KafkaError | undefined
  #transaction: Transaction | undefined
  #refusals: Refusal[] = []
  #idle: (() => void)[] = []

  constructor(remote: Remote, id: string, timeoutMs: number, faults: Faults) {
    this.#remote = remote
    this.#id = id
    this.#timeoutMs = timeoutMs
    this.#faults = faults
  }

  async initTransactions(timeoutMs: number): Promise<void> {
    const { coordinator } = this.#remote.cluster
    this.#epoch = await this.#remote.call('init', timeoutMs, () => coordinator.init(this.#id, this.#timeoutMs))
  }

  async begin(): Promise<void> {
    await this.#turn()
    if (this.#fatal !== undefined) throw this.#fatal
    this.#refusals = []
    this.#transaction = { begun: false, failed: undefined }
  }

  send(record: OutgoingRecord, stamped?: Stamped): void {
    const line = this.#lines.get(nameOf(record)) ?? { queue: [], flying: false, sequence: 0 }
    this.#lines.set(nameOf(record), line)
    line.queue.push({ record, stamped })
    if (!line.flying) this.#fly(line, record)
  }

  async sendOffsets(commits: readonly Commit[], consumer: GroupConsumer, timeoutMs: number): Promise<void> {
    const member = consumer as unknown as ModelMember
    const { cluster } = this.#remote
    await this.#turn()
    if (member.left) throw new KafkaError('RebalanceInProgress', 'this consumer has left the group', { retriable: true })
    this.#check()
    const { identity, group } = member
    try {
      if (this.#transaction !== undefined) this.#transaction.begun = true
      await this.#remote.call('send offsets', timeoutMs, () => {
        cluster.coordinated(group)
        cluster.coordinator.offsets(this.#id, this.#epoch, group, identity, commits)
      })
    } catch (error) {
      throw this.#failed(error as KafkaError)
    }
  }

  async commit(timeoutMs: number): Promise<void> {
    await this.#faults.beforeCommit?.()
    await this.#flushed(timeoutMs)
    this.#check()
    const transaction = this.#transaction
    if (transaction?.failed !== undefined) throw transaction.failed
    if (transaction?.begun === true) await this.#end('committed', timeoutMs)
    this.#transaction = undefined
    await this.#faults.afterCommit?.()
  }

  async abort(timeoutMs: number): Promise<void> {
    for (const line of this.#lines.values()) line.queue.length = 0
    await this.#flushed(timeoutMs)
    if (this.#fatal !== undefined) throw this.#fatal
    if (this.#transaction?.begun === true) await this.#end('aborted', timeoutMs)
    this.#transaction = undefined
  }

  refusals(): readonly Refusal[] {
    return this.#refusals
  }

  partitionsOf(topic: string): Promise<number | undefined> {
    return this.#remote.call('metadata', METADATA_TIMEOUT_MS, () => this.#remote.cluster.described(topic))
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #check(): void {
    if (this.#fatal !== undefined) throw this.#fatal
  }

  /** The binding works on a thread of its own: never at once. */
  #turn(): Promise<void> {
    return new Promise(resolve => {
      this.#remote.host.after(0, resolve)
    })
  }

  #fly(line: Line, place: OutgoingRecord): void {
    const { host, cluster } = this.#remote
    line.flying = true
    host.background(0, () => {
      const sent = line.queue.splice(0)
      const records = sent.map(({ record }) => record)
      if (sent.length === 0) {
        this.#landed(line)
        return
      }
      const { sequence } = line
      if (this.#transaction !== undefined) this.#transaction.begun = true
      const produce = (): number => {
        const log = cluster.led(place)
        cluster.coordinator.enlist(this.#id, this.#epoch, log)
        this.#judge(records)
        return cluster.coordinator.produce(this.#id, this.#epoch, log, records, sequence)
      }
      this.#remote.request('produce', MESSAGE_TIMEOUT_MS, produce, outcome => {
        if ('error' in outcome) this.#refused(place, outcome.error)
        else {
          line.sequence += records.length
          const { answer: appendedMs } = outcome
          for (const { stamped } of sent)
            if (stamped !== undefined)
              host.after(0, () => {
                stamped(appendedMs)
              })
        }
        if (line.queue.length > 0) this.#fly(line, place)
        else this.#landed(line)
      })
    })
  }

  #landed(line: Line): void {
    line.flying = false
    if ([...this.#lines.values()].some(({ flying }) => flying)) return
    for (const resolve of this.#idle.splice(0)) this.#remote.host.after(0, resolve)
  }

  #refused({ topic, partition }: OutgoingRecord, error: KafkaError): void {
    const { code, message } = error
    if (code === 'MessageTooLarge' || code === 'AuthorizationFailed' || code === 'UnknownTopic')
      this.#refusals.push({ topic, partition, code, message })
    this.#failed(error)
  }

  /** A batch is refused as one, for one of its records. */
  #judge(records: readonly OutgoingRecord[]): void {
    for (const record of records) {
      const code = this.#faults.refuses?.(record)
      if (code !== undefined) throw new KafkaError(code, 'refused by the model', { retriable: false })
    }
  }

  #failed(error: KafkaError): KafkaError {
    const { code, message } = error
    if (code === 'Fenced') this.#fatal ??= error
    const abortable = new KafkaError(code, message, { retriable: code !== 'Fenced', cause: error })
    if (this.#transaction !== undefined) this.#transaction.failed ??= abortable
    return abortable
  }

  #flushed(timeoutMs: number): Promise<void> {
    if (![...this.#lines.values()].some(({ flying }) => flying)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#idle.push(resolve)
      this.#remote.host.after(timeoutMs, () => {
        reject(new KafkaError('Timeout', 'records are still on their way', { retriable: true }))
      })
    })
  }

  async #end(outcome: 'committed' | 'aborted', timeoutMs: number): Promise<void> {
    const { coordinator } = this.#remote.cluster
    try {
      await this.#remote.call('end transaction', timeoutMs, () => {
        coordinator.end(this.#id, this.#epoch, outcome)
      })
    } catch (error) {
      const { code, message } = error as KafkaError
      if (code === 'Fenced') this.#fatal = error as KafkaError
      // It may be carried out by the coordinator all the same.
      throw new KafkaError(code, message, { retriable: false, cause: error })
    }
  }
}
