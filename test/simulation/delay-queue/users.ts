import { partitionOf } from '../../../src/kafka/partitioner.ts'
import type { LogHeader } from '../../../src/kafka/log.ts'
import type { Random } from '../../support/delay-queue/random.ts'
import { headers } from '../../support/delay-queue/world.ts'
import type { Cluster } from '../../support/model/cluster.ts'
import type { Writer } from '../../support/model/partition-log.ts'
import type { Trace } from '../trace.ts'
import type { VirtualTime } from '../virtual-time.ts'
import type { Weather } from '../weather.ts'

/** Largest value that the target `small` takes. */
export const SMALL_BYTES = 5_000
const KEYS = ['a', 'b', 'c', 'd']
const IDS = ['x', 'y', 'z']
const RETRY_MS = 300
export const FIXED_MS = 10_000

interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly appendedMs: number
}

/** A message as it stands in the log, with what is needed to say what must become of it. */
export interface Sent extends Place {
  readonly name: string
  readonly dueMs: number
  readonly key: string
  readonly value: Buffer
  readonly target: string
  /** On a fixed delay it means something to a fire only. */
  readonly id: string | undefined
  readonly version: number
  readonly expiresAtMs: number
  /** Never delivered. */
  readonly bad: boolean
  /** Bad on arrival: it neither replaces nor repeats another. */
  readonly unread: boolean
}

/** A cancel or a fire. */
export interface Order extends Place {
  readonly op: 'cancel' | 'fire'
  readonly id: string
}

/** Applications that write to a queue. They know nothing of what happens to it. */
export class Users {
  readonly sent: Sent[] = []
  readonly orders: Order[] = []
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #cluster: Cluster
  readonly #weather: Weather
  readonly #trace: Trace
  #serial = 0
  #pending = 0

  constructor(options: {
    readonly time: VirtualTime
    readonly random: Random
    readonly cluster: Cluster
    readonly weather: Weather
    readonly trace: Trace
  }) {
    this.#time = options.time
    this.#random = options.random
    this.#cluster = options.cluster
    this.#weather = options.weather
    this.#trace = options.trace
  }

  /** Nothing of theirs is on its way or in an open transaction. */
  get done(): boolean {
    return this.#pending === 0
  }

