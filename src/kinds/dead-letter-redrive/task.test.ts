import { describe, expect, test } from '@jest/globals'
import { RedriveWorld, aRedriveConfig, values } from '../../../test/support/dead-letter-redrive.ts'

const numbers = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => String(i))

describe('a redrive', () => {
  test.each([
    { select: { fingerprint: 'nothing is like this' }, moved: 0 },
    { select: { partitions: [] }, moved: 0 },
    { select: { all: true }, moved: 3 },
  ])('should come to its end when $select selects $moved of three', ({ select, moved }) => {
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 3]], select }))
    for (const value of ['a', 'b', 'c']) world.die(value)
    world.finish()
    expect(world.progress).toMatchObject({ done: true, matched: moved, sent: moved })
    expect(world.log('p.redelivery').committed).toHaveLength(moved)
  })

  test('should deliver a dead letter without key and value as it is', () => {
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 1]] }))
    world.write('p.dlq', [], { key: null, value: null })
    world.finish()
    expect(world.log('p.redelivery').committed).toMatchObject([{ key: null, value: null }])
  })

  test('should deliver every dead letter once, with its own headers and attempts that start anew', () => {
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 3]], setHeaders: { ticket: 'T-1' }, removeHeaders: ['secret'] }))
    for (const value of ['a', 'b', 'c']) world.die(value, { secret: 'x', ticket: 'old', 'sluice-redrive-count': '1' })
    world.finish()
    expect(values(world.log('p.redelivery').committed)).toEqual(['a', 'b', 'c'])
    const [first] = world.log('p.redelivery').committed
    expect(Object.fromEntries(first!.headers.map(([name, value]) => [name, value?.toString()]))).toEqual({
      own: 'a',
      'sluice-origin-topic': 'orders',
      'sluice-origin-partition': '0',
      'sluice-origin-offset': '7',
      ticket: 'T-1',
      'sluice-redrive-count': '2',
      'sluice-redrive-id': 'shop/heal/1',
    })
    expect(first!.key?.toString()).toBe('k')
    expect(world.progress).toMatchObject({ matched: 3, sent: 3, done: true, fingerprints: new Map([['aaaa', 3]]) })
  })

  test('should leave behind what Spring says of the failure, and keep what it says of the origin', () => {
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 1]] }))
    world.die('a', { 'kafka_dlt-exception-message': 'first', 'kafka_dlt-exception-stacktrace': 'at', 'kafka_dlt-original-topic': 'orders' })
    world.finish()
    const names = world.log('p.redelivery').committed[0]?.headers.map(([name]) => name)
    expect(names?.filter(name => name.startsWith('kafka_dlt'))).toEqual(['kafka_dlt-original-topic'])
  })

  test('should leave alone what came after its start', () => {
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 2]] }))
    for (const value of ['a', 'b', 'later']) world.die(value)
    world.finish()
    expect(values(world.log('p.redelivery').committed)).toEqual(['a', 'b'])
  })

  test('should say who did what in the audit topic', () => {
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 2]], select: { key: 'k' } }))
    world.die('a')
    world.die('b')
    world.finish()
    const told = world.log('p.audit').committed.map(({ value }) => JSON.parse(value!.toString()) as Record<string, unknown>)
    expect(told.map(({ event }) => event)).toEqual(['RedriveStarted', 'RedriveFinished'])
    expect(told[1]).toMatchObject({
      by: 'ann',
      run: 'shop/heal/1',
      select: { key: 'k' },
      offsets: { from: 0, to: 2 },
      sent: 2,
      partition: 0,
    })
  })

  test.each([
    { select: { fingerprint: 'bbbb' }, moved: ['b'] },
    { select: { errorClass: 'Refused' }, moved: ['c'] },
    { select: { key: 'other' }, moved: [] },
    { select: { header: { name: 'tenant' } }, moved: ['b', 'c'] },
    { select: { header: { name: 'tenant', value: 'blue' } }, moved: ['c'] },
    { select: { header: { name: 'tenant' }, fingerprint: 'bbbb' }, moved: ['b'] },
    { select: { partitions: [0] }, moved: ['a', 'b', 'c', 'd'] },
    { select: { partitions: [] }, moved: [] },
    { select: { offsets: [{ partition: 0, from: 1, to: 2 }] }, moved: ['b', 'c'] },
    { select: { offsets: [{ partition: 1, from: 0, to: 9 }] }, moved: [] },
    { select: { from: '2023-11-14T22:13:22Z' }, moved: ['c', 'd'] },
    { select: { to: '2023-11-14T22:13:22Z' }, moved: ['a', 'b'] },
  ])('should move what $select selects and nothing else', ({ select, moved }) => {
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 4]], select }))
    for (const [value, told] of [
      ['a', {}],
      ['b', { 'sluice-error-fingerprint': 'bbbb', tenant: 'red' }],
      ['c', { 'sluice-error-class': 'Refused', tenant: 'blue' }],
      ['d', {}],
    ] as const) {
      world.die(value, told)
      world.now += 1_000
    }
    world.finish()
    expect(values(world.log('p.redelivery').committed)).toEqual(moved)
    expect(world.progress).toMatchObject({ matched: moved.length, sent: moved.length, done: true })
  })

  test('should write nothing in a dry run, and tell what it would move', () => {
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 3]], dryRun: true, ratePerSecond: 1 }))
    world.die('a')
    world.die('b', { 'sluice-error-fingerprint': 'bbbb' })
    world.die('c', { 'sluice-redrive-count': '3' })
    world.finish()
    expect(['p.redelivery', 'p.handled', 'p.audit'].map(topic => world.log(topic).stable)).toEqual([0, 0, 0])
    const fingerprints = new Map([
      ['aaaa', 1],
      ['bbbb', 1],
    ])
    expect(world.progress).toMatchObject({ matched: 3, sent: 0, parked: 1, fingerprints })
  })

  test('should leave where they are what was redriven too often and what says so unreadably', () => {
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 4]], maxRedrives: 2 }))
    for (const count of ['1', '2', 'many', '']) world.die(count, { 'sluice-redrive-count': count })
    world.finish()
    expect(values(world.log('p.redelivery').committed)).toEqual(['1'])
    expect(world.progress).toMatchObject({ matched: 4, sent: 1, parked: 3 })
  })

  test('should keep what the target refuses as a dead letter and go on', () => {
    const topics = { ...aRedriveConfig().topics, target: 'small' }
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 3]], topics }))
    world.die('a')
    world.die('x'.repeat(1_000))
    world.die('b')
    world.finish()
    expect(values(world.log('small').committed)).toEqual(['a', 'b'])
    expect(world.progress).toMatchObject({ matched: 3, sent: 2, failed: 1, done: true })
    const again = new RedriveWorld({ ...aRedriveConfig({ bounds: [[0, 3]] }), run: 'shop/heal/2' }, world)
    again.finish()
    expect(values(again.log('p.redelivery').committed)).toEqual(['x'.repeat(1_000)])
  })

  test('should move no more than it is told to, and leave the rest for another', () => {
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 10]], maxMessages: 4 }))
    for (const value of numbers(10)) world.die(value)
    world.finish(undefined, 5)
    expect(values(world.log('p.redelivery').committed)).toEqual(numbers(4))
    const rest = new RedriveWorld({ ...aRedriveConfig({ bounds: [[0, 10]] }), run: 'shop/rest/1' }, world)
    rest.finish()
    expect(values(rest.log('p.redelivery').committed)).toEqual(numbers(10))
    expect(rest.progress).toMatchObject({ matched: 10, sent: 6, handled: 4 })
  })

  test.each([50, 1_000])('should keep to %d records a second within 5 %', rate => {
    const count = rate * 2
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, count]], ratePerSecond: rate }))
    for (const value of numbers(count)) world.die(value)
    const start = world.now
    world.finish()
    const seconds = (world.now - start) / 1_000
    expect(count / seconds).toBeGreaterThan(rate * 0.95)
    expect(count / seconds).toBeLessThan(rate * 1.05)
  })

  test('should wait for a target that does not exist, and lose nothing', () => {
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 1]], topics: { ...aRedriveConfig().topics, target: 'absent' } }))
    world.die('a')
    world.read('p.dlq', 10)
    expect(world.transact('commit')).toBe(false)
    expect(world.task.wakeAt()).toBe(world.now + 5_000)
  })

  test('should only mark what it discards', () => {
    const { target: _, ...topics } = aRedriveConfig().topics
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 2]], action: 'Discard', topics, maxRedrives: 1 }))
    world.die('a', { 'sluice-redrive-count': '5' })
    world.die('b')
    world.finish()
    expect(world.log('p.redelivery').stable).toBe(0)
    const redrive = new RedriveWorld({ ...aRedriveConfig({ bounds: [[0, 2]] }), run: 'shop/after/1' }, world)
    redrive.finish()
    expect(redrive.log('p.redelivery').stable).toBe(0)
    expect(redrive.progress).toMatchObject({ matched: 2, sent: 0, handled: 2, done: true })
  })

  test('should ignore markers about an earlier topic of the same name', () => {
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 1]] }))
    world.die('a')
    world.finish()
    const again = new RedriveWorld({ ...aRedriveConfig({ bounds: [[0, 1]], topicId: 'topic-2' }), run: 'shop/heal/2' }, world)
    again.finish()
    expect(values(again.log('p.redelivery').committed)).toEqual(['a', 'a'])
  })

  test('should go on after another redrive ran in between, and count what it had moved itself', () => {
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 6]] }))
    for (const value of numbers(6)) world.die(value)
    world.read('p.dlq', 10)
    world.transact('commit', 5)
    const moved = world.log('p.redelivery').committed.length
    expect(moved).toBeGreaterThan(0)
    expect(moved).toBeLessThan(6)
    const between = new RedriveWorld(
      { ...aRedriveConfig({ bounds: [[0, 6]], select: { offsets: [{ partition: 0, from: 5, to: 5 }] } }), run: 'x' },
      world,
    )
    between.finish()
    const resumed = new RedriveWorld(world.config, between)
    resumed.finish()
    expect([...values(resumed.log('p.redelivery').committed)].sort()).toEqual(numbers(6))
    expect(resumed.progress).toMatchObject({ matched: 6, sent: 5, handled: 1 })
  })

  test('should stop at a marker that nobody can read: going on might move records twice', () => {
    const world = new RedriveWorld(aRedriveConfig({ bounds: [[0, 1]] }))
    world.write('p.handled', [], { key: Buffer.from('x'), value: Buffer.from('garbage') })
    expect(() => {
      world.crash()
    }).toThrow(/p\.handled\[0\] offset 0 is not a marker of Sluice/)
  })
})
