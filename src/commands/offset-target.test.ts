import { describe, expect, test } from '@jest/globals'
import { moveOffset, parseOffsetTarget } from './offset-target.ts'

describe('parseOffsetTarget', () => {
  test.each([
    { words: ['earliest'], want: { to: 'earliest' } },
    { words: ['latest'], want: { to: 'latest' } },
    { words: ['offset', '42'], want: { to: 'offset', offset: 42 } },
    { words: ['offset=42'], want: { to: 'offset', offset: 42 } },
    { words: ['shift-by', '-10'], want: { to: 'shift-by', by: -10 } },
    { words: ['shift-by=+10'], want: { to: 'shift-by', by: 10 } },
    { words: ['datetime', '2026-01-31T13:00:00+01:00'], want: { to: 'datetime', at: Date.UTC(2026, 0, 31, 12) } },
    { words: ['datetime=1769860800000'], want: { to: 'datetime', at: 1769860800000 } },
  ])('should read $words', ({ words, want }) => {
    expect(parseOffsetTarget(words)).toEqual(want)
  })

  test.each([
    { words: ['begin'], message: '--to takes earliest, latest, offset N' },
    { words: ['earliest', '3'], message: '--to earliest takes no value' },
    { words: ['offset'], message: '--to offset needs a value' },
    { words: ['offset', '-1'], message: 'is not an offset' },
    { words: ['offset', '9007199254740993'], message: 'is not an offset' },
    { words: ['offset', '1', '2'], message: 'a word too many' },
    { words: ['shift-by', '1.5'], message: 'not a whole number' },
    { words: ['datetime', '2026-01-31T12:00:00'], message: 'is not an instant' },
    { words: ['datetime', '2026-13-31T12:00:00Z'], message: 'is not an instant' },
  ])('should refuse $words', ({ words, message }) => {
    expect(() => parseOffsetTarget(words)).toThrow(message)
  })
})

describe('moveOffset', () => {
  const seen = { topic: 't', partition: 0, earliest: 10, latest: 100, committed: 50 }

  test.each([
    { target: { to: 'earliest' }, want: 10 },
    { target: { to: 'latest' }, want: 100 },
    { target: { to: 'offset', offset: 60 }, want: 60 },
    { target: { to: 'shift-by', by: -30 }, want: 20 },
  ] as const)('should move by $target', ({ target, want }) => {
    expect(moveOffset(target, seen)).toEqual({ topic: 't', partition: 0, from: 50, to: want })
  })

  test.each([
    { target: { to: 'offset', offset: 5 }, want: 10, remark: '5 is outside of 10 to 100' },
    { target: { to: 'offset', offset: 500 }, want: 100, remark: '500 is outside of 10 to 100' },
    { target: { to: 'shift-by', by: -1000 }, want: 10, remark: '-950 is outside of 10 to 100' },
  ] as const)('should stay within the log for $target', ({ target, want, remark }) => {
    expect(moveOffset(target, seen)).toMatchObject({ to: want, remark })
  })

  test('should take the offset of the instant, or the end when no record is that young', () => {
    expect(moveOffset({ to: 'datetime', at: 1 }, { ...seen, atTime: 70 }).to).toBe(70)
    expect(moveOffset({ to: 'datetime', at: 1 }, seen).to).toBe(100)
  })

  test('should leave a partition alone that has nothing to shift from', () => {
    const { committed: _, ...never } = seen
    expect(moveOffset({ to: 'shift-by', by: 1 }, never)).toMatchObject({
      from: undefined,
      to: undefined,
      remark: 'nothing is committed to shift from',
    })
  })
})