  start(): void {
    const { writes, stormMs } = this.#weather
    let atMs = 0
    for (let i = 0; i < writes; i += 1) {
      // Bursts and rests.
      if (!this.#random.chance(0.4)) atMs = this.#random.below(stormMs)
      this.#pending += 1
      this.#time.after(atMs, () => {
        this.#pending -= 1
        this.#write()
      })
    }
  }

  #write(): void {
    const random = this.#random
    const key = random.pick(KEYS)
    const id = random.chance(0.5) ? random.pick(IDS) : undefined
    if (id !== undefined && random.chance(0.3)) {
      // The ids of a key's partition: schedule and cancel use one key.
      this.#order(random.chance(0.7) ? 'cancel' : 'fire', id, keyOf(id))
      return
    }
    this.#message(id, id === undefined ? key : keyOf(id))
  }

  #order(op: Order['op'], id: string, key: string): void {
    const partition = this.#partitionOf(key)
    this.#append('q.in', partition, Buffer.from(key), Buffer.alloc(0), headers({ 'sluice-op': op, 'sluice-id': id }), place => {
      this.orders.push({ op, id, ...place })
      this.#trace.note('user', `${op} of ${id} at q.in/${partition} offset ${place.offset}`)
    })
  }

  #message(id: string | undefined, key: string): void {
    const random = this.#random
    const topic = random.chance(0.12) ? 'q.fixed.10s' : 'q.in'
    const delayMs = topic === 'q.in' ? random.below(random.pick(this.#weather.delaysMs)) : FIXED_MS
    const absolute = topic === 'q.in' && random.chance(0.25)
    const version = random.chance(0.3) ? random.below(4) : 0
    const target = random.pick(['due', 'due', 'due', 'due', 'due', 'other', 'small', 'absent', 'secret'])
    const expires = random.chance(0.1) ? delayMs + random.below(8_000) - 2_000 : undefined
    const unreadable = topic === 'q.in' && random.chance(0.03)
    const value = Buffer.alloc(random.chance(0.1) ? SMALL_BYTES + 1 : this.#weather.valueBytes, this.#serial & 255)
    const name = `m${(this.#serial += 1)}`
    const nowMs = Math.floor(this.#cluster.now())
    const told = headers({
      name,
      ...(topic === 'q.in' &&
        (absolute
          ? { 'sluice-deliver-at': unreadable ? 'soon' : String(nowMs + delayMs) }
          : { 'sluice-delay': unreadable ? 'soon' : String(delayMs) })),
      ...(id !== undefined && { 'sluice-id': id }),
      ...(version > 0 && { 'sluice-version': String(version) }),
      ...(target !== 'due' && { 'sluice-target-topic': target }),
      ...(expires !== undefined && { 'sluice-expires-at': String(nowMs + Math.max(0, expires)) }),
    })
    const partition = this.#partitionOf(key)
    let copies = 0
    this.#append(topic, partition, Buffer.from(key), value, told, place => {
      const { appendedMs } = place
      copies += 1
      const dueMs = topic === 'q.in' && absolute && !unreadable ? nowMs + delayMs : appendedMs + delayMs
      const expiresAtMs = expires === undefined ? Infinity : nowMs + Math.max(0, expires)
      const refused = target === 'small' && value.length > SMALL_BYTES
      this.sent.push({
        ...place,
        // A repeated request of a producer without idempotence is another record of the same content.
        name,
        dueMs,
        key,
        value,
        target,
        id,
        version,
        expiresAtMs,
        bad: unreadable || target === 'absent' || target === 'secret' || refused || expiresAtMs <= dueMs,
        unread: unreadable || target === 'secret' || expiresAtMs <= dueMs,
      })
      this.#trace.note(
        'user',
        `${name} at ${topic}/${partition} offset ${place.offset}, due ${dueMs}, id ${id ?? '-'} v${version}${copies > 1 ? ', again' : ''}`,
      )
    })
  }

  #partitionOf(key: string): number {
    return partitionOf(Buffer.from(key), this.#weather.partitions)
  }

  /** Mostly one record, at once; sometimes a transaction that takes its time and may be aborted; sometimes the same twice. */
  #append(topic: string, partition: number, key: Buffer, value: Buffer, told: readonly LogHeader[], done: (place: Place) => void): void {
    const log = this.#cluster.log({ topic, partition })
    if (this.#time.nowMs() < log.awayUntilMs) {
      this.#later(RETRY_MS, () => {
        this.#append(topic, partition, key, value, told, done)
      })
      return
    }
    const record = { key, value, headers: told }
    if (this.#random.chance(this.#weather.faults.foreign * 0.3)) {
      const writer: Writer = { state: 'open' }
      const { offset, timestampMs } = log.append(record, writer)
      this.#later(this.#random.below(4_000), () => {
        const outcome = this.#random.chance(0.6) ? 'committed' : 'aborted'
        log.end(writer, outcome)
        if (outcome === 'committed') done({ topic, partition, offset, appendedMs: timestampMs })
      })
      return
    }
    const { offset, timestampMs } = log.append(record)
    done({ topic, partition, offset, appendedMs: timestampMs })
    if (this.#random.chance(0.03)) {
      this.#later(RETRY_MS, () => {
        const again = log.append(record)
        done({ topic, partition, offset: again.offset, appendedMs: again.timestampMs })
      })
    }
  }

  #later(delayMs: number, action: () => void): void {
    this.#pending += 1
    this.#time.after(delayMs, () => {
      this.#pending -= 1
      action()
    })
  }
}

/** Each id has one key, and so one partition of the input. */
const keyOf = (id: string): string => KEYS[IDS.indexOf(id)] ?? 'a'
