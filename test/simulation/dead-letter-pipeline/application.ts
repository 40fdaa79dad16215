import { Rejected, RetryAfter, failureHeaders } from '../../../src/retry/index.ts'
import type { Headers } from '../../../src/retry/index.ts'
import type { LogHeader, LogRecord } from '../../../src/kafka/log.ts'
import { partitionOf } from '../../../src/kafka/partitioner.ts'
import { headers, textHeader } from '../../support/delay-queue/world.ts'
import type { Writer } from '../../support/model/partition-log.ts'
import type { About } from '../broken.ts'
import type { Setting } from '../subject.ts'

export const SOURCE = 'orders'
export const RETRY = 'p.retry'
export const REDELIVERY = 'p.redelivery'
const GROUP = 'billing'
const KEYS = ['a', 'b', 'c', 'd']
const AGAIN_MS = 300
/** A stack that topics refuse, see `MOST_HEADER_BYTES`. */
const LARGE_STACK = `E: large\n    at ${'x'.repeat(6_000)}`

/** A record as it stands in the retry topic. `name` is that of the write: an own header that every failure gets anew. */
export interface Written extends About {
  readonly appendedMs: number
  readonly record: LogRecord
}

/** A partition that the application reads. */
interface Hand {
  readonly topic: string
  readonly partition: number
  position: number
  committed: number
}

/**
 * The application of a pipeline, on the helper that applications use: it reads the source and what comes back, one record of a partition after the
 * other, fails as the seed wants it, and commits its position behind what it has handed over. A crash makes it do again what it had not committed.
 */
export class Application {
  readonly written: Written[] = []
  /** Names of orders that it was done with, once or more often. */
  readonly handled = new Set<string>()
  readonly orders: string[] = []
  readonly #setting: Setting
  readonly #hands: Hand[] = []
  readonly #failing: number
  #calm = false
  #serial = 0
  #pending = 0

  constructor(setting: Setting) {
    this.#setting = setting
    this.#failing = setting.random.pick([0.3, 0.6, 0.9, 1])
  }

  get done(): boolean {
    return this.#pending === 0
  }

  /** Nothing is left for it to read. */
  get idle(): boolean {
    const { cluster } = this.#setting
    return (
      this.done && this.#hands.every(({ topic, partition, position }) => cluster.log({ topic, partition }).next(position) === undefined)
    )
  }

