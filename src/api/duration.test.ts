import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { holds } from './cel.ts'
import { durationMsCel, notLongerCel } from './cel-text.ts'
import { DURATION_PATTERN, formatDuration, MAX_DURATION_MS, parseDuration, parseDurationOrUnlimited } from './duration.ts'

/** Text near the grammar: right and wrong units, orders and sizes. */
const nearly = fc
  .array(
    fc.tuple(
      fc.oneof(fc.nat(120).map(String), fc.bigInt(0n, 10n ** 14n).map(String)),
      fc.constantFrom('d', 'h', 'm', 's', 'ms', '', 'x', '.'),
    ),
    { maxLength: 4 },
  )
  .map(parts => parts.map(part => part.join('')).join(''))
const durationMs = fc.integer({ min: 1, max: MAX_DURATION_MS })

const parsed = (text: string): number | undefined => {
  try {
    return parseDuration(text)
  } catch {
    return undefined
  }
}

describe('duration', () => {
  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['1h30m', 5_400_000],
    ['5m500ms', 300_500],
    ['1d2h3m4s5ms', 93_784_005],
    ['36500d', MAX_DURATION_MS],
    ['876000h', MAX_DURATION_MS],
  ])('should read %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test.each([
    ['', 'is not a duration'],
    ['5', 'is not a duration'],
    ['-5s', 'is not a duration'],
    ['1.5h', 'is not a duration'],
    ['30m1h', 'is not a duration'],
    ['1h1h', 'is not a duration'],
    [' 1h', 'is not a duration'],
    ['1h\n', 'is not a duration'],
    ['0s', 'must be above zero'],
    ['0d0ms', 'must be above zero'],
    ['36500d1ms', 'is above 36500d'],
    ['36501d', 'is above 36500d'],
    ['99999999999999d', 'is above 36500d'],
    ['1'.repeat(10_000) + 'd', 'is not a duration'],
  ])('should refuse %j and say why', (text, message) => {
    expect(() => parseDuration(text)).toThrow(message)
  })

  test('should read back whatever it writes', () => {
    fc.assert(fc.property(durationMs, ms => parseDuration(formatDuration(ms)) === ms))
  })

  test('should accept nothing that the pattern of the CRD refuses', () => {
    const pattern = new RegExp(DURATION_PATTERN)
    fc.assert(fc.property(nearly, text => parsed(text) === undefined || pattern.test(text)))
  })

  test('should count as the CEL of the CRD does', () => {
    const pattern = new RegExp(DURATION_PATTERN)
    fc.assert(
      fc.property(nearly, text => {
        if (!pattern.test(text)) return
        const inRange = { rule: `${durationMsCel('self')} > 0 && ${durationMsCel('self')} <= ${MAX_DURATION_MS}`, message: '' }
        expect(holds(inRange, text)).toBe(parsed(text) !== undefined)
      }),
    )
    fc.assert(
      fc.property(durationMs, ms => {
        expect(holds({ rule: `${durationMsCel('self')} == ${ms}`, message: '' }, formatDuration(ms))).toBe(true)
      }),
      { numRuns: 50 },
    )
  })

  test('should compare as the CEL of the CRD does', () => {
    const rule = { rule: notLongerCel('self.a', 'self.b'), message: '' }
    fc.assert(
      fc.property(durationMs, durationMs, (a, b) => {
        expect(holds(rule, { a: formatDuration(a), b: formatDuration(b) })).toBe(a <= b)
      }),
    )
  })

  test('should read -1 as unlimited, as number and as text, and no other number', () => {
    expect([parseDurationOrUnlimited(-1), parseDurationOrUnlimited('-1'), parseDurationOrUnlimited('7d')]).toEqual([-1, -1, 604_800_000])
    expect(() => parseDurationOrUnlimited(604_800_000)).toThrow('has no unit')
    expect(() => parseDurationOrUnlimited('-2')).toThrow('is not a duration')
  })
})
