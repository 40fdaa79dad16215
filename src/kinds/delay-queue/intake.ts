import { formatDuration } from '../../api/duration.ts'
import type { LogRecord } from '../../worker/task.ts'
import type { QueueConfig } from './config.ts'
import { BadRecord, NOTHING, readInstructions } from './headers.ts'
import type { DueRule, Instructions } from './headers.ts'
import { readHop } from './hop.ts'
import { Item, timeless } from './source.ts'
import type { DeadReason, Origin, Source } from './source.ts'
import type { Targets } from './targets.ts'

const BY_TOPIC: DueRule = { by: 'topic' }
const BY_HOP: DueRule = { by: 'hop' }

/** Makes of a record what is to be done with it, by what the record says and nothing else. */
export class Intake {
  readonly #inputTopic: string
  readonly #byHeaders: Extract<DueRule, { by: 'headers' }>
  readonly #targets: Targets

  constructor(config: QueueConfig, targets: Targets) {
    this.#inputTopic = config.topics.input
    this.#byHeaders = { by: 'headers', maxDelayMs: config.maxDelayMs }
    this.#targets = targets
  }

  read(source: Source, record: LogRecord): Item {
    const unusable = timeless(record)
    if (unusable !== undefined) return dead(source, record, hereWith(record), unusable)
    switch (source.type) {
      case 'input':
        return this.#judge(source, record, this.#ruleOf(source.limits.of(record.offset)), hereWith(record))
      case 'fixed':
        return this.#judge(source, record, BY_TOPIC, { ...hereWith(record), dueMs: record.timestampMs + source.delayMs })
      case 'tier': {
        const origin = readHop(record, this.#inputTopic)
        if (origin !== undefined) return this.#judge(source, record, BY_HOP, origin)
        const message = `${source.topic} is internal: write to ${this.#inputTopic} or to a fixed delay`
        return dead(source, record, hereWith(record), { disposition: 'poison', code: 'NotOurs', message })
      }
    }
  }

  #ruleOf(maxDelayMs: number): DueRule {
    return maxDelayMs === this.#byHeaders.maxDelayMs ? this.#byHeaders : { by: 'headers', maxDelayMs }
  }

  #judge(source: Source, record: LogRecord, rule: DueRule, origin: Origin): Item {
    const told = readInstructions(record.headers, origin.headerCount, origin.appendedMs, rule)
    if (told instanceof BadRecord) return dead(source, record, origin, { disposition: 'poison', code: told.code, message: told.message })
    if (told.op !== 'schedule') return new Item(source, record, told, told.op, origin)
    const at = rule.by === 'headers' ? { ...origin, dueMs: told.dueMs } : origin
    const problem = this.#targets.problem(told.targetTopic) ?? expiredAtBirth(told, at)
    return problem === undefined ? new Item(source, record, told, 'deliver', at) : dead(source, record, at, problem)
  }
}

const hereWith = (record: LogRecord): Origin => ({
  topic: record.topic,
  offset: record.offset,
  appendedMs: record.timestampMs,
  dueMs: NaN,
  headerCount: record.headers.length,
})

function dead(source: Source, record: LogRecord, origin: Origin, reason: DeadReason): Item {
  const item = new Item(source, record, NOTHING, 'deadLetter', origin)
  item.dead = reason
  return item
}

const expiredAtBirth = (told: Instructions, { dueMs }: Origin): DeadReason | undefined =>
  told.expiresAtMs > dueMs
    ? undefined
    : {
        disposition: 'expired',
        code: 'ExpiresBeforeDue',
        message: `sluice-expires-at is ${dueMs === told.expiresAtMs ? '' : `${formatDuration(dueMs - told.expiresAtMs)} before `}the due time ${dueMs}`,
      }
