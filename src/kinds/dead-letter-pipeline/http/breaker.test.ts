import { describe, expect, test } from '@jest/globals'
import { Breaker } from './breaker.ts'

const CONFIG = { failureRatio: 0.5, minimum: 4, windowMs: 10_000, probeIntervalMs: 1_000 }
const PROBE_LASTS_MS = 500

/** `+` and `-` are calls that ended, at 100 ms each; a number lets so many ms pass. */
function after(
  script: string,
  config: ConstructorParameters<typeof Breaker>[0] = CONFIG,
): { readonly breaker: Breaker; readonly now: number } {
  const breaker = new Breaker(config, PROBE_LASTS_MS)
  let now = 1_000_000
  for (const word of script.split(/\s+|(?<=[+-])/).filter(each => each !== '')) {
    if (word === '+') breaker.succeeded((now += 100))
    else if (word === '-') breaker.failed((now += 100))
    else now += Number(word)
  }
  return { breaker, now }
}

describe('the breaker', () => {
  test.each([
    ['', 'closed'],
    ['---', 'closed'],
    ['----', 'open'],
    ['++--', 'open'],
    ['+++--', 'closed'],
    ['+++---', 'open'],
    ['+++++++++', 'closed'],
    // Older than the window: not counted.
    ['++++++ 10000 ----', 'open'],
    ['--- 10000 -', 'closed'],
    ['--- 10000 +++-', 'closed'],
    // An answer to a probe closes it, and it counts anew.
    ['---- 1000 +', 'closed'],
    ['---- 1000 + ---', 'open'],
    ['---- 1000 + --', 'closed'],
    ['---- 1000 -', 'open'],
  ])('should after "%s" be %s', (script, want) => {
    expect(after(script).breaker.openSince === undefined ? 'closed' : 'open').toBe(want)
  })

  test.each([
    ['--', 'closed'],
    ['---', 'open'],
    ['--+--', 'closed'],
    ['--+---', 'open'],
  ])('should count failures in a row: after "%s" be %s', (script, want) => {
    const { breaker } = after(script, { minimum: 1, windowMs: 10_000, probeIntervalMs: 1_000, consecutiveFailures: 3 })
    expect(breaker.openSince === undefined ? 'closed' : 'open').toBe(want)
  })

  test('should let one probe through per interval, and the next one only when that has ended', () => {
    const { breaker, now } = after('----')
    expect([breaker.room(now), breaker.room(now + 999), breaker.room(now + 1_000)]).toEqual([0, 0, 1])
    expect(breaker.roomAt()).toBe(now + 1_000)
    breaker.began(now + 1_000)
    expect(breaker.room(now + 1_499)).toBe(0)
    breaker.failed(now + 1_200)
    expect([breaker.room(now + 2_199), breaker.room(now + 2_200)]).toEqual([0, 1])
  })

  test('should probe again when nobody tells what came of the last one', () => {
    const { breaker, now } = after('----')
    breaker.began(now + 1_000)
    const givenUpAt = now + 1_000 + PROBE_LASTS_MS + CONFIG.probeIntervalMs
    expect([breaker.room(givenUpAt - 1), breaker.room(givenUpAt)]).toEqual([0, 1])
  })

  test('should not stay shut because the clock was set back', () => {
    const { breaker, now } = after('----')
    expect(breaker.room(now - 3_600_000)).toBe(1)
  })
})
