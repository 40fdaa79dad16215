import type { QueueConfig } from '../../../src/kinds/delay-queue/config.ts'
import { ladder } from '../../../src/kinds/delay-queue/ladder.ts'
import { worked } from '../../../src/kinds/delay-queue/task-family.ts'
import type {
  Commit,
  LogHeader,
  LogRecord,
  Observation,
  OutgoingRecord,
  Proposal,
  Routing,
  Search,
  Task,
  TaskFamily,
} from '../../../src/worker/task.ts'
import { PartitionLog } from './partition-log.ts'
import type { Random } from './random.ts'

/** What becomes of one transaction. */
export type Fate = 'commit' | 'abort' | 'crash before commit' | 'crash after commit'

export const aConfig = (more: Partial<QueueConfig> = {}): QueueConfig => ({
  partitions: 1,
  maxDelayMs: 600_000,
  topics: {
    input: 'q.in',
    fixed: [{ topic: 'q.fixed.30s', delayMs: 30_000 }],
    tiers: ladder(600_000).map(delayMs => ({ topic: `q.tier.${delayMs / 1000}s`, delayMs })),
    journal: 'q.journal',
    ids: 'q.ids',
    deadLetter: 'q.dlq',
  },
  target: 'due',
  allowedTargets: ['other', 'absent', 'small'],
  ...more,
})

/** Largest value that the topic `small` takes. */
export const SMALL_BYTES = 64

/**
 * One partition of what waits with all its topics, a clock, and one task that is driven as the kernel drives it. Nothing here knows what a kind
 * promises: audits do.
 */
export class EngineWorld {
  now = 1_700_000_000_000
  readonly logs = new Map<string, PartitionLog>()
  readonly commits = new Map<string, Commit>()
  readonly observed: Observation[] = []
  /** Positions of the input as they were committed. */
  readonly passed: { readonly offset: number; readonly atMs: number }[] = []
  restarts = 0
  task: Task
  #family: TaskFamily
  #positions = new Map<string, number>()
  #searching: { readonly search: Search; readonly left: Map<string, { at: number; readonly end: number }> } | undefined

  /** @param outside topics that the family writes to and does not read. */
  constructor(family: TaskFamily, outside: readonly string[]) {
    this.#family = family
    for (const topic of [...family.sources, ...family.states, ...outside]) this.logs.set(topic, new PartitionLog(topic))
    this.task = this.#start()
  }

  get sources(): readonly string[] {
    return this.#family.sources
  }

  log(topic: string): PartitionLog {
    const log = this.logs.get(topic)
    if (log === undefined) throw new Error(`no topic ${topic}`)
    return log
  }

  write(
    topic: string,
    headers: readonly LogHeader[],
    more: { readonly key?: Buffer | null; readonly value?: Buffer | null } = {},
  ): LogRecord {
    return this.log(topic).append(this.now, more.key ?? null, more.value ?? null, headers, 'committed')
  }

  /** The worker dies without a word; another takes over. */
  crash(): void {
    this.restarts++
    this.task = this.#start()
  }

  /** The spec changes: the worker stops, and one with the new contract takes over. */
  reconfigure(config: QueueConfig): void {
    this.#family = familyOf(config)
    for (const topic of this.sources) if (!this.logs.has(topic)) this.logs.set(topic, new PartitionLog(topic))
    this.crash()
  }

  /** Reads one source as far as `most` records; tells the task when the end was reached. */
  read(topic: string, most: number): void {
    if (this.task.held.has(topic)) return
    const log = this.log(topic)
    const from = this.#positions.get(topic) ?? 0
    const records = log.read(from, most)
    if (records.length > 0) {
      this.#positions.set(topic, records.at(-1)!.offset + 1)
      this.task.accept(records, this.now)
    }
    if (records.length < most) {
      this.#positions.set(topic, log.stable)
      this.task.caughtUp(topic, log.stable, this.now)
    }
  }

  /** How far ahead of its due time work is staged. */
  leadMs = 0

  /** Reads on for the search that the task wishes, if there is one, at most so many records of each source. False: there was nothing to do. */
  search(most: number): boolean {
    const { search } = this.task
    if (search === undefined) return false
    if (this.#searching?.search !== search) {
      const left = new Map([...search.from].map(([topic, at]) => [topic, { at, end: this.log(topic).high }]))
      this.#searching = { search, left }
    }
    const { left } = this.#searching
    for (const [topic, range] of left) {
      const records = this.log(topic)
        .read(range.at, most)
        .filter(({ offset }) => offset < range.end)
      search.found(records)
      range.at = records.length < most ? this.log(topic).stable : records.at(-1)!.offset + 1
      if (range.at >= range.end) left.delete(topic)
    }
    if (left.size === 0) search.ended()
    return true
  }

