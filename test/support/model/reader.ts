import { KafkaError } from '../../../src/kafka/errors.ts'
import type { LogReader, LogRecord, ReadBatch, TopicPartition, Watermarks } from '../../../src/kafka/log.ts'
import { Unavailable, nameOf } from './partition.ts'
import type { Remote } from './remote.ts'

const WATERMARKS_TIMEOUT_MS = 5000

type Start = TopicPartition & { readonly offset: number }

/** What is read of one partition, since the assignment at an offset. */
interface Position extends TopicPartition {
  offset: number
  /** End that the application was told of. */
  told: number
  fetched: boolean
  /** Applied when the next poll begins: what is on its way before belongs to an earlier position. */
  active: boolean
}

/** A consumer without a group. A poll is a fetch: what a broker answers may be old when it arrives. */
export class ModelReader implements LogReader {
  readonly #remote: Remote
  readonly #positions = new Map<string, Position>()
  #turn = 0

  constructor(remote: Remote) {
    this.#remote = remote
  }

  assign(partitions: readonly Start[]): Promise<void> {
    for (const each of partitions) this.#positions.set(nameOf(each), { ...each, told: -1, fetched: false, active: false })
    return Promise.resolve()
  }

  unassign(partitions: readonly TopicPartition[]): Promise<void> {
    for (const each of partitions) this.#positions.delete(nameOf(each))
    return Promise.resolve()
  }

  pause(partitions: readonly TopicPartition[]): void {
    void this.unassign(partitions)
  }

  resume(partitions: readonly Start[]): Promise<void> {
    return this.assign(partitions)
  }

  poll(max: number, waitMs: number): Promise<ReadBatch> {
    const { host, cluster } = this.#remote
    const { time, network } = cluster
    for (const position of this.#positions.values()) position.active = true
    return new Promise(resolve => {
      const fetch = (last: boolean): void => {
        const fetched = this.#fetch(max)
        if (fetched.length === 0 && !last) {
          time.after(waitMs, () => {
            fetch(true)
          })
          return
        }
        host.after(network.delayMs(), () => {
          resolve(this.#deliver(fetched))
        })
      }
      time.after(network.delayMs(), () => {
        fetch(waitMs === 0)
      })
    })
  }

  positions(partitions: readonly TopicPartition[]): readonly (number | undefined)[] {
    return partitions.map(partition => {
      const position = this.#positions.get(nameOf(partition))
      return position?.active === true && position.fetched ? position.offset : undefined
    })
  }

  /** Three requests, as of the real client: the answers are not of one moment. */
  async watermarks(partitions: readonly TopicPartition[]): Promise<readonly (Watermarks | KafkaError)[]> {
    if (partitions.length === 0) return []
    const ask = (which: 'low' | 'high' | 'lastStable'): Promise<readonly (number | undefined)[]> =>
      this.#remote.call('watermarks', WATERMARKS_TIMEOUT_MS, () => partitions.map(partition => this.#mark(partition, which)))
    const [low, high, lastStable] = await Promise.all([ask('low'), ask('high'), ask('lastStable')])
    return partitions.map((partition, index) => {
      const found = { low: low[index], high: high[index], lastStable: lastStable[index] }
      if (found.low !== undefined && found.high !== undefined && found.lastStable !== undefined) return found as Watermarks
      return new KafkaError('UnknownTopic', `no broker answers for ${partition.topic}[${partition.partition}]`, { retriable: true })
    })
  }

  topicIds(topics: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#remote.call('topic ids', WATERMARKS_TIMEOUT_MS, () => this.#remote.cluster.topicIds(topics))
  }

  close(): Promise<void> {
    this.#positions.clear()
    return Promise.resolve()
  }

  #mark(partition: TopicPartition, which: 'low' | 'high' | 'lastStable'): number | undefined {
    try {
      return this.#remote.cluster.led(partition)[which]
    } catch (error) {
      if (error instanceof KafkaError || error instanceof Unavailable) return undefined
      throw error
    }
  }

  /** At the brokers: what there is now. The partition that comes first changes, as nobody promises an order. */
  #fetch(max: number): readonly Fetched[] {
    const positions = [...this.#positions.values()].filter(({ active }) => active)
    const fetched: Fetched[] = []
    let room = max
    this.#turn += 1
    for (let i = 0; i < positions.length && room > 0; i += 1) {
      const position = positions[(i + this.#turn) % positions.length]
      const one = position && this.#fetchOne(position, Math.min(room, this.#remote.cluster.network.fetchRecords()))
      if (one === undefined) continue
      fetched.push(one)
      room -= one.records.length
    }
    return fetched
  }

  #fetchOne(position: Position, max: number): Fetched | undefined {
    const name = nameOf(position)
    try {
      const log = this.#remote.cluster.led(position)
      if (position.offset < log.low || position.offset > log.high) {
        const message = `${name} at ${position.offset}, but the log is ${log.low} to ${log.high}`
        return { position, records: [], error: new KafkaError('OffsetOutOfRange', message, { retriable: false }) }
      }
      const { lastStable } = log
      const records: LogRecord[] = []
      let next = position.offset
      while (records.length < max) {
        const record = log.next(next, lastStable)
        if (record === undefined) break
        records.push(record)
        next = record.offset + 1
      }
      const end = log.next(next, lastStable) === undefined ? Math.max(next, lastStable) : undefined
      return records.length === 0 && end === position.told ? undefined : { position, records, ...(end !== undefined && { end }) }
    } catch (error) {
      if (error instanceof KafkaError || error instanceof Unavailable) return undefined
      throw error
    }
  }

  #deliver(fetched: readonly Fetched[]): ReadBatch {
    const records: LogRecord[] = []
    const ends: Start[] = []
    const stopped: ReadBatch['stopped'][number][] = []
    for (const { position, records: found, end, error } of fetched) {
      const { topic, partition } = position
      // Taken away or set to another offset while this was on its way.
      if (this.#positions.get(nameOf(position)) !== position) continue
      position.fetched = true
      if (error !== undefined) {
        this.#positions.delete(nameOf(position))
        stopped.push({ topic, partition, error })
        continue
      }
      for (const record of found) records.push(record)
      position.offset = (found.at(-1)?.offset ?? position.offset - 1) + 1
      if (end === undefined) continue
      position.offset = Math.max(position.offset, end)
      position.told = end
      ends.push({ topic, partition, offset: end })
    }
    return { records, ends, stopped }
  }
}

interface Fetched {
  readonly position: Position
  readonly records: readonly LogRecord[]
  readonly end?: number
  readonly error?: KafkaError
}
