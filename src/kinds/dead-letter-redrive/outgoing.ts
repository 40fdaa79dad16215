import type { LogHeader, LogRecord, OutgoingRecord } from '../../worker/task.ts'
import { HEADER } from '../dead-letter-pipeline/header-names.ts'
import type { RedriveConfig } from './config.ts'

export const REDRIVE_COUNT = 'sluice-redrive-count'
export const REDRIVE_ID = 'sluice-redrive-id'

const KEPT: ReadonlySet<string> = new Set([
  HEADER.originTopic,
  HEADER.originPartition,
  HEADER.originOffset,
  HEADER.originTimestamp,
  HEADER.originGroup,
])
/** The same in the words of Spring. A dead letter keeps those that it has: they would tell of its first failure for ever. */
const SPRING_FAILURE = ['fqcn', 'cause-fqcn', 'message', 'stacktrace'].map(what => `kafka_dlt-exception-${what}`)
/** What is said of the failures so far: attempts start anew, so none of it may stay. Where the record came from stays for ever. */
const RESET: ReadonlySet<string> = new Set([
  ...Object.values(HEADER).filter(name => !KEPT.has(name)),
  ...SPRING_FAILURE,
  REDRIVE_COUNT,
  REDRIVE_ID,
])

/** How often the record was redriven; what is no number counts as too often, since a loop must end. */
export function redriveCountOf({ headers }: LogRecord): number {
  const value = headers.findLast(([name]) => name === REDRIVE_COUNT)?.[1]
  if (value === undefined) return 0
  const text = value?.toString('latin1') ?? ''
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : Infinity
}

/** Key and value byte for byte; of the headers, the record's own, where it came from, and which redrive it was. */
export class Redriven {
  readonly #config: RedriveConfig
  readonly #removed: ReadonlySet<string>
  readonly #added: readonly LogHeader[]
  readonly #id: LogHeader

  constructor(config: RedriveConfig) {
    this.#config = config
    const set = Object.entries(config.setHeaders)
    this.#removed = new Set([...RESET, ...config.removeHeaders, ...set.map(([name]) => name)])
    this.#added = set.map(([name, value]) => [name, Buffer.from(value)])
    this.#id = [REDRIVE_ID, Buffer.from(config.run)]
  }

  of(record: LogRecord, partition: number, now: number): OutgoingRecord {
    const headers = record.headers.filter(([name]) => !this.#removed.has(name))
    const count = Buffer.from(String(redriveCountOf(record) + 1))
    headers.push(...this.#added, [REDRIVE_COUNT, count], this.#id)
    return { topic: this.#config.topics.target ?? '', partition, key: record.key, value: record.value, headers, timestampMs: now }
  }
}

/** The partition that the record came from, for a record without a key. */
export function originPartitionOf({ headers, partition }: LogRecord): number {
  const text = headers.findLast(([name]) => name === HEADER.originPartition)?.[1]?.toString('latin1') ?? ''
  return /^[0-9]{1,6}$/.test(text) ? Number(text) : partition
}
