import type { KafkaLog, GroupConsumer, LogReader, TransactionalProducer } from '../kafka/log.ts'
import type { Clock } from '../api/clock.ts'
import type { Logger } from '../observability/logger.ts'
import type { Caller } from './caller.ts'
import { Calls } from './calls.ts'
import { Doorbell } from './doorbell.ts'
import { inputsOf } from './families.ts'
import type { HostedFamily } from './families.ts'
import { Fencing } from './fencing.ts'
import type { Hosted } from './hosted.ts'
import { Memory } from './memory.ts'
import type { WorkerMetrics } from './metrics.ts'
import { Ownership } from './ownership.ts'
import { ProducerPair } from './producer-pair.ts'
import { Reading } from './reading.ts'
import { TopicRouting } from './routing.ts'
import { Searches } from './searches.ts'
import { takeOver } from './takeover.ts'
import { TopicIdQueries } from './topic-ids.ts'
import { Transactions } from './transactions.ts'

const SESSION_TIMEOUT_MS = 6000
const TRANSACTION_TIMEOUT_MS = 10_000
const INIT_TIMEOUT_MS = 30_000

export interface SessionOptions {
  readonly group: string
  /** No other session has or had it. */
  readonly transactionalId: string
  /** Transactional id of this worker's session before: what that one may have left open is ended first. */
  readonly earlier: string | undefined
  readonly families: readonly HostedFamily[]
  readonly memoryBudgetBytes: number
  readonly log: KafkaLog
  readonly caller: Caller
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: WorkerMetrics
  /** The session before ended over a record that brokers refuse: begin with one record at a time, so that it is found. */
  readonly wary: boolean
}

/**
 * One membership in the group with its producer, reader and tasks. Whatever goes wrong beyond an aborted transaction ends the session as a whole: the
 * next one begins with nothing in memory and reads what was committed.
 */
export class Session {
  readonly #options: SessionOptions
  readonly #failure = Promise.withResolvers<Error>()
  #families: readonly HostedFamily[]
  #over = false
  #refused = false
  #producer: TransactionalProducer | undefined
  #reader: LogReader | undefined
  #member: GroupConsumer | undefined
  readonly #membership = Promise.withResolvers<GroupConsumer>()
  #transactions: Transactions | undefined
  #calls: Calls | undefined
  #reading: Reading | undefined
  #searches: Searches | undefined
  #ownership: Ownership | undefined
  #loop: Promise<unknown> = Promise.resolve()

  constructor(options: SessionOptions) {
    this.#options = options
    this.#families = options.families
  }

  /** Resolves when the session has to be replaced. */
  get failed(): Promise<Error> {
    return this.#failure.promise
  }

  /**
   * It ended while the brokers refused a record. librdkafka cannot abort while later records of the same partition are on their way (they are out of
   * sequence for good): it waits until the broker ends the transaction, is fenced by that, and what the tasks were to be told is lost with them.
   */
  get refused(): boolean {
    return this.#refused
  }

  tasks(): readonly Hosted[] {
    return this.#ownership?.tasks() ?? []
  }

  get joined(): boolean {
    return this.#ownership?.joined === true && !this.#over
  }

