import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { LogRecord } from '../../worker/task.ts'
import { Heap } from './heap.ts'
import { Ids } from './ids.ts'
import { parseInstant } from './instant.ts'
import { JournalPosition, decodeJournal, encodeJournal } from './journal.ts'
import { Pace } from './pace.ts'
import { Position } from './position.ts'
import type { Item } from './source.ts'
import { Line } from './waiting.ts'

const aRecord = (value: Buffer | null): LogRecord => ({
  topic: 'q.journal',
  partition: 0,
  offset: 7,
  timestampMs: 0,
  key: null,
  value,
  headers: [],
})

describe('heap', () => {
  test('should give things back by time, then by order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.nat())), pairs => {
        const heap = new Heap<readonly [number, number]>()
        for (const pair of pairs) heap.push(pair, pair[0], pair[1])
        const popped = Array.from(pairs, () => heap.pop()!)
        expect(popped).toEqual([...pairs].sort((a, b) => a[0] - b[0] || a[1] - b[1]))
        expect(heap.size).toBe(0)
      }),
    )
  })

  test('should count what is due', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50)), fc.nat(50), (times, bound) => {
        const heap = new Heap<number>()
        times.forEach((at, i) => {
          heap.push(at, at, i)
        })
        expect(heap.countUpTo(bound, () => true)).toBe(times.filter(at => at <= bound).length)
      }),
    )
  })
})

describe('position', () => {
  test('should have its watermark at the first offset that is not done, whatever the order and the gaps', () => {
    const offsets = fc.uniqueArray(fc.nat(5_000), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(offsets, fc.infiniteStream(fc.boolean()), (read, doneFlags) => {
        const position = new Position(0)
        const sorted = [...read].sort((a, b) => a - b)
        for (const offset of sorted) expect(position.accept(offset)).toBe(true)
        const done = read.filter(() => doneFlags.next().value === true)
        for (const offset of done) position.propose(offset)
        const waiting = sorted.find(offset => !done.includes(offset)) ?? sorted.at(-1)! + 1
        expect(position.proposedWatermark()).toBe(waiting)
        for (const offset of done) position.done(offset)
        position.settle()
        expect(position.watermark).toBe(waiting)
      }),
    )
  })

  test('should refuse what was done in an earlier life and what was read before', () => {
    const position = new Position(10)
    for (const offset of [9, 12, 40_000]) position.restoreDone(offset)
    expect([10, 11, 12, 12, 11, 40_000].map(offset => position.accept(offset))).toEqual([true, true, false, false, false, false])
    position.done(10)
    position.done(11)
    position.settle()
    expect(position.watermark).toBe(40_001)
  })

  test('should give nobody twice what a search took, wherever the reading is by then', () => {
    const position = new Position(0)
    position.skipTo(5)
    expect([4, 5, 8].map(offset => position.isFree(offset))).toEqual([false, true, true])
    position.take(8)
    position.take(9)
    expect(position.isFree(8)).toBe(false)
    position.propose(8)
    expect(position.doneAbove(5)).toEqual([8])
    position.done(8)
    expect([5, 6, 7, 8, 9, 10].map(offset => position.accept(offset))).toEqual([true, true, true, false, false, true])
    for (const offset of [5, 6, 7]) position.done(offset)
    position.settle()
    expect(position.watermark).toBe(9) // taken, and not done
    position.done(9)
    position.settle()
    expect(position.watermark).toBe(10)
  })

  test('should take a start far ahead without room for the gap', () => {
    const position = new Position(0)
    position.skipTo(2 ** 45)
    expect(position.accept(2 ** 45 + 3)).toBe(true)
    expect(position.watermark).toBe(2 ** 45 + 3)
  })
})

describe('line', () => {
  test('should not come to what is done behind an item that is not', () => {
    const line = new Line()
    const [first, second, third] = [false, true, false].map(gone => ({ gone }) as unknown as Item)
    for (const item of [first!, second!, third!]) line.push(item)
    expect([...line]).toEqual([first, third])
  })
})

