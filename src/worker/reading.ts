import type { Clock } from '../api/clock.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { LogReader, LogRecord, OutgoingRecord, ReadBatch, TopicPartition } from '../kafka/log.ts'
import type { Logger } from '../observability/logger.ts'
import type { Doorbell } from './doorbell.ts'
import { Impossible } from './hosted.ts'
import type { Hosted, StopReason } from './hosted.ts'
import { checkIds } from './identity.ts'
import type { Memory } from './memory.ts'
import type { WorkerMetrics } from './metrics.ts'
import { Restores } from './restores.ts'
import type { Searches } from './searches.ts'
import type { TopicIdQueries } from './topic-ids.ts'

const POLL_RECORDS = 1000
const POLL_WAIT_MS = 20
/** Once nothing has come for a while. A source that is resumed meanwhile is read that much later. */
const IDLE_POLL_WAIT_MS = 100
const IDLE_AFTER_MS = 1000
/** How old the knowledge that nothing is unread may become: tasks that wait for it fire that much later. */
const PROOF_INTERVAL_MS = 200
/** The same for tasks that hold nothing which could wait for it. */
const IDLE_PROOF_INTERVAL_MS = 30_000
/** How long records of a topic that was made again may be read as those of the old one. */
const VERIFY_INTERVAL_MS = 30_000
/** A source that is held flaps less when it rests this long. */
const REST_MS = 20

export interface ReadingOptions {
  readonly group: string
  readonly reader: LogReader
  readonly topicIds: TopicIdQueries
  readonly tasks: () => readonly Hosted[]
  readonly memory: Memory
  readonly searches: Searches
  readonly bell: Pick<Doorbell, 'ring'>
  readonly clock: Clock
  readonly metrics: WorkerMetrics
  readonly logger: Logger
  readonly failed: (error: Error) => void
}

const key = (topic: string, partition: number): string => `${topic}/${partition}`

/** The one reader of a worker: sources to running tasks, states to restoring ones. */
export class Reading {
  readonly #with: ReadingOptions
  readonly #sources = new Map<string, Hosted>()
  readonly #restores: Restores
  #stopping = false
  #loop: Promise<void> = Promise.resolve()
  #proving = false
  #provenAt = -Infinity
  #allProvenAt = -Infinity
  #busyAt = 0
  #verifiedAt = -Infinity
  #verifying = false

  constructor(options: ReadingOptions) {
    this.#with = options
    this.#restores = new Restores(options.reader, options.clock)
  }