  async start(): Promise<void> {
    const { log, transactionalId, group, earlier, metrics, logger } = this.#options
    // The producer first: it is the one that learns why a cluster cannot be reached.
    const producer = await ProducerPair.of(log, transactionalId, TRANSACTION_TIMEOUT_MS)
    this.#producer = producer
    const fencing = new Fencing(log, transactionalId, metrics, logger)
    await Promise.all([producer.initTransactions(INIT_TIMEOUT_MS), earlier === undefined ? undefined : fencing.fence(earlier)])
    const reader = await log.reader()
    this.#reader = reader
    const { reading, transactions, calls, ownership } = this.#assemble(producer, reader, fencing)
    reading.start()
    this.#loop = Promise.all([transactions.run(), calls.run()])
    const joinedWith = this.#families
    this.#member = await log.groupConsumer({
      groupId: group,
      topics: inputsOf(joinedWith),
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      assigned: partitions => {
        ownership.assigned(partitions)
        return Promise.resolve()
      },
      revoked: (partitions, lost) => ownership.revoked(partitions, lost),
      failed: this.#fail,
    })
    this.#membership.resolve(this.#member)
    if (this.#families !== joinedWith) this.#member.subscribe(inputsOf(this.#families))
  }

  /** Other resources than before: only theirs are touched, the others go on. */
  async adopt(families: readonly HostedFamily[]): Promise<void> {
    this.#families = families
    try {
      await this.#ownership?.adopt(families)
      this.#calls?.adopt(families)
      if (this.#families === families && !this.#over) this.#member?.subscribe(inputsOf(families))
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** In order: finish the open transaction, release and leave, close. Rejects when a client did not let go. */
  async stop(): Promise<void> {
    if (!this.#over) {
      await this.#calls?.stop()
      await this.#transactions?.flush()
    }
    this.#calls?.close()
    await this.#transactions?.stop()
    await this.#loop
    await this.#member?.close()
    this.#over = true
    await Promise.all([this.#reading?.stop(), this.#searches?.stop()])
    await Promise.all([this.#producer?.close(), this.#reader?.close()])
  }

  readonly #fail = (error: Error): void => {
    this.#over = true
    this.#refused = (this.#producer?.refusals().length ?? 0) > 0
    this.#transactions?.abandon()
    this.#failure.resolve(error)
  }

  #assemble(
    producer: TransactionalProducer,
    reader: LogReader,
    fencing: Fencing,
  ): { reading: Reading; transactions: Transactions; calls: Calls; ownership: Ownership } {
    const { group, clock, logger, metrics, transactionalId, memoryBudgetBytes, wary } = this.#options
    const tasks = (): readonly Hosted[] => this.tasks()
    const bell = new Doorbell(clock)
    const fault = (hosted: Hosted, error: unknown): void => {
      reading.fault(hosted, error)
    }
    const ring = (): void => {
      bell.ring()
      calls.ring()
    }
    const calls = new Calls({ caller: this.#options.caller, tasks, clock, metrics, bell, fault, failed: this.#fail })
    const shared = { tasks, clock, logger, metrics, bell: { ring }, failed: this.#fail }
    const searches = new Searches({
      ...shared,
      open: () => this.#options.log.reader(),
      fault,
    })
    const topicIds = new TopicIdQueries(reader)
    const reading = new Reading({ ...shared, group, topicIds, reader, searches, memory: new Memory(memoryBudgetBytes, tasks) })
    const routing = new TopicRouting(producer, clock, () => {
      bell.ring()
    })
    const transactions = new Transactions({
      ...shared,
      bell,
      producer,
      transactionalId,
      routing,
      member: this.#memberNow,
      writing: (hosted, outputs) => {
        reading.wake(hosted, outputs)
      },
      advanced: hosted => {
        reading.adjust(hosted)
        calls.ring()
      },
      stop: fault,
    })
    const ended = (): boolean => this.#over
    const takingOver = { ...shared, group, topicIds, reader, reading, transactions, fencing, member: this.#memberNow, ended }
    const ownership = new Ownership({
      ...shared,
      families: this.#families,
      wary,
      reading,
      transactions,
      calls,
      takeOver: hosted => this.#membership.promise.then(() => takeOver(hosted, takingOver)),
    })
    this.#reading = reading
    this.#searches = searches
    this.#transactions = transactions
    this.#calls = calls
    this.#ownership = ownership
    return { reading, transactions, calls, ownership }
  }

  readonly #memberNow = (): GroupConsumer => {
    if (this.#member === undefined) throw new Error('the group has not been joined')
    return this.#member
  }
}
