import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { SPAN, decodeFinished, encodeFinished } from './finished.ts'
import type { Range } from './finished.ts'

/** What an offset's note has room for: 4,096 bytes less what is the kernel's. */
const MOST_CHARACTERS = 2_400

/** Ascending ranges that do not touch, from lengths of what is unfinished and finished in turn. */
function rangesOf(position: number, lengths: readonly (readonly [number, number])[]): readonly Range[] {
  let at = position
  return lengths.map(([unfinished, finished]) => {
    const from = at + unfinished
    at = from + finished
    return { from, to: at }
  })
}
const lengths = (most: number) => fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })), { maxLength: most })

describe('what is finished above a position', () => {
  test('should come back from its note, for ever so many holes within the span', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 52 }), lengths(SPAN / 10), (position, turns) => {
        const ranges = rangesOf(position, turns)
        const note = encodeFinished(position, ranges)
        expect(note.length).toBeLessThanOrEqual(MOST_CHARACTERS)
        expect(decodeFinished(position, note)).toEqual(ranges)
      }),
    )
  })

  test('should come back over millions of offsets when there are few holes', () => {
    const ranges = rangesOf(
      7,
      Array.from({ length: 200 }, () => [9_000, 1_000]),
    )
    expect(decodeFinished(7, encodeFinished(7, ranges))).toEqual(ranges)
  })

  test('should fit and never name what is not finished, when there is too much of it', () => {
    const ranges = rangesOf(
      0,
      Array.from({ length: 20_000 }, () => [1, 1]),
    )
    const note = encodeFinished(0, ranges)
    expect(note.length).toBeLessThanOrEqual(MOST_CHARACTERS)
    const told = decodeFinished(0, note)
    expect(told).toEqual(ranges.slice(0, told.length))
    expect(told.at(-1)?.to).toBeGreaterThanOrEqual(SPAN - 1)
  })

  test('should be short where little is to tell', () => {
    expect(encodeFinished(5, [])).toBe('')
    expect(encodeFinished(5, [{ from: 6, to: 1_000_000 }]).length).toBeLessThanOrEqual(8)
  })

  test.each(['', '?', 'AAAA', 'Zm9v'])('should make nothing of a note that is not its own: "%s"', note => {
    expect(decodeFinished(5, note)).toEqual([])
  })
})
