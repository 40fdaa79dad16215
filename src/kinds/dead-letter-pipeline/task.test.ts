import { describe, expect, test } from '@jest/globals'
import { PipelineWorld, aPipelineConfig } from '../../../test/support/dead-letter-pipeline.ts'
import { textHeader } from '../../../test/support/delay-queue/world.ts'
import type { LogRecord } from '../../worker/task.ts'
import { METRIC } from './metrics.ts'

const told = (record: LogRecord | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries((record?.headers ?? []).map(([name, value]) => [name, value?.toString() ?? '']))

/** Fails whatever comes back at once, until nothing comes for ten minutes; answers the waits between failure and redelivery. */
function failAll(world: PipelineWorld, first: LogRecord): readonly number[] {
  const waits: number[] = []
  let failed = first
  for (;;) {
    const before = world.redelivered.length
    const giveUpAt = world.now + 600_000
    while (world.redelivered.length === before && world.now < giveUpAt) world.runTo(world.now + 100)
    const [next] = world.redelivered.slice(before)
    if (next === undefined) return waits
    waits.push(next.timestampMs - failed.timestampMs)
    failed = world.failAgain(next)
  }
}

describe('waits', () => {
  test.each([
    { name: 'exponential', backoff: { initialMs: 1_000, factor: 2, maxMs: 300_000 }, maxAttempts: 4, waits: [1_000, 2_000, 4_000] },
    { name: 'constant', backoff: { initialMs: 5_000, factor: 1, maxMs: 5_000 }, maxAttempts: 4, waits: [5_000, 5_000, 5_000] },
    {
      name: 'capped',
      backoff: { initialMs: 1_000, factor: 4, maxMs: 10_000 },
      maxAttempts: 6,
      waits: [1_000, 4_000, 10_000, 10_000, 10_000],
    },
    { name: 'steep', backoff: { initialMs: 100, factor: 10, maxMs: 300_000 }, maxAttempts: 5, waits: [100, 1_000, 10_000, 100_000] },
  ])('should wait $waits ms ($name), then give up', ({ backoff, maxAttempts, waits }) => {
    const world = new PipelineWorld(aPipelineConfig({ backoff: { ...backoff, jitter: 'None' }, maxAttempts }))
    expect(failAll(world, world.fail('a'))).toEqual(waits)
    expect(world.deadLetters.map(record => [told(record)['sluice-disposition'], told(record)['sluice-attempt']])).toEqual([
      ['exhausted', String(maxAttempts)],
    ])
  })

  test.each([
    { jitter: 'Full' as const, least: 0, most: 8_000, below: 4_000 },
    { jitter: 'Equal' as const, least: 4_000, most: 8_000, below: 6_000 },
  ])('should spread waits over the range of $jitter jitter, and never redeliver before them', ({ jitter, least, most, below }) => {
    const world = new PipelineWorld(aPipelineConfig({ backoff: { initialMs: 8_000, factor: 1, maxMs: 8_000, jitter } }))
    const start = world.now
    for (let i = 0; i < 200; i++) world.fail(String(i))
    world.runTo(start + 60_000)
    const waits = world.redelivered.map(({ timestampMs }) => timestampMs - start)
    expect(waits).toHaveLength(200)
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(least)
    expect(Math.max(...waits)).toBeLessThanOrEqual(most)
    const early = waits.filter(wait => wait < below).length
    expect(early).toBeGreaterThan(60)
    expect(early).toBeLessThan(140)
  })

  test('should come to the same instant after a crash, jitter or not', () => {
    const config = aPipelineConfig({ backoff: { initialMs: 60_000, factor: 1, maxMs: 60_000, jitter: 'Full' } })
    const [whole, broken] = [new PipelineWorld(config), new PipelineWorld(config)]
    for (const world of [whole, broken]) for (let i = 0; i < 20; i++) world.fail(String(i))
    const end = whole.now + 120_000
    whole.runTo(end)
    for (const at of [5_000, 20_000, 40_000]) {
      broken.runTo(end - 120_000 + at)
      broken.crash()
    }
    broken.runTo(end)
    const times = (world: PipelineWorld) => world.redelivered.map(({ value, timestampMs }) => [value?.toString(), timestampMs])
    expect(times(broken)).toEqual(times(whole))
  })

  test('should honour what the application asks for, up to the cap', () => {
    const world = new PipelineWorld(aPipelineConfig({ backoff: { initialMs: 1_000, factor: 2, maxMs: 10_000, jitter: 'None' } }))
    const start = world.now
    world.fail('soon', { 'sluice-retry-after': '3s' })
    world.fail('capped', { 'sluice-retry-after': '1h' })
    world.fail('unreadable', { 'sluice-retry-after': 'presently' })
    world.runTo(start + 60_000)
    expect(world.redelivered.map(({ value, timestampMs }) => [value?.toString(), timestampMs - start])).toEqual([
      ['unreadable', 1_000],
      ['soon', 3_000],
      ['capped', 10_000],
    ])
    expect(world.redelivered.flatMap(({ headers }) => headers.map(([name]) => name))).not.toContain('sluice-retry-after')
  })

  test('should give up at once when the wait would pass the deadline, which no redelivery sets back', () => {
    const world = new PipelineWorld(aPipelineConfig({ maxAttempts: 100, deadlineMs: 6_000 }))
    const first = world.fail('a')
    expect(failAll(world, first)).toEqual([1_000, 2_000])
    const [dead] = world.deadLetters
    expect(told(dead)).toMatchObject({ 'sluice-disposition': 'expired', 'sluice-attempt': '3' })
    expect(told(dead)['sluice-retry-deadline']).toBe(String(first.timestampMs + 6_000))
    expect(told(dead)['sluice-first-failure-at']).toBe(String(first.timestampMs))
  })
})

describe('context', () => {
  test('should carry the record whole and say each thing once', () => {
    const world = new PipelineWorld(aPipelineConfig())
    world.write(
      'p.retry',
      [
        ['mine', Buffer.from([0xff, 0])],
        ['sluice-error-class', Buffer.from('stale')],
        ['mine', null],
        ['sluice-error-class', Buffer.from('TimeoutError')],
        ['sluice-error-message', Buffer.from('order 17 timed out')],
      ],
      { value: Buffer.from('v') },
    )
    const [failed] = world.log('p.retry').committed
    world.runTo(world.now + 1_000)
    const [record] = world.redelivered
    expect(record?.key).toBeNull()
    expect(record?.value?.toString()).toBe('v')
    expect(record?.headers.slice(0, 2)).toEqual([
      ['mine', Buffer.from([0xff, 0])],
      ['mine', null],
    ])
    const names = record?.headers.slice(2).map(([name]) => name) ?? []
    expect(new Set(names).size).toBe(names.length)
    expect(told(record)).toMatchObject({
      'sluice-attempt': '2',
      'sluice-max-attempts': '4',
      'sluice-first-failure-at': String(failed?.timestampMs),
      'sluice-last-failure-at': String(failed?.timestampMs),
      'sluice-error-class': 'TimeoutError',
      'sluice-error-message': 'order 17 timed out',
      'sluice-origin-topic': 'p.retry',
      'sluice-origin-partition': '0',
      'sluice-origin-offset': '0',
      'sluice-origin-group': 'billing',
    })
  })

  test('should keep the origin that the application wrote at the first failure', () => {
    const world = new PipelineWorld(aPipelineConfig())
    const origin = {
      'sluice-origin-topic': 'orders',
      'sluice-origin-partition': '7',
      'sluice-origin-offset': '99',
      'sluice-origin-timestamp': '5',
    }
    failAll(world, world.fail('a', origin))
    expect(told(world.deadLetters[0])).toMatchObject(origin)
  })

  test('should give failures of one cause one fingerprint, and those of another another', () => {
    const world = new PipelineWorld(aPipelineConfig({ maxAttempts: 1 }))
    const fail = (message: string, frame: string): LogRecord =>
      world.fail('x', {
        'sluice-error-class': 'E',
        'sluice-error-message': message,
        'sluice-error-stack': `E: ${message}\n    at ${frame}\n    at other`,
      })
    fail('order 17 of 3f1c9a52-70cc-4b1a-9d2f-0d6f3a1b2c3d failed', 'pay (pay.js:10:5)')
    fail('order 4711 of aaaaaaaa-70cc-4b1a-9d2f-0d6f3a1b2c3d failed', 'pay (pay.js:12:9)')
    fail('order 17 failed otherwise', 'pay (pay.js:10:5)')
    fail('order 17 of 3f1c9a52-70cc-4b1a-9d2f-0d6f3a1b2c3d failed', 'refund (pay.js:10:5)')
    world.fail('x', { 'sluice-error-fingerprint': 'mine' })
    world.runTo(world.now + 1_000)
    const prints = world.deadLetters.map(record => told(record)['sluice-error-fingerprint'])
    expect(prints[0]).toBe(prints[1])
    expect(new Set(prints).size).toBe(4)
    expect(prints[4]).toBe('mine')
  })

  test('should cut a stack of 64 KiB where a character ends', () => {
    const world = new PipelineWorld(aPipelineConfig())
    world.fail('a', { 'sluice-error-stack': `x${'é'.repeat(32_768)}` })
    world.runTo(world.now + 1_000)
    const stack = told(world.redelivered[0])['sluice-error-stack'] ?? ''
    expect(stack).toBe(`x${'é'.repeat(4_095)}`)
  })

  test('should understand what Spring, Connect, Streams and share groups write', () => {
    const world = new PipelineWorld(aPipelineConfig({ maxAttempts: 1 }))
    const number = (bytes: number, value: number): Buffer => {
      const buffer = Buffer.alloc(bytes)
      if (bytes === 4) buffer.writeInt32BE(value)
      else buffer.writeBigInt64BE(BigInt(value))
      return buffer
    }
    world.write('p.retry', [
      ['kafka_dlt-exception-fqcn', Buffer.from('java.io.IOException')],
      ['kafka_dlt-exception-message', Buffer.from('refused')],
      ['kafka_dlt-original-topic', Buffer.from('orders')],
      ['kafka_dlt-original-partition', number(4, 3)],
      ['kafka_dlt-original-offset', number(8, 12_345)],
    ])
    world.fail('c', {
      '__connect.errors.exception.class.name': 'C',
      '__connect.errors.topic': 't',
      '__connect.errors.partition': '1',
      '__connect.errors.offset': '2',
    })
    world.fail('s', { '__streams.errors.exception': 'S', '__streams.errors.message': 'm' })
    world.fail('g', { '__dlq.errors.message': 'delivery count', '__dlq.errors.group': 'g' })
    world.fail('e', { error_msg: 'by hand' })
    world.runTo(world.now + 1_000)
    expect(world.deadLetters.map(told)).toMatchObject([
      {
        'sluice-error-class': 'java.io.IOException',
        'sluice-error-message': 'refused',
        'sluice-origin-topic': 'orders',
        'sluice-origin-partition': '3',
        'sluice-origin-offset': '12345',
      },
      { 'sluice-error-class': 'C', 'sluice-origin-topic': 't', 'sluice-origin-partition': '1', 'sluice-origin-offset': '2' },
      { 'sluice-error-class': 'S', 'sluice-error-message': 'm' },
      { 'sluice-error-message': 'delivery count' },
      { 'sluice-error-message': 'by hand' },
    ])
  })

  test('should write the headers of Spring beside its own when asked to', () => {
    const world = new PipelineWorld(aPipelineConfig({ maxAttempts: 1, springHeaders: true }))
    world.fail('a', {
      'sluice-error-class': 'E',
      'sluice-origin-topic': 'orders',
      'sluice-origin-partition': '3',
      'sluice-origin-offset': '9',
    })
    world.runTo(world.now + 1_000)
    const find = (name: string) => world.deadLetters[0]?.headers.find(([other]) => other === name)?.[1]
    expect(find('kafka_dlt-exception-fqcn')?.toString()).toBe('E')
    expect(find('kafka_dlt-original-partition')?.readInt32BE()).toBe(3)
    expect(find('kafka_dlt-original-offset')?.readBigInt64BE()).toBe(9n)
  })
})

describe('judgement', () => {
  const rules = [
    { match: { errorClass: ['Fatal'] }, action: 'DeadLetter' as const, deadLetterTopic: 'p.fatal' },
    { match: { errorPattern: 'duplicate key .* exists' }, action: 'Drop' as const },
    { match: { header: { name: 'kind', value: 'audit' } }, action: 'DeadLetter' as const },
    { match: { errorClass: ['Busy'] }, action: 'Retry' as const, retryAfterMax: '20s' },
    { match: { errorClass: ['Busy', 'Late'] }, action: 'DeadLetter' as const },
  ]

  test('should do what the first rule that matches says', () => {
    const world = new PipelineWorld(aPipelineConfig({ rules }))
    const start = world.now
    world.fail('fatal', { 'sluice-error-class': 'Fatal' })
    world.fail('dropped', { 'sluice-error-message': 'duplicate key 17 exists' })
    world.fail('audit', { kind: 'audit' })
    world.fail('busy', { 'sluice-error-class': 'Busy', 'sluice-retry-after': '1m' })
    world.fail('late', { 'sluice-error-class': 'Late' })
    world.fail('other', { 'sluice-error-class': 'Other' })
    world.runTo(start + 60_000)
    const values = (records: readonly LogRecord[]) => records.map(({ value }) => value?.toString())
    expect(values(world.log('p.fatal').committed)).toEqual(['fatal'])
    expect(values(world.deadLetters)).toEqual(['audit', 'late'])
    expect(world.deadLetters.map(record => textHeader(record, 'sluice-disposition'))).toEqual(['non-retriable', 'non-retriable'])
    expect(world.redelivered.map(({ value, timestampMs }) => [value?.toString(), timestampMs - start])).toEqual([
      ['other', 1_000],
      ['busy', 20_000],
    ])
    expect(world.total(METRIC.dropped)).toBe(1)
    expect(world.total(METRIC.deadLetters)).toBe(3)
    expect(world.total(METRIC.redelivered)).toBe(2)
  })

  test('should dead-letter at once what the application refuses for good', () => {
    const world = new PipelineWorld(aPipelineConfig())
    world.fail('a', { 'sluice-disposition': 'rejected' })
    world.runTo(world.now)
    expect(told(world.deadLetters[0])).toMatchObject({ 'sluice-disposition': 'rejected', 'sluice-attempt': '1' })
  })

  test.each(['0', '-1', '1.5', 'many', '', '9'.repeat(40)])(
    'should call an attempt of "%s" poison, and lose nothing of the record',
    attempt => {
      const world = new PipelineWorld(aPipelineConfig())
      world.fail('a', { 'sluice-attempt': attempt, own: 'x' })
      world.runTo(world.now)
      expect(world.deadLetters[0]?.value?.toString()).toBe('a')
      expect(told(world.deadLetters[0])).toMatchObject({ 'sluice-disposition': 'poison', 'sluice-error-code': 'InvalidAttempt', own: 'x' })
    },
  )

  test('should take attempts beyond the maximum as spent', () => {
    const world = new PipelineWorld(aPipelineConfig())
    world.fail('a', { 'sluice-attempt': '999999' })
    world.runTo(world.now)
    expect(told(world.deadLetters[0])).toMatchObject({ 'sluice-disposition': 'exhausted', 'sluice-attempt': '999999' })
  })

  test('should take a failure that says nothing, with neither key nor value, to its end', () => {
    const world = new PipelineWorld(aPipelineConfig())
    expect(failAll(world, world.write('p.retry', [], { key: null, value: null }))).toEqual([1_000, 2_000, 4_000])
    const [dead] = world.deadLetters
    expect([dead?.key, dead?.value]).toEqual([null, null])
    expect(told(dead)).toMatchObject({
      'sluice-disposition': 'exhausted',
      'sluice-attempt': '4',
      'sluice-error-code': 'AttemptsExhausted',
      'sluice-error-message': '4 deliveries were made, spec.retry.maxAttempts is 4',
    })
    expect(told(dead)['sluice-error-class']).toBeUndefined()
  })

  test('should keep the first of two rules that contradict each other, whichever stands first', () => {
    const rule = (action: 'DeadLetter' | 'Drop') => ({ match: { errorClass: ['E'] }, action })
    for (const [first, second] of [['DeadLetter', 'Drop'] as const, ['Drop', 'DeadLetter'] as const]) {
      const world = new PipelineWorld(aPipelineConfig({ rules: [rule(first), rule(second)] }))
      world.fail('a', { 'sluice-error-class': 'E' })
      world.runTo(world.now + 1_000)
      expect([world.deadLetters.length, world.total(METRIC.dropped)]).toEqual(first === 'Drop' ? [0, 1] : [1, 0])
    }
  })
})
