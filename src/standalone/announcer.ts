import { subjectOf } from '../api/manifest.ts'
import type { ResourceRef } from '../api/resource.ts'

/** Where the standalone operator tells a person what happens: one line for each thing worth knowing. */
export interface Announcer {
  say(line: Announcement): void
}

export interface Announcement {
  readonly about?: ResourceRef
  /** A reason, in one word. */
  readonly what: string
  readonly message: string
  readonly level: 'info' | 'warning' | 'error'
}

const MARKS = { info: ' ', warning: '!', error: 'x' } as const

/** `12:01:03   KafkaTopicPolicy/shop-events  TopicCreated  orders.created, 3 partitions` */
export function announcementLine(at: Date, { about, what, message, level }: Announcement): string {
  const time = at.toISOString().slice(11, 19)
  const subject = about === undefined ? 'sluice' : subjectOf(about)
  return `${time} ${MARKS[level]} ${subject.padEnd(32)} ${what.padEnd(16)} ${message}`.trimEnd()
}

/** Writes to a stream, which for `sluice run` is standard output. */
export class StreamAnnouncer implements Announcer {
  readonly #write: (text: string) => void
  readonly #now: () => Date

  constructor(write: (text: string) => void, now: () => Date) {
    this.#write = write
    this.#now = now
  }

  say(line: Announcement): void {
    this.#write(`${announcementLine(this.#now(), line)}\n`)
  }
}