  readonly routing: Routing = {
    partitions: topic => (topic === 'absent' ? 'missing' : 1),
    choose: () => 0,
  }

  /** One proposal and its transaction. False: there was nothing to do. */
  transact(fate: Fate, limit = 500, task: Task = this.task): boolean {
    const proposal = task.propose(this.now, limit, this.routing, this.now + this.leadMs)
    if (proposal === undefined) return false
    // Staged ahead: the transaction waits, as the kernel has it.
    this.now = Math.max(this.now, proposal.notBefore ?? 0)
    const refused = proposal.outputs.find(output => output.topic === 'small' && (output.value?.length ?? 0) > SMALL_BYTES)
    const written = this.#append(proposal, task === this.task ? undefined : 'zombie')
    if (refused !== undefined || fate === 'abort' || fate === 'crash before commit') {
      for (const log of written) log.end('aborted')
      if (refused !== undefined) task.rejected(refused, 'MessageTooLarge', 'message too large')
      if (fate === 'crash before commit') this.crash()
      return true
    }
    for (const log of written) log.end('committed')
    for (const commit of proposal.offsets) {
      this.commits.set(commit.topic, commit)
      if (commit.topic === 'q.in') this.passed.push({ offset: commit.offset, atMs: this.now })
    }
    if (fate === 'crash after commit') this.crash()
    else this.observed.push(...task.committed(proposal, this.now))
    return true
  }

  /** A worker that lost its partition without knowing: whatever it writes is aborted, since it is fenced. */
  zombie(task: Task): void {
    this.transact('abort', 500, task)
  }

  /** Runs until nothing is left to do up to `untilMs`: the clock jumps from one wake-up to the next. */
  runTo(untilMs: number, fate: () => Fate = () => 'commit', limit = 500): void {
    for (;;) {
      for (const topic of this.sources) this.read(topic, 1000)
      if (this.transact(fate(), limit)) continue
      if (this.search(1000)) continue
      const wakeAt = this.task.wakeAt() ?? Infinity
      if (wakeAt <= this.now) throw new Error(`the task asks to be woken at ${wakeAt}, which has passed, and proposes nothing`)
      if (this.now >= untilMs) return
      // Never asleep for long: the kernel tells of the ends of the topics again and again.
      this.now = Math.min(wakeAt, untilMs, this.now + 5_000)
    }
  }

  total(metric: string): number {
    return this.observed.filter(seen => seen.metric === metric).reduce((sum, { value }) => sum + value, 0)
  }

  #append(proposal: Proposal, zombie: 'zombie' | undefined): ReadonlySet<PartitionLog> {
    const written = new Set<PartitionLog>()
    for (const output of proposal.outputs) {
      const log = this.log(output.topic)
      written.add(log)
      if (zombie === undefined || output.topic !== this.#family.states[0]) this.#appendOne(log, output)
    }
    return written
  }

  #appendOne(log: PartitionLog, { key, value, headers }: OutgoingRecord): void {
    log.append(this.now, key, value, headers, 'open')
  }

  /** As the kernel does: what the brokers stamp goes first. */
  #claim(task: Task): void {
    const stamp = task.stamp?.()
    if (stamp === undefined) return
    const log = this.log(stamp.topic)
    this.#appendOne(log, stamp)
    log.end('committed')
  }

  #start(): Task {
    const task = this.#family.create(0)
    const ends = new Map(this.#family.states.map(topic => [topic, this.log(topic).stable]))
    for (const [topic, from] of task.restoreFrom(this.commits))
      for (const record of this.log(topic).read(from === 'earliest' ? 0 : from, Infinity)) task.loadState(record)
    const starts = [...task.started(this.commits, ends, this.now)]
    this.#positions = new Map(
      starts.map(([topic, start]) => [topic, typeof start === 'number' ? start : typeof start === 'string' ? 0 : start.orEarliest]),
    )
    this.#claim(task)
    return task
  }
}

/** The world of one partition of a queue. */
export class World extends EngineWorld {
  constructor(config: QueueConfig) {
    const resource = { kind: 'DelayQueue', name: 'q', config: JSON.parse(JSON.stringify(config)) as unknown }
    super(worked.tasks(resource, 'shop'), ['q.dlq', 'due', 'other', 'small'])
  }
}

const familyOf = (config: QueueConfig): TaskFamily =>
  worked.tasks({ kind: 'DelayQueue', name: 'q', config: JSON.parse(JSON.stringify(config)) as unknown }, 'shop')

/** Header values as text. */
export const headers = (values: Readonly<Record<string, string>>): LogHeader[] =>
  Object.entries(values).map(([name, value]) => [name, Buffer.from(value)] as const)

export const textHeader = (record: LogRecord, name: string): string | undefined =>
  record.headers.findLast(([other]) => other === name)?.[1]?.toString()

export type { Random }
