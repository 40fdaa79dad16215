import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { placeOf } from './log-entry.ts'
import type { LogEntry } from './log-entry.ts'

/** Header arrays and the fields of kcat's JSON envelope that matter here. */
interface Envelope {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly ts: number
  readonly headers?: readonly (string | null)[]
  readonly key: string | null
  readonly payload: string | null
}

/**
 * Sees records as they become visible: kcat, read_committed, a process for each topic. It says when, and when all is over; what is once and what is
 * twice is for the judge to say from what Kafka's own consumer reads.
 */
export class Witness {
  readonly #kcat: string
  readonly #bootstrap: string
  readonly #seen = new Map<string, { readonly entry: LogEntry; readonly seenAtMs: number }>()
  readonly #counts = new Map<string, number>()
  readonly #children = new Set<ChildProcess>()
  #closed = false
  restarts = 0

  constructor(kcat: string, bootstrap: string, topics: readonly string[]) {
    this.#kcat = kcat
    this.#bootstrap = bootstrap
    for (const topic of topics) this.#watch(topic)
  }

  of(topics: ReadonlySet<string>): readonly LogEntry[] {
    return [...this.#seen.values()].filter(({ entry }) => topics.has(entry.topic)).map(({ entry }) => entry)
  }

  count(topics: ReadonlySet<string>): number {
    return [...topics].reduce((sum, topic) => sum + (this.#counts.get(topic) ?? 0), 0)
  }

  /** undefined: it has not seen the record. */
  seenAt(place: string): number | undefined {
    return this.#seen.get(place)?.seenAtMs
  }

  close(): void {
    this.#closed = true
    for (const child of this.#children) child.kill('SIGKILL')
  }

  #watch(topic: string): void {
    const settings = [
      'isolation.level=read_committed',
      'fetch.wait.max.ms=50',
      'reconnect.backoff.max.ms=500',
      'topic.metadata.refresh.interval.ms=5000',
    ]
    const args = [
      '-C',
      '-E',
      '-q',
      '-u',
      '-J',
      '-b',
      this.#bootstrap,
      '-t',
      topic,
      '-o',
      'beginning',
      ...settings.flatMap(each => ['-X', each]),
    ]
    const child = spawn(this.#kcat, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    this.#children.add(child)
    createInterface({ input: child.stdout }).on('line', line => {
      this.#note(line)
    })
    child.once('close', () => {
      this.#children.delete(child)
      if (this.#closed) return
      this.restarts++
      // From the beginning: what it saw before is known by its place.
      setTimeout(() => {
        if (!this.#closed) this.#watch(topic)
      }, 1_000)
    })
  }

  #note(line: string): void {
    const seenAtMs = Date.now()
    const { topic, partition, offset, ts, headers = [], key, payload } = JSON.parse(line) as Envelope
    const pairs = Array.from({ length: headers.length / 2 }, (_, i) => [headers[2 * i] ?? '', headers[2 * i + 1] ?? ''] as const)
    const entry = { topic, partition, offset, appendedMs: ts, key: key ?? '', value: payload ?? '', headers: Object.fromEntries(pairs) }
    const place = placeOf(entry)
    if (this.#seen.has(place)) return
    this.#seen.set(place, { entry, seenAtMs })
    this.#counts.set(topic, (this.#counts.get(topic) ?? 0) + 1)
  }
}
