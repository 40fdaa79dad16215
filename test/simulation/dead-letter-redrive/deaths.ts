import type { LogRecord } from '../../../src/kafka/log.ts'
import { headers, textHeader } from '../../support/delay-queue/world.ts'
import type { Writer } from '../../support/model/partition-log.ts'
import type { About } from '../broken.ts'
import type { Setting } from '../subject.ts'

export const DEAD = 'p.dlq'
export const REDELIVERY = 'p.redelivery'
const AGAIN_MS = 300
const COUNTS = ['1', '2', '3', '7', 'many', '-1', '']

/** A dead letter as it stands in its topic. `name` is an own header that each has for itself. */
export interface Death extends About {
  readonly record: LogRecord
}

/** A pipeline that writes dead letters, and its application: what is redriven it handles, or fails until it is a dead letter again. */
export class Deaths {
  readonly all: Death[] = []
  readonly #setting: Setting
  #serial = 0
  #pending = 0

  constructor(setting: Setting) {
    this.#setting = setting
  }

  get done(): boolean {
    return this.#pending === 0
  }

  start(): void {
    const { random, cluster, weather } = this.#setting
    let atMs = 0
    for (let i = 0; i < weather.writes; i += 1) {
      if (!random.chance(0.5)) atMs = random.below(weather.stormMs)
      this.#later(atMs, () => {
        this.#die()
      })
    }
    for (const { partition } of cluster.partitionsOf(REDELIVERY) ?? []) this.#apply(partition, 0)
  }

  #die(): void {
    const { random } = this.#setting
    const key = random.chance(0.3) ? null : Buffer.from(random.pick(['a', 'b', 'c', 'd']))
    const told = {
      own: 'x',
      ...(random.chance(0.3) && { marked: 'yes' }),
      'sluice-disposition': random.pick(['exhausted', 'expired', 'rejected']),
      'sluice-attempt': '4',
      'sluice-error-class': random.pick(['Timeout', 'TypeError']),
      'sluice-error-message': 'no answer',
      'sluice-error-fingerprint': `f${random.below(3)}`,
      'sluice-origin-topic': 'orders',
      'sluice-origin-partition': random.pick(['0', '1', '5']),
      'sluice-origin-offset': String(random.below(1_000)),
      ...(random.chance(0.2) && { 'sluice-redrive-count': random.pick(COUNTS), 'sluice-redrive-id': 'shop/earlier/1' }),
    }
    this.#append(key, Buffer.from(String(this.#serial)), headers(told))
  }

  /** Reads what is redriven; some of it ends as a dead letter once more, with the headers that it came with. */
  #apply(partition: number, position: number): void {
    const { random, cluster, time } = this.#setting
    time.after(50 + random.below(300), () => {
      const record = cluster.log({ topic: REDELIVERY, partition }).next(position)
      if (record !== undefined && random.chance(0.3))
        this.#append(record.key, record.value, [
          ...record.headers,
          ...headers({ 'sluice-disposition': 'exhausted', 'sluice-attempt': '4', 'sluice-error-fingerprint': 'f0' }),
        ])
      this.#apply(partition, record === undefined ? position : record.offset + 1)
    })
  }

  #append(key: Buffer | null, value: Buffer | null, told: LogRecord['headers']): void {
    const { random, cluster, weather, time, trace } = this.#setting
    const name = `d${(this.#serial += 1)}`
    const partition = random.below(weather.partitions)
    const log = cluster.log({ topic: DEAD, partition })
    const attempt = (): void => {
      if (time.nowMs() < log.awayUntilMs) {
        this.#later(AGAIN_MS, attempt)
        return
      }
      const writer: Writer = { state: 'open' }
      const record = log.append({ key, value, headers: [...told.filter(([other]) => other !== 'name'), ...headers({ name })] }, writer)
      // A pipeline writes in transactions.
      this.#later(random.below(random.pick([20, 20, 3_000])), () => {
        const outcome = random.chance(0.85) ? 'committed' : 'aborted'
        log.end(writer, outcome)
        if (outcome === 'aborted') {
          attempt()
          return
        }
        this.all.push({ name, topic: DEAD, partition, offset: record.offset, record })
        const told = `${textHeader(record, 'sluice-error-fingerprint') ?? ''}, redriven ${textHeader(record, 'sluice-redrive-count') ?? '0'} times`
        trace.note('pipeline', `${name} died at ${DEAD}/${partition} offset ${record.offset}, ${told}`)
      })
    }
    attempt()
  }

  #later(delayMs: number, action: () => void): void {
    this.#pending += 1
    this.#setting.time.after(delayMs, () => {
      this.#pending -= 1
      action()
    })
  }
}
