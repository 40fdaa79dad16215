import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Clock } from '../api/clock.ts'
import { BrokerTime } from './broker-time.ts'

const EPOCH_MS = 1_700_000_000_000

/** `skewMs`: how far the wall clock is ahead of a broker whose clock reads `EPOCH_MS` at monotonic time 0. */
const clockAt = (monotonicMs: number, skewMs: number): Clock => ({
  now: () => Math.floor(EPOCH_MS + monotonicMs + skewMs),
  monotonicMs: () => monotonicMs,
  sleep: () => Promise.resolve(),
})

/** A record sent at `sentAtMs`, appended and answered so long after. */
const aStamp = (sentAtMs: number, toBrokerMs: number, backMs: number, brokerAheadMs = 0) => ({
  sentAtMs,
  answeredAtMs: sentAtMs + toBrokerMs + backMs,
  appendedMs: Math.floor(EPOCH_MS + sentAtMs + toBrokerMs + brokerAheadMs),
})

describe('the time of a broker', () => {
  test('should be that of the machine while nothing is known', () => {
    const time = new BrokerTime()
    expect(time.known).toBe(false)
    expect(time.now(clockAt(5, 2_000))).toBe(EPOCH_MS + 2_005)
    expect(time.skewMs(clockAt(5, 2_000))).toBe(0)
  })

  test.each([
    { why: 'right', skewMs: 0, now: 1_000, skew: 0 },
    { why: 'off by less than the stamp tells', skewMs: 4, now: 1_004, skew: 0 },
    { why: 'ahead', skewMs: 2_000, now: 970, skew: 1_994 },
    { why: 'behind', skewMs: -2_000, now: 970, skew: -1_969 },
  ])(
    'should be that of the machine if the broker can have it, or else the earliest that the broker can have: $why',
    ({ skewMs, now, skew }) => {
      const time = new BrokerTime()
      // Between sending and append at most 5 ms (the broker cuts them), between append and answer at most 30.
      time.stamped(aStamp(965, 5, 30))
      expect(time.now(clockAt(1_000, skewMs)) - EPOCH_MS).toBe(now)
      expect(time.skewMs(clockAt(1_000, skewMs))).toBeCloseTo(skew, 0)
      expect(time.uncertaintyMs(clockAt(1_000, skewMs))).toBeCloseTo(36, 0)
    },
  )

  test('should be known better with every stamp that came quickly on one of its ways', () => {
    const time = new BrokerTime()
    time.stamped(aStamp(0, 400, 1))
    time.stamped(aStamp(500, 1, 400))
    expect(time.uncertaintyMs(clockAt(901, 0))).toBeLessThan(4)
  })

  test('should follow the clock of a broker that was set, or of the new leader', () => {
    const time = new BrokerTime()
    time.stamped(aStamp(0, 1, 1))
    time.stamped(aStamp(1_000, 1, 1, -60_000))
    expect(time.now(clockAt(1_002, 0)) - EPOCH_MS).toBe(1_002 - 60_000 - 1)
    expect(time.skewMs(clockAt(1_002, 0))).toBeCloseTo(59_998, 0)
  })

  test('should not mind that the clock of the machine is set, nor when', () => {
    const time = new BrokerTime()
    time.stamped(aStamp(0, 1, 1))
    for (const skewMs of [0, 2_000, -2_000, 3_600_000])
      expect(Math.abs(time.now(clockAt(500, skewMs)) - EPOCH_MS - 500)).toBeLessThanOrEqual(3)
  })

  test('should be taken for less certain the older it is', () => {
    const time = new BrokerTime()
    time.stamped(aStamp(0, 1, 1))
    expect(time.skewMs(clockAt(600_000, 50))).toBe(0)
    expect(time.skewMs(clockAt(600_000, 100))).toBeGreaterThan(30)
  })

  test('should never leave out what the broker has, however late requests and answers come', () => {
    const way = fc.double({ min: 0, max: 3_000, noNaN: true })
    fc.assert(
      fc.property(fc.array(fc.tuple(way, way, fc.double({ min: 0, max: 20_000, noNaN: true })), { minLength: 1 }), stamps => {
        const time = new BrokerTime()
        let atMs = 0
        for (const [toBrokerMs, backMs, pauseMs] of stamps) {
          time.stamped(aStamp(atMs, toBrokerMs, backMs))
          atMs += toBrokerMs + backMs + pauseMs
        }
        // A clock that is right is never corrected.
        expect(time.skewMs(clockAt(atMs, 0))).toBe(0)
      }),
    )
  })

  test('should ask for a stamp at first, then once a second of what is written anyway', () => {
    const time = new BrokerTime()
    expect(time.wantsStamp(clockAt(0, 0))).toBe(true)
    time.asked(clockAt(0, 0))
    expect([999, 1_000].map(atMs => time.wantsStamp(clockAt(atMs, 0)))).toEqual([false, true])
  })

  test.each([
    { skewMs: 0, stale: [false, false, true] },
    { skewMs: 2_000, stale: [false, true, true] },
  ])('should want a record of its own when $skewMs ms apart: after 10 minutes at least, soon when in doubt', ({ skewMs, stale }) => {
    const time = new BrokerTime()
    time.asked(clockAt(0, 0))
    time.stamped(aStamp(0, 1, 1))
    expect([9_999, 10_000, 600_000].map(atMs => time.isStale(clockAt(atMs, skewMs)))).toEqual(stale)
  })
})