  start(): void {
    this.#loop = this.#run().catch((error: unknown) => {
      this.#with.failed(error instanceof Error ? error : new Error(String(error)))
    })
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#loop
  }

  /** Reads each state topic of the task from its start to its end; rejects when it stalls. */
  restore(hosted: Hosted, starts: ReadonlyMap<string, number>, ends: ReadonlyMap<string, number>): Promise<void> {
    return this.#restores.begin(hosted, starts, ends, records => {
      for (const record of records) hosted.task.loadState(record)
    })
  }

  /** From now on the task is given its sources. `ends`: of them, asked after the fencing. */
  async open(hosted: Hosted, starts: ReadonlyMap<string, number>, ends: ReadonlyMap<string, number>): Promise<void> {
    const { partition, family, dormant } = hosted
    for (const [topic, offset] of starts) {
      hosted.next.set(topic, offset)
      this.#sources.set(key(topic, partition), hosted)
      if (family.fed?.includes(topic) === true && offset >= (ends.get(topic) ?? Infinity)) dormant.add(topic)
    }
    const read = [...starts].filter(([topic]) => !dormant.has(topic))
    await this.#with.reader.assign(read.map(([topic, offset]) => ({ topic, partition, offset })))
    this.#hold(hosted)
  }

  /** Before the first of these records may be in a log: what they are written to has something to read again. */
  wake(hosted: Hosted, outputs: readonly OutgoingRecord[]): void {
    if (hosted.family.fed === undefined) return
    for (const { topic, partition } of outputs) {
      if (partition !== hosted.partition) continue
      // An end that is being asked for, or will be until this has committed, may be from before this record.
      hosted.asked.delete(topic)
      hosted.writing.add(topic)
      if (hosted.dormant.has(topic)) this.#wake(hosted, topic)
    }
  }

  #wake(hosted: Hosted, topic: string): void {
    const { partition, dormant, next } = hosted
    dormant.delete(topic)
    if (this.#sources.get(key(topic, partition)) !== hosted) return
    void this.#with.reader.assign([{ topic, partition, offset: next.get(topic) ?? 0 }])
    this.#busyAt = this.#with.clock.monotonicMs()
  }

  /** From now on the task is given nothing. */
  async close(hosted: Hosted): Promise<void> {
    this.#restores.end(hosted)
    this.#with.searches.end(hosted)
    const open = hosted.sources().filter(({ topic, partition }) => this.#sources.delete(key(topic, partition)))
    hosted.dormant.clear()
    await this.#with.reader.unassign(open)
    this.#with.bell.ring()
  }

  /** After a commit: reads on or not, as the tasks say, which may have changed their mind. */
  adjust(hosted: Hosted): void {
    hosted.writing.clear()
    if (this.#with.memory.balance()) for (const each of this.#with.tasks()) this.#hold(each)
    else this.#hold(hosted)
  }

  async stopTask(hosted: Hosted, reason: StopReason, message: string): Promise<void> {
    if (hosted.state === 'stopped') return
    hosted.stop(reason, message)
    this.#with.logger.error({ task: hosted.name, reason }, message)
    await this.close(hosted)
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const batch = await this.#with.reader.poll(POLL_RECORDS, this.#pollWaitMs())
      this.#deliver(batch.records)
      for (const { topic, partition, offset } of batch.ends) this.#reached(topic, partition, offset)
      for (const stopped of batch.stopped) await this.#halted(stopped)
      this.#restores.progress()
      if (batch.records.length > 0) {
        this.#busyAt = this.#with.clock.monotonicMs()
        this.#with.metrics.recordsRead.inc({}, batch.records.length)
        this.#with.memory.balance()
        this.#with.bell.ring()
      }
      for (const hosted of this.#with.tasks()) {
        this.#hold(hosted)
        this.#with.searches.look(hosted)
      }
      this.#prove()
      this.#verify()
    }
  }

  #pollWaitMs(): number {
    const idle = this.#with.clock.monotonicMs() - this.#busyAt > IDLE_AFTER_MS
    return idle && this.#with.tasks().every(({ state }) => state !== 'restoring') ? IDLE_POLL_WAIT_MS : POLL_WAIT_MS
  }

  /** Records come in runs of one partition. */
  #deliver(records: ReadBatch['records']): void {
    let from = 0
    for (let to = 1; to <= records.length; to += 1) {
      const first = records[from]
      const last = records[to - 1]
      const next = records[to]
      if (first === undefined || last === undefined) return
      if (next?.partition === first.partition && next.topic === first.topic) continue
      this.#accept(first, last, from === 0 && to === records.length ? records : records.slice(from, to))
      from = to
    }
  }

  #accept({ topic, partition }: TopicPartition, last: LogRecord, records: readonly LogRecord[]): void {
    const hosted = this.#sources.get(key(topic, partition))
    if (hosted === undefined) this.#restores.load(topic, partition, records)
    else if (hosted.active) {
      // A source that was resumed while a batch of it was on its way is read from the start of that batch again.
      const next = hosted.next.get(topic) ?? 0
      const fresh = (records[0]?.offset ?? next) < next ? records.filter(({ offset }) => offset >= next) : records
      if (fresh.length === 0) return
      try {
        hosted.task.accept(fresh, hosted.brokerTime.now(this.#with.clock))
        hosted.next.set(topic, last.offset + 1)
        hosted.readOn = true
      } catch (error) {
        this.fault(hosted, error)
      }
    }
  }

  /** A task that throws is a defect: what it holds in memory is not to be trusted, what is committed is. */
  fault(hosted: Hosted, error: unknown): void {
    this.#with.logger.error({ task: hosted.name, error }, 'a task failed')
    void this.stopTask(hosted, 'TaskFailed', `the task failed: ${error instanceof Error ? error.message : String(error)}`)
  }

  #reached(topic: string, partition: number, offset: number): void {
    const hosted = this.#sources.get(key(topic, partition))
    if (hosted === undefined || offset <= (hosted.next.get(topic) ?? 0)) return
    hosted.next.set(topic, offset)
    hosted.readOn = true
  }

  async #halted({ topic, partition, error }: ReadBatch['stopped'][number]): Promise<void> {
    const hosted = this.#sources.get(key(topic, partition)) ?? this.#restores.ownerOf(topic, partition)
    if (hosted === undefined) return
    if (error.code === 'OffsetOutOfRange') {
      // Of a state, retention may have removed the start since we asked for it: the take-over begins again and sees what is left.
      if (this.#restores.fail(topic, partition, error)) return
      // The end of another topic of this name says nothing of what was lost.
      await this.#verifyNow([hosted])
      await this.stopTask(hosted, error.code, error.message)
    }
    // A topic may be unknown for a moment, to a broker that has just started: the reader goes on by itself. What comes back may be another one.
    else {
      if (error.code === 'UnknownTopic') this.#verifiedAt = -Infinity
      this.#with.logger.warn({ task: hosted.name, topic, partition, code: error.code }, error.message)
    }
  }

  #hold(hosted: Hosted): void {
    if (!hosted.active) return
    const { partition, paused, task, next } = hosted
    const now = this.#with.clock.monotonicMs()
    for (const topic of task.held) {
      if (paused.has(topic) || hosted.dormant.has(topic) || !this.#sources.has(key(topic, partition))) continue
      paused.set(topic, now)
      this.#with.reader.pause([{ topic, partition }])
    }
    for (const [topic, since] of paused) {
      if (task.held.has(topic) || now - since < REST_MS) continue
      paused.delete(topic)
      void this.#with.reader.resume([{ topic, partition, offset: next.get(topic) ?? 0 }])
    }
  }

  /** Silence says nothing by itself: ask for the ends, and tell each task whose source was read that far, as of before the question. */
  #prove(): void {
    const now = this.#with.clock.monotonicMs()
    if (this.#proving || now - this.#provenAt < PROOF_INTERVAL_MS) return
    // What a task does not hold cannot become due: hundreds of idle ones are asked about seldom. One that has read on is told where that led.
    const all = now - this.#allProvenAt >= IDLE_PROOF_INTERVAL_MS
    const hosted = [...new Set(this.#sources.values())].filter(({ active, readOn, task }) => active && (all || readOn || task.bytes > 0))
    if (hosted.length === 0) return
    this.#proving = true
    for (const each of hosted) each.readOn = false
    void this.#proveNow(hosted, all).finally(() => {
      this.#proving = false
      this.#provenAt = this.#with.clock.monotonicMs()
      if (all) this.#allProvenAt = this.#provenAt
    })
  }

  /** Of a dormant source it is known without asking; with `all` it is asked nevertheless, lest somebody else has written to it. */
  async #proveNow(hosted: readonly Hosted[], all: boolean): Promise<void> {
    const { reader, clock, bell, logger } = this.#with
    const sources = hosted.flatMap(each => {
      const asOf = each.brokerTime.now(clock)
      return each.sources().map(({ topic }) => ({ hosted: each, topic, asOf, wasDormant: each.dormant.has(topic) }))
    })
    const asked = sources.filter(({ wasDormant }) => all || !wasDormant)
    for (const { hosted: each, topic } of asked) if (!each.writing.has(topic)) each.asked.add(topic)
    try {
      const answers = await reader.watermarks(asked.map(({ hosted: { partition }, topic }) => ({ topic, partition })))
      const ends = new Map(asked.map((source, index) => [source, answers[index]]))
      for (const source of sources) {
        const { hosted: each, topic, asOf, wasDormant } = source
        const next = each.next.get(topic)
        if (next === undefined || !each.active || this.#sources.get(key(topic, each.partition)) !== each) continue
        const answer = ends.get(source)
        const isDormant = wasDormant && each.dormant.has(topic)
        if (answer === undefined || answer instanceof KafkaError) {
          if (isDormant) each.task.caughtUp(topic, next, asOf)
        } else if (next >= answer.high) {
          each.task.caughtUp(topic, next, asOf)
          this.#rest(each, topic)
        } else {
          each.task.unread?.(topic, answer.high - next)
          if (isDormant) this.#wake(each, topic)
        }
      }
      bell.ring()
    } catch (error) {
      hosted.forEach(each => (each.readOn = true))
      logger.debug({ error }, 'no broker answered for the ends of the sources')
    }
  }

  /** A topic that is made again while it is read may go on where the old one was: its first records would be passed over. */
  #verify(): void {
    const now = this.#with.clock.monotonicMs()
    if (this.#verifying || now - this.#verifiedAt < VERIFY_INTERVAL_MS) return
    const hosted = [...new Set(this.#sources.values())].filter(({ active }) => active)
    if (hosted.length === 0) return
    this.#verifying = true
    void this.#verifyNow(hosted).finally(() => {
      this.#verifying = false
      this.#verifiedAt = this.#with.clock.monotonicMs()
    })
  }

  async #verifyNow(hosted: readonly Hosted[]): Promise<void> {
    const { topicIds, group, bell } = this.#with
    const ids = await topicIds.of([...new Set(hosted.flatMap(({ ids: own }) => [...own.keys()]))])
    for (const each of hosted) {
      if (!each.active) continue
      try {
        checkIds(each, each.ids, ids, group)
      } catch (error) {
        if (!(error instanceof Impossible)) throw error
        await this.stopTask(each, error.reason, error.message)
        bell.ring()
      }
    }
  }

  /** Read to its end, and not written to since we asked where that is. */
  #rest(hosted: Hosted, topic: string): void {
    const { family, partition, dormant, asked, paused } = hosted
    if (family.fed?.includes(topic) !== true || dormant.has(topic) || !asked.has(topic) || paused.has(topic)) return
    dormant.add(topic)
    void this.#with.reader.unassign([{ topic, partition }])
  }
}