  start(): void {
    const { random, cluster, weather } = this.#setting
    for (const topic of [SOURCE, REDELIVERY])
      for (const { partition } of cluster.partitionsOf(topic) ?? []) this.#read({ topic, partition, position: 0, committed: 0 })
    let atMs = 0
    for (let i = 0; i < weather.writes; i += 1) {
      if (!random.chance(0.4)) atMs = random.below(weather.stormMs)
      this.#later(atMs, () => {
        if (random.chance(0.1)) this.#stranger()
        else this.#order()
      })
    }
  }

  /** No more crashes. */
  calm(): void {
    this.#calm = true
  }

  #order(): void {
    const { random, cluster } = this.#setting
    const name = `o${this.orders.length + 1}`
    this.orders.push(name)
    const key = random.chance(0.2) ? null : Buffer.from(random.pick(KEYS))
    const partition = random.below(cluster.partitionsOf(SOURCE)?.length ?? 1)
    cluster.log({ topic: SOURCE, partition }).append({ key, value: Buffer.from(name), headers: headers({ order: name, own: 'x' }) })
  }

  /** Somebody writes to the retry topic by hand: nothing of what the helper writes is there, or it is wrong. */
  #stranger(): void {
    const { random } = this.#setting
    const told = random.pick<Readonly<Record<string, string>>>([
      {},
      { 'sluice-attempt': 'many' },
      { 'sluice-attempt': '0' },
      { 'sluice-attempt': '999999' },
      { 'sluice-attempt': '1', 'sluice-retry-deadline': 'never' },
      { 'sluice-error-class': 'Fatal' },
      { 'sluice-retry-after': 'presently', error_msg: 'by hand' },
    ])
    this.#hand(null, Buffer.from('by hand'), headers({ own: 'y', ...told }), () => undefined)
  }

  #read(hand: Hand): void {
    this.#hands.push(hand)
    const { random, cluster, time, weather } = this.#setting
    const next = (): void => {
      time.after(10 + random.below(random.pick([20, 300])), () => {
        const log = cluster.log(hand)
        const record = time.nowMs() < log.awayUntilMs ? undefined : log.next(hand.position)
        if (record === undefined) next()
        else if (this.#crashes(weather)) {
          hand.position = hand.committed
          next()
        } else
          this.#handle(record, () => {
            // What it has handed over is on the topic; a crash now makes it do so again.
            hand.position = this.#crashes(weather) ? hand.committed : record.offset + 1
            if (random.chance(0.7)) hand.committed = hand.position
            next()
          })
      })
    }
    next()
  }

  #crashes({ faults }: Setting['weather']): boolean {
    return !this.#calm && this.#setting.random.chance(faults.crash * 0.3)
  }

  #handle(record: LogRecord, done: () => void): void {
    const { random } = this.#setting
    if (!random.chance(this.#failing)) {
      this.handled.add(textHeader(record, 'order') ?? '')
      done()
      return
    }
    const { topic, partition, offset, timestampMs, key, value } = record
    const message = { key, value, headers: grouped(record.headers), offset: String(offset), timestamp: String(timestampMs) }
    const told = flat(failureHeaders({ topic, partition, message }, this.#failure(), GROUP))
    this.#hand(key, value, told, done)
  }

  #failure(): unknown {
    const { random } = this.#setting
    const number = random.below(1_000)
    switch (random.below(12)) {
      case 0:
        return new Rejected('not ours')
      case 1:
        return named('RetryAfter', new RetryAfter(random.pick(['10ms', '2s', '1h', 700, 'soon']), 'later'))
      case 2:
        return named('Busy', new RetryAfter(random.pick(['3s', '1h']), 'busy'))
      case 3:
        return named('Fatal', new Error('no way'))
      case 4:
        return named('Error', new Error(`duplicate key ${number} exists`))
      case 5:
        return Object.assign(named('Error', new Error('large')), { stack: LARGE_STACK })
      case 6:
        return `text ${number}`
      default:
        return named('Error', new Error(`order ${number} failed`))
    }
  }

  /** To the retry topic: mostly at once, sometimes in a transaction that takes its time and may be aborted, sometimes twice. */
  #hand(key: Buffer | null, value: Buffer | null, told: readonly LogHeader[], done: () => void): void {
    const { random, cluster, weather, time } = this.#setting
    const name = `w${(this.#serial += 1)}`
    const partition = key === null ? random.below(weather.partitions) : partitionOf(key, weather.partitions)
    const log = cluster.log({ topic: RETRY, partition })
    const content = { key, value, headers: [...told.filter(([other]) => other !== 'write'), ['write', Buffer.from(name)] as const] }
    if (time.nowMs() < log.awayUntilMs) {
      this.#later(AGAIN_MS, () => {
        this.#hand(key, value, told, done)
      })
      return
    }
    if (!this.#calm && random.chance(weather.faults.foreign * 0.3)) {
      const writer: Writer = { state: 'open' }
      const record = log.append(content, writer)
      this.#later(random.below(4_000), () => {
        const outcome = random.chance(0.6) ? 'committed' : 'aborted'
        log.end(writer, outcome)
        if (outcome === 'committed') {
          this.#note(name, record)
          done()
        } else this.#hand(key, value, told, done)
      })
      return
    }
    this.#note(name, log.append(content))
    // A producer without idempotence repeats a request.
    if (random.chance(0.03)) this.#note(name, log.append(content))
    done()
  }

  #note(name: string, record: LogRecord): void {
    const { topic, partition, offset, timestampMs } = record
    this.written.push({ name, topic, partition, offset, appendedMs: timestampMs, record })
    this.#setting.trace.note('application', `${name} (${textHeader(record, 'order') ?? '-'}) at ${topic}/${partition} offset ${offset}`)
  }

  #later(delayMs: number, action: () => void): void {
    this.#pending += 1
    this.#setting.time.after(delayMs, () => {
      this.#pending -= 1
      action()
    })
  }
}

const named = <Thrown extends Error>(name: string, error: Thrown): Thrown =>
  // The stack of this process has nothing to do with the world.
  Object.assign(error, { name, stack: `${name}: ${error.message}\n    at handle (app.js:1:1)` })

/** As clients give headers to applications. */
function grouped(told: readonly LogHeader[]): Headers {
  const found: Record<string, Buffer[]> = {}
  for (const [name, value] of told) (found[name] ??= []).push(value ?? Buffer.alloc(0))
  return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, values.length === 1 ? values[0] : values]))
}

const flat = (told: Headers): readonly LogHeader[] =>
  Object.entries(told).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value ?? '']).map((one): LogHeader => [name, Buffer.from(one as Buffer)]),
  )
