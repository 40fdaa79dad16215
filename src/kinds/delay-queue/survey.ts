import type { EpochMs } from '../../api/resource.ts'
import type { Commit, LogRecord } from '../../worker/task.ts'
import type { QueueConfig } from './config.ts'
import { Ids } from './ids.ts'
import type { Verdict } from './ids.ts'
import { Ledger } from './ledger.ts'
import { Outgoing } from './outgoing.ts'
import { QueueProtocol } from './queue-protocol.ts'
import { sourcesOf } from './source.ts'
import type { Deed, Item, Source } from './source.ts'

/** A record that waits in Kafka. What it carries stays behind unless it is asked for: a survey may meet millions. */
export interface Found {
  readonly deed: Deed
  /** As text; undefined: none, or a fixed delay, where ids have no meaning. */
  readonly id: string | undefined
  readonly version: number
  /** NaN where the record asks for no time. */
  readonly dueMs: EpochMs
  readonly appendedMs: EpochMs
  readonly partition: number
  /** Where it waits: `in`, `fixed <ms>` or `tier <ms>`. */
  readonly role: string
  readonly topic: string
  readonly offset: number
  /** Of the producer's record, in the input or the fixed delay. */
  readonly originOffset: number
  readonly key: Buffer | null
  /** It repeats an earlier message of its id. */
  readonly repeated: boolean
  /** Why it will be a dead letter; of a record that cannot be handled. */
  readonly problem: string | undefined
  readonly record: LogRecord
  /** How many of the record's headers are the producer's. */
  readonly headerCount: number
}

/**
 * What waits in one partition of a queue as Kafka has it: the same books and rules by which a worker takes the partition over, and no worker. Called
 * as a task is: `restoreFrom`, `loadState`, `started`, then `read`, all of the input first.
 */
export class Survey {
  readonly partition: number
  readonly sources: readonly Source[]
  readonly #ids: Ids
  readonly #ledger: Ledger
  readonly #protocol: QueueProtocol
  readonly #byTopic: ReadonlyMap<string, Source>

  constructor(config: QueueConfig, partition: number) {
    this.partition = partition
    const sources = sourcesOf(config)
    this.sources = sources
    this.#byTopic = new Map(sources.map(source => [source.topic, source]))
    this.#ids = new Ids(Number.MAX_SAFE_INTEGER / 2, config.deduplicationMs ?? 0)
    this.#ledger = new Ledger(config, partition, sources, this.#ids, new Outgoing(partition))
    this.#protocol = new QueueProtocol(config, '', partition)
  }

  restoreFrom(committed: ReadonlyMap<string, Commit>): ReadonlyMap<string, number | 'earliest'> {
    return this.#ledger.restoreFrom(committed)
  }

  loadState(record: LogRecord): void {
    this.#ledger.load(record)
  }

  /** Offsets that must have been fetched after the state was read: else what was delivered meanwhile would seem to wait. */
  started(committed: ReadonlyMap<string, Commit>, stateEnds: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    const starts = this.#ledger.started(committed, stateEnds)
    // Where a worker would stop, somebody who looks sees all that is there.
    return new Map([...starts].map(([topic, start]) => [topic, start === 'unknown' ? 0 : start]))
  }

  /** undefined: done already. */
  read(record: LogRecord): Found | undefined {
    const source = this.#byTopic.get(record.topic)
    if (source?.position.accept(record.offset) !== true) return undefined
    const item = this.#protocol.read(source, record)
    const repeated = this.#learn(item) === 'duplicate'
    return {
      deed: item.deed,
      id: item.id === undefined ? undefined : Buffer.from(item.id, 'latin1').toString(),
      version: item.instructions.version,
      dueMs: item.dueMs,
      appendedMs: item.originMs,
      partition: this.partition,
      role: source.role,
      topic: source.topic,
      offset: record.offset,
      originOffset: item.originOffset,
      key: record.key,
      repeated,
      problem: item.dead?.message,
      record,
      headerCount: item.headerCount,
    }
  }

  /** What will become of it, once all of the input has been read. */
  verdict({ id, originOffset, version, repeated }: Pick<Found, 'id' | 'originOffset' | 'version' | 'repeated'>): Verdict {
    if (repeated) return 'duplicate'
    return id === undefined ? 'alive' : this.#ids.look(Buffer.from(id).toString('latin1'), originOffset, version)
  }

  /** What is remembered of an id. */
  remembered(id: string): ReturnType<Ids['about']> {
    return this.#ids.about(Buffer.from(id).toString('latin1'))
  }

  #learn({ source, deed, id, originOffset, originMs, instructions }: Item): Verdict {
    if (source.type !== 'input' || id === undefined) return 'alive'
    if (deed === 'cancel') this.#ids.cancel(id, originOffset, originMs)
    return deed === 'deliver' ? this.#ids.schedule(id, originOffset, instructions.version, originMs).verdict : 'alive'
  }
}

/**
 * No record that was appended to a tier or a fixed delay at this time or later is due before: what a reader that looks for what is due soon need not
 * read. Of the input nothing can be said.
 */
export const dueAtTheEarliest = ({ type, delayMs }: Pick<Source, 'type' | 'delayMs'>, appendedMs: EpochMs): EpochMs =>
  type === 'input' ? -Infinity : appendedMs + delayMs
