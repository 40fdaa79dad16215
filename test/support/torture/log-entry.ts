/** One committed record, by whichever client it was read. Of a header that stands twice, the last. */
export interface LogEntry {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** The record's timestamp; every topic here has the brokers' append time. */
  readonly appendedMs: number
  readonly key: string
  readonly value: string
  /** When a read_committed reader had it, if one watched. */
  readonly seenAtMs?: number | undefined
  readonly headers: Readonly<Record<string, string>>
}

/** Where a record stands, as delivered records say it of their origin. */
export const placeOf = ({ topic, partition, offset }: Pick<LogEntry, 'topic' | 'partition' | 'offset'>): string =>
  `${topic}/${partition}/${offset}`
