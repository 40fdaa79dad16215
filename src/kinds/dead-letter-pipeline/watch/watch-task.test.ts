import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Commit, LogRecord } from '../../../worker/task.ts'
import { markerRecord } from '../../dead-letter-redrive/handled.ts'
import { METRIC } from '../metrics.ts'
import { decodeNote, encodeNote, statusOf } from './note.ts'
import type { WatchNote } from './note.ts'
import { WatchTask } from './watch-task.ts'

const DAY_MS = 86_400_000
const CONFIG = { pipeline: 'shop/billing', deadLetter: 'dlq', handled: 'handled', retentionMs: 30 * DAY_MS }
const START = Date.UTC(2026, 0, 1)

/** One partition of the dead letters with its books, and the watch over it, driven as the kernel drives it. */
class WatchedPartition {
  now = START
  readonly logs: Record<'dlq' | 'handled', LogRecord[]> = { dlq: [], handled: [] }
  commit: Commit | undefined
  task = new WatchTask(CONFIG, 0)
  #positions = { dlq: 0, handled: 0 }
  /** Offsets that nobody has handled. */
  readonly unhandled = new Map<number, string>()

  constructor() {
    this.restart()
  }

  die(fingerprint: string): number {
    const offset = this.logs.dlq.length
    const headers = [['sluice-error-fingerprint', Buffer.from(fingerprint)] as const]
    this.logs.dlq.push({ topic: 'dlq', partition: 0, offset, timestampMs: this.now, key: null, value: null, headers })
    this.unhandled.set(offset, fingerprint)
    return offset
  }

  handle(from: number, to: number, topic?: string): void {
    const { key, value } = markerRecord('handled', 0, {
      topicId: 't',
      ...(topic !== undefined && { topic }),
      from,
      to,
      count: to - from,
      run: 'r',
      how: 'Redrive',
    })
    this.logs.handled.push({
      topic: 'handled',
      partition: 0,
      offset: this.logs.handled.length,
      timestampMs: this.now,
      key,
      value,
      headers: [],
    })
    if (topic === undefined || topic === 'dlq') for (let offset = from; offset < to; offset++) this.unhandled.delete(offset)
  }

  restart(): void {
    this.task = new WatchTask(CONFIG, 0)
    const starts = this.task.started(new Map(this.commit && [['dlq', this.commit]]))
    const from = starts.get('dlq')
    this.#positions = { dlq: typeof from === 'object' && from.orEarliest <= this.logs.dlq.length ? from.orEarliest : 0, handled: 0 }
  }

  read(topic: 'dlq' | 'handled', count = Infinity): void {
    const at = this.#positions[topic]
    const records = this.logs[topic].slice(at, at + count)
    this.#positions[topic] += records.length
    if (records.length > 0) this.task.accept(records, this.now)
  }

  readAll(): void {
    for (const topic of ['handled', 'dlq'] as const) {
      this.read(topic)
      this.task.caughtUp(topic, this.logs[topic].length)
    }
  }

  /** Answers what is noted then. */
  note(): WatchNote | undefined {
    this.now += 10_000
    const proposal = this.task.propose(this.now)
    if (proposal !== undefined) {
      expect(proposal.outputs).toEqual([])
      this.commit = proposal.offsets[0]
      this.task.committed(proposal, this.now)
    }
    return decodeNote(this.commit?.metadata ?? '')
  }

  gauge(metric: string): number | undefined {
    return this.task.gauges(this.now).find(seen => seen.metric === metric)?.value
  }
}