describe('journal', () => {
  test('should begin a restore no later than a record that came before the marker of the transaction before it', () => {
    const journal = new JournalPosition()
    const done = (offset: number) => [{ role: 'in', watermark: 0, done: [offset] }]
    journal.restored(10)
    // The claim's record: 10. Ours: 11, before the marker of the claim, which is at 12, since it is by the other producer.
    journal.committed(5_000, done(7), () => 0, false)
    expect(journal.from(() => 0)).toBeLessThanOrEqual(11)
    journal.committed(9_000, done(8), () => 8, false)
    expect(journal.from(() => 8)).toBeLessThanOrEqual(13)
    expect(journal.from(() => 8)).toBeGreaterThan(11)
  })

  test('should read back what it wrote', () => {
    const entry = fc.record({
      role: fc.constantFrom('in', 'tier 8000', 'fixed 300000'),
      watermark: fc.maxSafeNat().map(n => Math.floor(n / 2)),
      gaps: fc.array(fc.nat(1_000_000)),
    })
    fc.assert(
      fc.property(fc.array(entry), raw => {
        const entries = raw.map(({ role, watermark, gaps }) => {
          let offset = watermark
          return { role, watermark, done: gaps.map(gap => (offset += gap)) }
        })
        expect(decodeJournal(aRecord(encodeJournal(entries)))).toEqual(entries)
      }),
    )
  })

  test.each([null, Buffer.alloc(0), Buffer.from('hello'), Buffer.from([1, 3, 2])])(
    'should name a record that is not its own (%s)',
    value => {
      expect(() => decodeJournal(aRecord(value))).toThrow(/q\.journal\/0 offset 7 is not a journal record/)
    },
  )
})

describe('instant', () => {
  test.each([
    ['1700000000000', 1_700_000_000_000],
    ['2030-01-31T09:30:00Z', Date.UTC(2030, 0, 31, 9, 30)],
    ['2030-01-31t09:30:00.057+02:00', Date.UTC(2030, 0, 31, 7, 30, 0, 57)],
    ['2030-01-31T09:30:00.0001Z', Date.UTC(2030, 0, 31, 9, 30, 0, 1)],
    ['2030-02-30T09:30:00Z', undefined],
    ['2030-01-31T25:30:00Z', undefined],
    ['2030-01-31', undefined],
    ['-5', undefined],
    ['1e9', undefined],
    ['', undefined],
  ])('should read %s as %s', (text, want) => {
    expect(parseInstant(text)).toBe(want)
  })
})

describe('pace', () => {
  test('should let go at the moment that it names, and never more than its rate', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 5_000, noNaN: true }), fc.integer({ min: 1, max: 50 }), (rate, count) => {
        const pace = new Pace(rate)
        const start = 1_700_000_000_000
        let now = start
        for (let i = 0; i < count; i++) {
          now = Math.max(now, pace.nextAt())
          expect(pace.available(now)).toBeGreaterThanOrEqual(1)
          pace.take(1, now)
        }
        expect(count).toBeLessThanOrEqual(Math.max(1, rate * 0.1) + ((now - start) / 1000) * rate + 1)
      }),
    )
  })
})

describe('ids', () => {
  const remember = 600_000

  test('should decide the same about records that a restart reads again', () => {
    const ids = new Ids(remember, 60_000)
    ids.schedule('x', 10, 0, 1_000)
    ids.cancel('x', 20, 2_000)
    ids.schedule('x', 30, 5, 3_000)
    ids.schedule('x', 40, 5, 70_000)
    const restarted = new Ids(remember, 60_000)
    restarted.load({ ...aRecord(ids.write('x', 1)!), key: Buffer.from('x') })
    restarted.cancel('x', 20, 2_000)
    expect(restarted.schedule('x', 10, 0, 1_000).verdict).toBe('cancelled')
    expect(restarted.schedule('x', 30, 5, 3_000).verdict).toBe('alive')
    expect(restarted.schedule('x', 40, 5, 70_000).verdict).toBe('alive')
    expect(restarted.schedule('x', 50, 4, 70_001).verdict).toBe('superseded')
    expect(restarted.schedule('x', 50, 5, 70_001).verdict).toBe('duplicate')
  })

  test('should forget an id only when no message of it can still come', () => {
    const ids = new Ids(remember, 0)
    ids.cancel('x', 5, 1_000)
    expect(ids.expired(1_000 + remember, 10)).toEqual([])
    const boundMs = 1_001 + remember
    expect(ids.expired(boundMs, 10)).toEqual([{ id: 'x', unmatchedCancel: true }])
    ids.cancel('x', 9, 2_000) // while the tombstone commits
    ids.forget('x', boundMs)
    expect(ids.judge('x', 5, 0)).toBe('cancelled')
    ids.forget('x', 2_001 + remember)
    expect(ids.judge('x', 5, 0)).toBe('alive')
  })
})
