import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { CallWorld, WAITING, aCallingConfig } from '../../../../test/support/dead-letter-calls.ts'
import { Random } from '../../../../test/support/delay-queue/random.ts'
import { textHeader } from '../../../../test/support/delay-queue/world.ts'
import type { CallOutcome, LogRecord } from '../../../worker/task.ts'
import { METRIC } from '../metrics.ts'
import { SPAN } from './finished.ts'
import { decodeNote } from './note.ts'

const timeout: CallOutcome = { type: 'failed', reason: 'timeout', message: 'app:8080: no whole answer within 1000 ms', tookMs: 1_000 }
const forbidden: CallOutcome = { type: 'failed', reason: 'address-forbidden', message: 'app leads to 169.254.169.254', tookMs: 0 }
const values = (records: readonly LogRecord[]): readonly (string | undefined)[] => records.map(({ value }) => value?.toString())
const told = (record: LogRecord | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries((record?.headers ?? []).map(([name, value]) => [name, value?.toString() ?? '']))
const noteOf = (world: CallWorld) => decodeNote(world.commits.get('orders')?.metadata ?? '')
const BREAKER = { failureRatio: 0.5, minimum: 4, windowMs: 10_000, probeIntervalMs: 1_000 }

describe('without order', () => {
  test('should hand over what failed as the application itself would, and be done with it', () => {
    const world = new CallWorld(aCallingConfig())
    world.write(
      'orders',
      [
        ['own', Buffer.from('x')],
        ['sluice-attempt', Buffer.from('7')],
      ],
      { key: Buffer.from('k'), value: Buffer.from('a') },
    )
    world.callTo(world.now + 1_000, () => ({ type: 'answered', status: 429, retryAfter: '9', tookMs: 1 }))
    const [record] = world.log('p.retry').committed
    expect({ key: record?.key?.toString(), value: record?.value?.toString() }).toEqual({ key: 'k', value: 'a' })
    expect(told(record)).toEqual({
      own: 'x',
      'sluice-error-class': 'http.429',
      'sluice-error-code': '429',
      'sluice-error-message': 'app:8080 answered 429',
      'sluice-retry-after': '9000',
      'sluice-origin-topic': 'orders',
      'sluice-origin-partition': '0',
      'sluice-origin-offset': '0',
      'sluice-origin-timestamp': String(record?.timestampMs),
      'sluice-origin-group': 'billing',
    })
    expect(world.position).toBe(1)
    expect(world.task.bytes).toBe(0)
  })

  test('should go on past a call that hangs, and repeat only that one after a crash', () => {
    const world = new CallWorld(aCallingConfig())
    for (let i = 0; i < 2_000; i++) world.produce(`k${i}`, String(i))
    world.callTo(world.now + 5_000, ({ value }) => (value === '10' ? undefined : 200))
    expect(world.begun).toHaveLength(2_000)
    expect(world.position).toBe(10)
    world.crash()
    world.callTo(world.now + 5_000)
    expect(world.begun.slice(2_000).map(({ value }) => value)).toEqual(['10'])
    expect(world.position).toBe(2_000)
  })

  test('should begin at the start of a log that begins late', () => {
    const world = new CallWorld(aCallingConfig())
    for (let i = 0; i < 5_000; i++) world.log('orders').marker()
    world.produce('k', 'a')
    world.callTo(world.now + 1_000)
    expect(world.position).toBe(5_001)
  })

  test('should make a dead letter of what the retry topic cannot take', () => {
    const world = new CallWorld(aCallingConfig({ topics: { ...aCallingConfig().topics, retry: 'small' } }))
    world.produce('k', 'v'.repeat(1_000))
    world.callTo(world.now + 1_000, () => 500)
    const [dead] = world.log('p.dlq').committed
    expect(dead?.value?.length).toBe(1_000)
    expect(told(dead)).toMatchObject({ 'sluice-disposition': 'too-large', 'sluice-origin-topic': 'orders' })
  })
})

describe('in the order of the keys', () => {
  const keyed = (more: Parameters<typeof aCallingConfig>[0] = {}): CallWorld =>
    new CallWorld(aCallingConfig({ ...more, http: { waitingTopic: WAITING, ...more.http } }))

  test('should call one at a time of each key, and let a failed one hold up nobody but its key', () => {
    const world = keyed()
    for (let i = 0; i < 12; i++) world.produce(`k${i % 3}`, `${i % 3}/${Math.floor(i / 3)}`)
    let failures = 0
    world.callTo(world.now + 500, ({ value }) => (value === '1/1' && failures++ < 1 ? 503 : 200))
    expect(world.begun.filter(({ value }) => value.startsWith('1/')).map(({ value }) => value)).toEqual(['1/0', '1/1'])
    expect(world.begun.filter(({ value }) => !value.startsWith('1/'))).toHaveLength(8)
    expect(world.position).toBe(4)
    world.callTo(world.now + 2_000)
    expect(world.begun.filter(({ value }) => value.startsWith('1/')).map(({ value, attempt }) => [value, attempt])).toEqual([
      ['1/0', 1],
      ['1/1', 1],
      ['1/1', 2],
      ['1/2', 1],
      ['1/3', 1],
    ])
    expect(world.position).toBe(12)
    expect(world.log('p.retry').committed).toEqual([])
  })

  test('should wait as the back-off says, then give up and let the key go on', () => {
    const world = keyed()
    const start = world.now
    const times: number[] = []
    world.produce('k', 'bad')
    world.produce('k', 'good')
    world.callTo(start + 60_000, ({ value }) => {
      if (value !== 'bad') return 200
      times.push(world.now - start)
      return 500
    })
    expect(times).toEqual([0, 1_000, 3_000, 7_000])
    const [dead, ...more] = world.log('p.dlq').committed
    expect(more).toEqual([])
    expect(told(dead)).toMatchObject({
      'sluice-disposition': 'exhausted',
      'sluice-attempt': '4',
      'sluice-first-failure-at': String(start),
      'sluice-last-failure-at': String(start + 7_000),
      'sluice-error-class': 'http.500',
      'sluice-origin-topic': 'orders',
      'sluice-origin-offset': '0',
    })
    expect(world.begun.at(-1)?.value).toBe('good')
    expect(world.total(METRIC.deadLetters)).toBe(1)
    // Nothing is left of what waited.
    expect(world.log(WAITING).committed.at(-1)).toMatchObject({ value: null })
  })

  test('should keep attempts and waits through a crash', () => {
    const world = keyed()
    const start = world.now
    world.produce('k', 'bad')
    const times: number[] = []
    const fail = (): number => {
      times.push(world.now - start)
      return 500
    }
    for (const at of [500, 2_000, 2_900, 5_000]) {
      world.callTo(start + at, fail)
      world.crash()
    }
    world.callTo(start + 60_000, fail)
    expect(times).toEqual([0, 1_000, 3_000, 7_000])
    expect(told(world.log('p.dlq').committed[0])).toMatchObject({ 'sluice-attempt': '4', 'sluice-first-failure-at': String(start) })
  })

  test('should give up at the deadline, and do what rules say', () => {
    const rules = [
      { match: { status: [418] }, action: 'Drop' as const },
      { match: { status: [500] }, action: 'DeadLetter' as const, deadLetterTopic: 'p.fatal' },
    ]
    const world = keyed({ deadlineMs: 2_500, maxAttempts: 100, rules })
    const statuses: Readonly<Record<string, number>> = { late: 503, dropped: 418, fatal: 500, refused: 404 }
    for (const value of Object.keys(statuses)) world.produce(value, value)
    world.callTo(world.now + 60_000, ({ value }) => statuses[value])
    expect(values(world.log('p.fatal').committed)).toEqual(['fatal'])
    expect(
      world
        .log('p.dlq')
        .committed.map(record => [
          record.value?.toString(),
          textHeader(record, 'sluice-disposition'),
          textHeader(record, 'sluice-attempt'),
        ]),
    ).toEqual([
      ['refused', 'non-retriable', '1'],
      ['late', 'expired', '2'],
    ])
    expect(world.total(METRIC.dropped)).toBe(1)
    expect(world.position).toBe(4)
  })

  test('should hand over records that have no key', () => {
    const world = keyed()
    world.produce(null, 'a')
    world.produce(null, 'b')
    world.callTo(world.now + 1_000, () => 500)
    expect(values(world.log('p.retry').committed)).toEqual(['a', 'b'])
  })

  test('should read no further when more waits than can be noted, say so, and go on', () => {
    const world = keyed()
    const start = world.now
    for (let i = 0; i < SPAN + 3_000; i++) world.produce(i % 40 === 0 ? `bad${i}` : `k${i}`, String(i))
    const isBad = (value: string): boolean => Number(value) % 40 === 0
    world.callTo(start + 900, ({ value }) => (isBad(value) ? 503 : 200))
    expect(world.task.held).toEqual(new Set(['orders']))
    expect(noteOf(world)).toMatchObject({ full: true })
    expect(Math.max(...world.begun.map(({ value }) => Number(value)))).toBeLessThan(SPAN + 3_000)
    const called = new Set(world.begun.map(({ value }) => value))
    world.crash()
    const before = world.begun.length
    world.callTo(start + 60_000)
    // Whatever was done had been noted, however much of it there was.
    expect(world.begun.slice(before).filter(({ value }) => called.has(value) && !isBad(value))).toEqual([])
    expect(world.position).toBeGreaterThanOrEqual(SPAN + 3_000)
    expect(noteOf(world)).toMatchObject({ full: false })
  }, 30_000)
})

describe('with a breaker', () => {
  test.each([
    { name: 'without order', waitingTopic: undefined },
    { name: 'in the order of the keys', waitingTopic: WAITING },
  ])('should hold what fails while it is open, count no attempt, and deliver all once it closes, $name', ({ waitingTopic }) => {
    const world = new CallWorld(aCallingConfig({ maxAttempts: 2, http: { breaker: BREAKER, ...(waitingTopic && { waitingTopic }) } }))
    const start = world.now
    for (let i = 0; i < 50; i++) world.produce(`k${i % 7}`, String(i))
    world.callTo(start + 60_000, () => timeout)
    // Those that failed before it opened are the only ones that lost an attempt; a probe per second came after.
    expect(world.log('p.dlq').committed).toEqual([])
    expect(world.log('p.retry').committed.length).toBeLessThan(BREAKER.minimum)
    expect(world.begun.length).toBeLessThanOrEqual(8 + 61)
    expect(noteOf(world)).toMatchObject({ condition: 'open', lastError: 'http.timeout' })
    world.callTo(world.now + 10_000)
    expect(world.log('p.dlq').committed).toEqual([])
    expect(world.position).toBe(50)
    expect(noteOf(world)).toMatchObject({ condition: 'well' })
    const done = new Set([...world.begun.slice(-50).map(({ value }) => value), ...values(world.log('p.retry').committed)])
    expect(done.size).toBe(50)
  })

  test('should dead-letter what is beyond help also while it is open', () => {
    const world = new CallWorld(aCallingConfig({ http: { breaker: { ...BREAKER, minimum: 1 } } }))
    world.produce('a', 'a')
    world.callTo(world.now + 500, () => 503)
    world.produce('b', 'b')
    world.callTo(world.now + 5_000, ({ value }) => (value === 'a' ? 503 : 404))
    // Nor does a record that always fails keep the others from being probes; an answer is an answer.
    expect(values(world.log('p.retry').committed)).toContain('b')
  })
})

describe('the condition', () => {
  test('should be told while every call fails, and when that is over', () => {
    const world = new CallWorld(aCallingConfig())
    let failing = true
    const reply = (): number => (failing ? 503 : 200)
    for (let second = 0; second < 10; second++) {
      for (let i = 0; i < 3; i++) world.produce('k', String(i))
      world.callTo(world.now + 1_000, reply)
    }
    expect(noteOf(world)).toMatchObject({ condition: 'failing', lastError: 'http.503' })
    failing = false
    world.produce('k', 'x')
    world.callTo(world.now + 1_000, reply)
    expect(noteOf(world)).toMatchObject({ condition: 'well' })
  })

  test('should be told when the address is forbidden, at no cost for the record', () => {
    const world = new CallWorld(aCallingConfig({ maxAttempts: 1 }))
    world.produce('k', 'a')
    world.callTo(world.now + 60_000, () => forbidden)
    expect(noteOf(world)).toMatchObject({ condition: 'forbidden', lastError: 'http.address-forbidden' })
    expect(world.begun.length).toBeLessThan(20)
    expect([...world.log('p.retry').committed, ...world.log('p.dlq').committed]).toEqual([])
    world.callTo(world.now + 10_000)
    expect(world.position).toBe(1)
    expect(noteOf(world)).toMatchObject({ condition: 'well' })
  })
})

describe('whatever happens', () => {
  const outcomes: readonly (CallOutcome | number | undefined)[] = [200, 200, 200, 200, 503, 404, timeout, undefined]

  test.each([true, false])('should end every record once, in order of the keys (%s), through crashes and aborts', ordered => {
    fc.assert(
      fc.property(fc.integer(), seed => {
        const random = new Random(seed)
        const world = new CallWorld(aCallingConfig({ maxAttempts: 3, http: ordered ? { waitingTopic: WAITING } : {} }))
        const records = 60
        const keys = Array.from({ length: records }, (_, i) => {
          const key = `k${random.below(6)}`
          world.produce(key, String(i))
          return key
        })
        const done: string[] = []
        const reply = (flight: (typeof world.begun)[number]): CallOutcome | number | undefined => {
          const outcome = random.pick(outcomes)
          if (outcome === 200) done.push(flight.value)
          return outcome
        }
        for (let round = 0; round < 6; round++) {
          world.callTo(world.now + random.below(4_000), reply, () => (random.chance(0.1) ? 'abort' : 'commit'))
          checkOneAtATime(world, ordered)
          if (random.chance(0.7)) world.crash()
        }
        world.callTo(world.now + 120_000, ({ value }) => {
          done.push(value)
          return 200
        })
        const left = [...world.log('p.retry').committed, ...world.log('p.dlq').committed].map(({ value }) => value?.toString() ?? '')
        expect(new Set(left).size).toBe(left.length)
        expect(new Set([...done, ...left]).size).toBe(records)
        expect(world.position).toBeGreaterThanOrEqual(records)
        if (ordered) {
          const firsts = [...new Set(done)].map(Number)
          for (const each of Map.groupBy(firsts, id => keys[id]).values()) expect(each).toEqual(each.toSorted((a, b) => a - b))
        }
        expect(Math.max(...world.begun.map(({ attempt }) => attempt))).toBeLessThanOrEqual(3)
      }),
      { numRuns: 60 },
    )
  })

  function checkOneAtATime(world: CallWorld, ordered: boolean): void {
    if (!ordered) return
    const keys = world.inFlight.map(({ call }) => Object.fromEntries(call.request.headers)['ce-partitionkey'])
    expect(new Set(keys).size).toBe(keys.length)
  }
})