describe('the watch over dead letters', () => {
  test('should say how many are unhandled, since when, and of which failures', () => {
    const world = new WatchedPartition()
    for (const fingerprint of ['a', 'b', 'a']) {
      world.die(fingerprint)
      world.now += 1000
    }
    world.readAll()
    expect(world.note()).toMatchObject({ unhandled: 3, oldestMs: START, byFingerprint: [['a', 2], ['b', 1]], from: 0, newestMs: START + 1000 }) // prettier-ignore
    expect(world.gauge(METRIC.unhandled)).toBe(3)
    expect(world.gauge(METRIC.oldestUnhandled)).toBe(START / 1000)
    world.handle(0, 1)
    world.readAll()
    expect(world.note()).toMatchObject({ unhandled: 2, oldestMs: START + 1000, from: 1 })
    world.handle(1, 3, 'dlq')
    world.readAll()
    expect(world.note()).toMatchObject({ unhandled: 0, oldestMs: undefined, from: 3 })
    expect(world.gauge(METRIC.oldestUnhandled)).toBeUndefined()
  })

  test('should say nothing before both topics were read to their ends, and write nothing when nothing changed', () => {
    const world = new WatchedPartition()
    world.die('a')
    world.read('dlq')
    world.task.caughtUp('dlq', 1)
    expect(world.note()).toBeUndefined()
    expect(world.gauge(METRIC.unhandled)).toBeUndefined()
    world.readAll()
    expect(world.note()?.unhandled).toBe(1)
    expect(world.task.propose(world.now + 60_000)).toBeUndefined()
    expect(world.task.wakeAt()).toBeUndefined()
  })

  test('should know a failure that it met before, also after a restart', () => {
    const world = new WatchedPartition()
    world.die('a')
    world.readAll()
    world.note()
    world.handle(0, 1)
    world.readAll()
    world.note()
    world.restart()
    world.now += DAY_MS
    world.die('a')
    world.readAll()
    expect(world.gauge(METRIC.newFingerprint)).toBe(START / 1000)
    const born = world.now
    world.die('b')
    world.readAll()
    expect(world.gauge(METRIC.newFingerprint)).toBe(born / 1000)
  })

  test('should leave out what retention deletes, what another topic had handled, and what an earlier topic of the name had', () => {
    const world = new WatchedPartition()
    world.handle(0, 10)
    world.now += 1
    world.die('a')
    world.handle(0, 10, 'fraud')
    world.readAll()
    expect(world.note()?.unhandled).toBe(1)
    world.now += CONFIG.retentionMs
    expect(world.note()?.unhandled).toBe(0)
  })

  test('should begin anew where the topic was made again', () => {
    const world = new WatchedPartition()
    for (let i = 0; i < 9; i++) world.die('a')
    world.handle(0, 9)
    world.readAll()
    world.note()
    world.logs.dlq.length = 0
    world.now += 1
    world.die('a')
    world.restart()
    world.readAll()
    expect(world.note()).toMatchObject({ unhandled: 1, from: 0 })
  })

  test('should rest while it reads a long topic', () => {
    const world = new WatchedPartition()
    for (let i = 0; i < 6000; i++) world.die('a')
    world.read('dlq')
    expect([...world.task.held]).toEqual(['dlq'])
    const until = world.task.wakeAt() ?? 0
    expect(until).toBeGreaterThan(world.now)
    world.task.propose(until)
    expect(world.task.held.size).toBe(0)
  })

  test('should keep to 4,096 bytes whatever applications call their failures', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ maxLength: 128 }), fc.nat()), { minLength: 200, maxLength: 300 }), told => {
        const note: WatchNote = {
          from: Number.MAX_SAFE_INTEGER,
          unhandled: Number.MAX_SAFE_INTEGER,
          oldestMs: START,
          newestMs: START,
          byFingerprint: told,
          known: told.map((_, i) => String(10_000_000 + i)),
        }
        // As the kernel wraps it.
        expect(Buffer.byteLength(JSON.stringify(encodeNote(note)))).toBeLessThan(3500)
        expect(decodeNote(encodeNote(note))).toMatchObject({ from: note.from, unhandled: note.unhandled, oldestMs: START })
      }),
      { numRuns: 50 },
    )
  })

  test('should count right in any order of reading, redriving and restarting', () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant('die' as const), name: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ type: fc.constant('handle' as const), from: fc.nat(30), length: fc.integer({ min: 1, max: 6 }) }),
      fc.record({ type: fc.constantFrom('dlq' as const, 'handled' as const), count: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ type: fc.constantFrom('restart' as const, 'note' as const, 'all' as const) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const world = new WatchedPartition()
        const handled = new Set<number>()
        for (const one of steps) {
          if ('name' in one) world.die(one.name)
          else if ('count' in one) world.read(one.type, one.count)
          else if (one.type === 'restart') world.restart()
          else if (one.type === 'note') world.note()
          else if (one.type === 'all') world.readAll()
          else if ('from' in one) {
            // Nothing is handled that is not there, nor twice.
            const to = Math.min(one.from + one.length, world.logs.dlq.length)
            const offsets = Array.from({ length: Math.max(0, to - one.from) }, (_, i) => one.from + i)
            if (offsets.length === 0 || offsets.some(offset => handled.has(offset))) continue
            for (const offset of offsets) handled.add(offset)
            world.handle(one.from, to)
          }
        }
        world.readAll()
        const counts = [...world.unhandled.values()]
        const told = statusOf([world.note()].filter(note => note !== undefined))
        expect(told?.count ?? 0).toBe(counts.length)
        for (const { fingerprint, count } of told?.byFingerprint ?? [])
          expect(counts.filter(name => name === fingerprint)).toHaveLength(count)
        expect(world.commit?.offset ?? 0).toBe(world.logs.dlq.length)
      }),
      { numRuns: 300 },
    )
  })
})
