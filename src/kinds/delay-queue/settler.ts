import { formatDuration } from '../../api/duration.ts'
import type { EpochMs } from '../../api/resource.ts'
import type { OutgoingRecord, Routing } from '../../worker/task.ts'
import type { Batch } from './batch.ts'
import type { EngineConfig, Protocol } from './protocol.ts'
import type { DeadReason, Ending, Item } from './source.ts'

/** The kernel learns about a topic meanwhile. */
const ROUTING_RETRY_MS = 25

/** Ends messages: delivers them, or says why not. */
export class Settler {
  readonly #config: Pick<EngineConfig, 'late'>
  readonly #protocol: Protocol
  #now: EpochMs = 0
  #routing: Routing | undefined
  #retryAt: EpochMs = 0

  constructor(config: Pick<EngineConfig, 'late'>, protocol: Protocol) {
    this.#config = config
    this.#protocol = protocol
  }

  /** When to try again what was put off in the last proposal; 0: nothing was. */
  get retryAt(): EpochMs {
    return this.#retryAt
  }

  begin(now: EpochMs, routing: Routing): void {
    this.#now = now
    this.#routing = routing
    this.#retryAt = 0
  }

  /**
   * `later`: the kernel does not know the topic so far. `drop`: too late, and the queue drops what is too late.
   * @param at when the message goes: now, or its due time if that is still to come; the batch must not be committed before.
   */
  deliver(batch: Batch, item: Item, at: EpochMs): 'ended' | 'later' | 'drop' {
    const late = this.#late(item, at)
    if (late === 'Drop') return 'drop'
    batch.hold(Math.min(at, item.dueMs))
    const reason = item.dead ?? expired(item, at) ?? late
    if (reason !== undefined) return this.deadLetter(batch, item, reason, at) ? 'ended' : 'later'
    const { topic, partition: wanted } = this.#protocol.route(item)
    const partitions = this.#routing?.partitions(topic)
    if (partitions === undefined) return this.#later()
    if (partitions === 'missing' || wanted >= partitions)
      return this.deadLetter(batch, item, missing(topic, wanted, partitions), at) ? 'ended' : 'later'
    const partition = wanted >= 0 ? wanted : (this.#routing?.choose(item.record.key, partitions) ?? 0)
    batch.write(this.#protocol.delivered(item, topic, partition, at), item)
    batch.end(item, 'delivered')
    return 'ended'
  }

  /** False: the dead letter topic is not known so far, or is gone; the record waits, it is never skipped. */
  deadLetter(batch: Batch, item: Item, reason: DeadReason, at: EpochMs = this.#now): boolean {
    const partitions = this.#routing?.partitions(this.#protocol.deadLetterTopic(reason))
    if (partitions === undefined || partitions === 'missing') {
      this.#later()
      return false
    }
    batch.write(this.#protocol.deadLetter(item, reason, partitions, at), item)
    batch.end(item, 'deadLettered', reason)
    return true
  }

  /** The broker refused a record that ends `item`. @returns false when there is no other way to end it: try again later. */
  refused(
    item: Item,
    ending: Ending | undefined,
    record: OutgoingRecord,
    code: 'MessageTooLarge' | 'AuthorizationFailed' | 'UnknownTopic',
    message: string,
  ): boolean {
    if (ending === 'deadLettered') {
      if (code !== 'MessageTooLarge' || item.withoutValue) return false
      item.withoutValue = true
      return true
    }
    if (ending === 'moved' && code !== 'MessageTooLarge') return false
    const disposition = { MessageTooLarge: 'too-large', AuthorizationFailed: 'target-not-allowed', UnknownTopic: 'target-missing' } as const
    item.dead = { disposition: disposition[code], code, message: `${record.topic} refused the message: ${message}` }
    return true
  }

  #later(): 'later' {
    this.#retryAt = this.#now + ROUTING_RETRY_MS
    return 'later'
  }

  #late(item: Item, at: EpochMs): DeadReason | 'Drop' | undefined {
    const { late } = this.#config
    const overdueMs = at - Math.max(item.dueMs, item.originMs)
    if (late === undefined || overdueMs <= late.afterMs || item.dead !== undefined) return undefined
    if (late.policy === 'Drop') return 'Drop'
    const message = `due ${formatDuration(overdueMs)} ago, more than spec.late.after ${formatDuration(late.afterMs)}`
    return { disposition: 'late', code: 'TooLate', message }
  }
}

const expired = ({ instructions: { expiresAtMs } }: Item, now: EpochMs): DeadReason | undefined =>
  now < expiresAtMs
    ? undefined
    : { disposition: 'expired', code: 'Expired', message: `sluice-expires-at ${expiresAtMs} passed before the message could be delivered` }

const missing = (topic: string, partition: number, partitions: number | 'missing'): DeadReason =>
  partitions === 'missing'
    ? {
        disposition: 'target-missing',
        code: 'TargetMissing',
        message: `target topic ${topic} does not exist, or the workers may not see it: create it, or grant them WRITE and DESCRIBE`,
      }
    : {
        disposition: 'target-missing',
        code: 'TargetPartitionMissing',
        message: `target topic ${topic} has ${partitions} partitions; sluice-target-partition asks for ${partition}`,
      }
