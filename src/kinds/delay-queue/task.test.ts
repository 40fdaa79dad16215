import { describe, expect, test } from '@jest/globals'
import { World, aConfig, headers, textHeader } from '../../../test/support/delay-queue/world.ts'
import type { Commit, LogRecord } from '../../worker/task.ts'
import { encodeJournal } from './journal.ts'
import { METRIC } from './metrics.ts'
import { QueueProtocol } from './queue-protocol.ts'
import { DelayTask } from './task.ts'

const values = (world: World, topic = 'due'): readonly string[] =>
  world.log(topic).committed.map(({ value }) => value?.toString() ?? 'null')
const put = (world: World, value: string, control: Readonly<Record<string, string>>, topic = 'q.in'): LogRecord =>
  world.write(topic, headers(control), { key: Buffer.from('k'), value: Buffer.from(value) })

describe('delivery', () => {
  test.each([1, 999, 10_000, 65_999, 66_000, 200_000, 599_999])(
    'should deliver after %i ms exactly, through as many tiers as it takes',
    delayMs => {
      const world = new World(aConfig())
      const start = world.now
      put(world, 'a', { 'sluice-delay': String(delayMs) })
      world.runTo(start + delayMs - 1)
      expect(values(world)).toEqual([])
      world.runTo(start + delayMs + 1)
      const [record] = world.log('due').committed
      expect(record?.timestampMs).toBe(start + delayMs)
    },
  )

  test('should keep key, value and own headers as they are and tell when and whence', () => {
    const world = new World(aConfig())
    const start = world.now
    world.write(
      'q.in',
      [
        ['a', Buffer.from([0xff, 0])],
        ['sluice-delay', Buffer.from('300s')],
        ['a', null],
        ['sluice-origin-topic', Buffer.from('stale')],
        ['sluice-hop', Buffer.from('mine')],
      ],
      { value: Buffer.from('v') },
    )
    world.runTo(start + 300_000)
    const [record] = world.log('due').committed
    expect(record?.key).toBeNull()
    expect(record?.headers.map(([name, value]) => [name, value?.toString('latin1') ?? null])).toEqual([
      ['a', '\xff\0'],
      ['a', null],
      ['sluice-hop', 'mine'],
      ['sluice-scheduled-for', String(start + 300_000)],
      ['sluice-fired-at', String(start + 300_000)],
      ['sluice-origin-topic', 'q.in'],
      ['sluice-origin-partition', '0'],
      ['sluice-origin-offset', '0'],
      ['sluice-origin-timestamp', String(start)],
    ])
  })

  test('should deliver what is due in the past at once', () => {
    const world = new World(aConfig())
    put(world, 'a', { 'sluice-deliver-at': '2001-01-01T00:00:00Z' })
    world.runTo(world.now)
    expect(values(world)).toEqual(['a'])
  })

  test('should deliver a fixed delay whatever its headers say, together with the input in order of due time', () => {
    const world = new World(aConfig())
    const start = world.now
    put(world, 'fixed', { 'sluice-delay': '1' }, 'q.fixed.30s')
    put(world, 'before', { 'sluice-delay': '29999' })
    put(world, 'after', { 'sluice-delay': '30001' })
    world.runTo(start + 40_000)
    expect(values(world)).toEqual(['before', 'fixed', 'after'])
    expect(textHeader(world.log('due').committed[1]!, 'sluice-origin-topic')).toBe('q.fixed.30s')
  })

  test('should keep arrival order among equal due times, also across tiers', () => {
    const world = new World(aConfig())
    const dueAt = world.now + 300_000
    for (let i = 0; i < 20; i++) {
      put(world, String(i), { 'sluice-deliver-at': String(dueAt) })
      world.runTo(world.now + 13_000)
    }
    world.runTo(dueAt + 10)
    expect(values(world)).toEqual(Array.from({ length: 20 }, (_, i) => String(i)))
  })

  test('should send a message where it asks to go', () => {
    const world = new World(aConfig())
    put(world, 'a', { 'sluice-delay': '5', 'sluice-target-topic': 'other', 'sluice-target-partition': '0' })
    put(world, 'b', { 'sluice-delay': '5', 'scheduler-target-topic': 'other' })
    world.runTo(world.now + 10)
    expect(values(world, 'other')).toEqual(['a', 'b'])
  })

  test('should not fire before its input is read far enough, so that a cancel in the backlog still wins', () => {
    const world = new World(aConfig())
    put(world, 'a', { 'sluice-delay': '60s', 'sluice-id': 'x' })
    for (const topic of world.sources) world.read(topic, 1000)
    world.now += 30_000
    put(world, 'filler', { 'sluice-delay': '1' })
    put(world, '', { 'sluice-op': 'cancel', 'sluice-id': 'x' })
    world.now += 600_000 // an outage
    for (const topic of world.sources) world.read(topic, 1)
    expect(world.transact('commit')).toBe(true) // the filler
    expect(values(world)).toEqual(['filler'])
    expect(world.task.wakeAt()).toBeUndefined()
    world.runTo(world.now + 10_000)
    expect(values(world)).toEqual(['filler'])
    expect(world.total(METRIC.cancelled)).toBe(1)
  })

  test.each([
    { unread: 'q.tier.64s', early: { 'sluice-delay': '70s' } },
    { unread: 'q.fixed.30s', early: undefined },
  ])('should not fire past $unread while something due earlier may stand in it unread', ({ unread, early }) => {
    const world = new World(aConfig())
    const start = world.now
    if (early === undefined) put(world, 'early', {}, unread)
    else put(world, 'early', early)
    put(world, 'late', { 'sluice-delay': '90s' })
    // Far enough that both are in their tiers or in memory, but nothing has left.
    world.read('q.in', 10)
    world.transact('commit')
    world.crash()
    world.now = start + 1_000_000 // an outage
    for (const topic of world.sources) if (topic !== unread) world.read(topic, 10)
    while (world.transact('commit')) for (const topic of world.sources) if (topic !== unread) world.read(topic, 10)
    expect(values(world)).toEqual([])
    world.runTo(world.now)
    expect(values(world)).toEqual(['early', 'late'])
  })

  test('should pace what it delivers', () => {
    const world = new World(aConfig({ maxFireRate: 10 }))
    const start = world.now
    for (let i = 0; i < 50; i++) put(world, String(i), { 'sluice-delay': '1' })
    world.runTo(start + 2_000)
    const delivered = world.log('due').committed
    expect(delivered.length).toBeGreaterThanOrEqual(20)
    expect(delivered.length).toBeLessThanOrEqual(21)
    world.runTo(start + 6_000)
    expect(values(world)).toHaveLength(50)
  })
})

describe('staging', () => {
  test('should take what is due soon, say from when it may be committed, and date it then', () => {
    const world = new World(aConfig())
    const dueMs = world.now + 15
    put(world, 'a', { 'sluice-delay': '15' })
    for (const topic of world.sources) world.read(topic, 10)
    expect(world.task.propose(world.now, 500, world.routing, world.now + 14)).toBeUndefined()
    const proposal = world.task.propose(world.now, 500, world.routing, world.now + 20)
    expect(proposal?.notBefore).toBe(dueMs)
    const [output] = proposal?.outputs ?? []
    expect(output?.timestampMs).toBe(dueMs)
    expect(output?.headers.find(([name]) => name === 'sluice-fired-at')?.[1]?.toString()).toBe(String(dueMs))
  })

  test('should deliver once what was staged when the worker died', () => {
    const world = new World(aConfig())
    const start = world.now
    world.leadMs = 20
    put(world, 'a', { 'sluice-delay': '15' })
    for (const topic of world.sources) world.read(topic, 10)
    expect(world.transact('crash before commit')).toBe(true)
    world.runTo(start + 100)
    expect(values(world)).toEqual(['a'])
  })

  test('should judge expiry by the time at which the message goes', () => {
    const world = new World(aConfig())
    world.leadMs = 20
    put(world, 'in time', { 'sluice-delay': '15', 'sluice-expires-at': String(world.now + 17) })
    put(world, 'too late', { 'sluice-delay': '15', 'sluice-expires-at': String(world.now + 15) })
    for (const topic of world.sources) world.read(topic, 10)
    world.transact('commit')
    expect(values(world)).toEqual(['in time'])
  })

  test('should not hold a message that is fired before its time', () => {
    const world = new World(aConfig())
    const start = world.now
    world.leadMs = 20
    put(world, 'a', { 'sluice-delay': '30s', 'sluice-id': 'x' })
    put(world, '', { 'sluice-op': 'fire', 'sluice-id': 'x' })
    for (const topic of world.sources) world.read(topic, 10)
    world.transact('commit')
    expect(values(world)).toEqual(['a'])
    expect(world.now).toBe(start)
  })
})

describe('ids', () => {
  test.each([30_000, 300_000])('should not deliver what was cancelled in time (delay %i)', delayMs => {
    const world = new World(aConfig())
    const start = world.now
    put(world, 'a', { 'sluice-delay': String(delayMs), 'sluice-id': 'x' })
    put(world, 'other', { 'sluice-delay': String(delayMs), 'sluice-id': 'y' })
    world.runTo(start + delayMs - 1_000)
    put(world, '', { 'sluice-op': 'cancel', 'sluice-id': 'x' })
    world.runTo(start + delayMs)
    put(world, 'new', { 'sluice-delay': '1000', 'sluice-id': 'x' })
    world.runTo(start + delayMs + 5_000)
    expect(values(world)).toEqual(['other', 'new'])
    expect(world.total(METRIC.cancelled)).toBe(1)
  })

  test('should remember a cancel of a message in the tiers through a crash, and forget it when it can match no more', () => {
    const world = new World(aConfig())
    const start = world.now
    put(world, 'a', { 'sluice-delay': '500s', 'sluice-id': 'x' })
    put(world, '', { 'sluice-op': 'cancel', 'sluice-id': 'unknown' })
    world.runTo(start + 1_000)
    put(world, '', { 'sluice-op': 'cancel', 'sluice-id': 'x' })
    world.runTo(start + 2_000)
    world.crash()
    world.runTo(start + 501_000)
    expect(values(world)).toEqual([])
    put(world, 'z', { 'sluice-delay': '1200ms' })
    world.runTo(start + 1_600_000)
    put(world, 'z', { 'sluice-delay': '1' })
    world.runTo(world.now + 10)
    const ids = new Map(world.log('q.ids').committed.map(({ key, value }) => [key?.toString(), value]))
    expect(ids).toEqual(
      new Map([
        ['unknown', null],
        ['x', null],
      ]),
    )
    expect(world.total(METRIC.cancelsUnmatched)).toBe(1)
  })

  test('should deliver the highest version only, at its own time', () => {
    const world = new World(aConfig())
    const start = world.now
    put(world, 'v1', { 'sluice-delay': '300s', 'sluice-id': 'x', 'sluice-version': '1' })
    put(world, 'v3', { 'sluice-delay': '20s', 'sluice-id': 'x', 'sluice-version': '3' })
    put(world, 'v2', { 'sluice-delay': '10s', 'sluice-id': 'x', 'sluice-version': '2' })
    put(world, 'v3 again', { 'sluice-delay': '30s', 'sluice-id': 'x', 'sluice-version': '3' })
    world.runTo(start + 400_000)
    expect(values(world)).toEqual(['v3', 'v3 again'])
    expect(world.total(METRIC.superseded)).toBe(2)
    put(world, 'v4', { 'sluice-delay': '1', 'sluice-id': 'x', 'sluice-version': '4' })
    world.runTo(world.now + 10)
    expect(values(world)).toEqual(['v3', 'v3 again', 'v4'])
  })

  test('should drop repetitions within the window, also after a crash, and take a new one after it or after a cancel', () => {
    const world = new World(aConfig({ deduplicationMs: 60_000 }))
    const again = (value: string, delay = '1'): void => {
      put(world, value, { 'sluice-delay': delay, 'sluice-id': 'x' })
      world.runTo(world.now + 1_000)
    }
    again('first')
    again('repeated')
    world.crash()
    again('repeated after a crash')
    world.runTo(world.now + 60_000)
    again('second')
    put(world, '', { 'sluice-op': 'cancel', 'sluice-id': 'x' })
    again('third')
    expect(values(world)).toEqual(['first', 'second', 'third'])
    expect(world.total(METRIC.deduplicated)).toBe(2)
  })

  test.each([
    { where: 'near', delay: '50s', waitMs: 10 },
    { where: 'read and about to move to a tier', delay: '500s', waitMs: 0 },
    { where: 'in a tier, read ahead', delay: '500s', waitMs: 1_000 },
    { where: 'in its last tier', delay: '72s', waitMs: 30_000 },
  ])('should fire at once what is $where', ({ delay, waitMs }) => {
    const world = new World(aConfig())
    put(world, 'a', { 'sluice-delay': delay, 'sluice-id': 'x' })
    put(world, 'other', { 'sluice-delay': delay, 'sluice-id': 'y' })
    world.runTo(world.now + waitMs)
    put(world, '', { 'sluice-op': 'fire', 'sluice-id': 'x' })
    world.runTo(world.now + 10)
    expect(values(world)).toEqual(['a'])
    expect(world.log('q.dlq').committed).toEqual([])
    world.runTo(world.now + 600_000)
    expect(values(world)).toEqual(['a', 'other'])
    expect(world.commits.get('q.in')?.offset).toBe(world.log('q.in').stable)
  })

  test('should say of a fire that finds nothing that it found nothing, and fire nothing that comes later', () => {
    const world = new World(aConfig())
    put(world, '', { 'sluice-op': 'fire', 'sluice-id': 'x' })
    put(world, 'later', { 'sluice-delay': '50s', 'sluice-id': 'x' })
    world.runTo(world.now + 1_000)
    expect(values(world)).toEqual([])
    expect(world.total(METRIC.firesUnmatched)).toBe(1)
    expect(world.log('q.dlq').committed).toEqual([])
  })

  test('should fire what waits for a fixed delay under the id, wherever it stands', () => {
    const world = new World(aConfig())
    for (let i = 0; i < 700; i++) put(world, 'filler', {}, 'q.fixed.30s')
    put(world, 'far back', { 'sluice-id': 'x' }, 'q.fixed.30s')
    put(world, '', { 'sluice-op': 'fire', 'sluice-id': 'x' })
    world.runTo(world.now + 1_000)
    expect(values(world)).toEqual(['far back'])
  })
})

describe('a fire that searches', () => {
  /** More than is read ahead of a tier, and the message behind. */
  function farBack(): World {
    const world = new World(aConfig())
    for (let i = 0; i < 1_300; i++) put(world, `filler ${i}`, { 'sluice-delay': '500s' })
    put(world, 'sought', { 'sluice-delay': '500s', 'sluice-id': 'x' })
    put(world, 'last', { 'sluice-delay': '500s' })
    world.runTo(world.now + 1_000)
    put(world, '', { 'sluice-op': 'fire', 'sluice-id': 'x' })
    return world
  }

  test('should take out of the depth of a tier only what it names, once, also through a crash before and after its end', () => {
    const world = farBack()
    world.runTo(world.now + 100)
    expect(values(world)).toEqual(['sought'])
    world.crash()
    world.runTo(world.now + 600_000)
    expect(values(world).filter(value => value === 'sought')).toHaveLength(1)
    expect(values(world)).toHaveLength(1_302)
  })

  test('should not be passed by the position of the input before it is answered', () => {
    const world = farBack()
    const fireAt = world.log('q.in').stable - 1
    world.read('q.in', 10)
    world.transact('commit')
    world.search(100)
    world.transact('commit')
    expect(world.commits.get('q.in')?.offset).toBeLessThanOrEqual(fireAt)
    world.crash() // in the middle of its search
    world.runTo(world.now + 100)
    expect(values(world)).toEqual(['sought'])
  })

  test('should not miss a message that moves to another tier while it searches', () => {
    const world = farBack()
    world.read('q.in', 10)
    world.transact('commit')
    world.search(1)
    world.now += 256_000 // all of the tier leaves for the next one
    for (let turn = 0; turn < 20; turn++) {
      for (const topic of world.sources) world.read(topic, 100)
      world.transact('commit')
    }
    expect(values(world)).toEqual(['sought'])
    world.runTo(world.now)
    expect(values(world)).toEqual(['sought'])
  })

  test('should serve all fires that came before it at once, and those that come meanwhile with the next', () => {
    const world = farBack()
    put(world, '', { 'sluice-op': 'fire', 'sluice-id': 'y' })
    world.read('q.in', 10)
    world.transact('commit')
    const { search } = world.task
    put(world, '', { 'sluice-op': 'fire', 'sluice-id': 'z' })
    world.read('q.in', 10)
    world.transact('commit')
    expect(world.task.search).toBe(search)
    search?.ended()
    world.transact('commit')
    expect(world.total(METRIC.firesUnmatched)).toBe(2)
    expect(world.task.search).toBeDefined()
    expect(world.task.search).not.toBe(search)
  })

  test('should not keep weeks of the journal alive for one message that it took out of a tier', () => {
    const world = farBack()
    world.runTo(world.now + 100)
    const fired = world.log('q.journal').high
    for (let i = 0; i < 11_000; i++) {
      put(world, 'tick', { 'sluice-delay': '1' })
      world.runTo(world.now + 2)
    }
    const journalFrom = (JSON.parse(world.commits.get('q.in')?.metadata ?? '') as { j: number }).j
    expect(journalFrom).toBeGreaterThan(fired + 10_000)
    world.crash()
    world.runTo(world.now + 600_000)
    expect(values(world).filter(value => value === 'sought')).toHaveLength(1)
  })

  test('should cancel what it sought when a cancel is read before it is found', () => {
    const world = farBack()
    world.read('q.in', 10)
    world.transact('commit')
    put(world, '', { 'sluice-op': 'cancel', 'sluice-id': 'x' })
    world.read('q.in', 10)
    world.runTo(world.now + 600_000)
    expect(values(world)).not.toContain('sought')
    expect(values(world)).toHaveLength(1_301)
  })
})

describe('dead letters', () => {
  const H = 3_600_000
  test.each([
    { name: 'no header at all', control: {}, disposition: 'poison', code: 'MissingDelay' },
    { name: 'an unreadable delay', control: { 'sluice-delay': 'soon' }, disposition: 'poison', code: 'InvalidDelay' },
    {
      name: 'an unreadable delay before a good one',
      control: { 'sluice-delay': 'soon', 'x-delay': '5' },
      disposition: 'poison',
      code: 'InvalidDelay',
    },
    { name: 'a negative delay', control: { 'sluice-delay': '-5' }, disposition: 'poison', code: 'NegativeDelay' },
    { name: 'a negative x-delay', control: { 'x-delay': '-5' }, disposition: 'poison', code: 'NegativeDelay' },
    { name: 'a delay above maxDelay', control: { 'sluice-delay': '601s' }, disposition: 'poison', code: 'DelayAboveMaximum' },
    {
      name: 'an instant above maxDelay',
      control: { 'sluice-deliver-at': '2999-01-01T00:00:00Z' },
      disposition: 'poison',
      code: 'DelayAboveMaximum',
    },
    {
      name: 'an impossible date',
      control: { 'sluice-deliver-at': '2026-02-30T00:00:00Z' },
      disposition: 'poison',
      code: 'InvalidDeliverAt',
    },
    { name: 'an unreadable epoch', control: { 'scheduler-epoch': '1e9' }, disposition: 'poison', code: 'InvalidDeliverAt' },
    { name: 'a cancel without id', control: { 'sluice-op': 'cancel' }, disposition: 'poison', code: 'MissingId' },
    { name: 'an unknown op', control: { 'sluice-op': 'explode', 'sluice-delay': '1' }, disposition: 'poison', code: 'InvalidOp' },
    { name: 'an empty id', control: { 'sluice-id': '', 'sluice-delay': '1' }, disposition: 'poison', code: 'InvalidId' },
    { name: 'a broken version', control: { 'sluice-version': 'v1', 'sluice-delay': '1' }, disposition: 'poison', code: 'InvalidVersion' },
    {
      name: 'a target not allowed',
      control: { 'sluice-target-topic': 'secret', 'sluice-delay': '1' },
      disposition: 'target-not-allowed',
      code: 'TargetNotAllowed',
    },
    {
      name: 'a target of its own',
      control: { 'sluice-target-topic': 'q.tier.8s', 'sluice-delay': '1' },
      disposition: 'target-not-allowed',
      code: 'TargetNotAllowed',
    },
    {
      name: 'a target that is no topic',
      control: { 'sluice-target-topic': 'a b', 'sluice-delay': '1' },
      disposition: 'poison',
      code: 'InvalidTarget',
    },
    {
      name: 'a target that does not exist',
      control: { 'sluice-target-topic': 'absent', 'sluice-delay': '1' },
      disposition: 'target-missing',
      code: 'TargetMissing',
    },
    {
      name: 'a partition that does not exist',
      control: { 'sluice-target-partition': '1', 'sluice-delay': '1' },
      disposition: 'target-missing',
      code: 'TargetPartitionMissing',
    },
    {
      name: 'an expiry before the due time',
      control: { 'sluice-expires-at': '5', 'sluice-delay': '1' },
      disposition: 'expired',
      code: 'ExpiresBeforeDue',
    },
    {
      name: 'an unreadable expiry',
      control: { 'sluice-expires-at': 'x', 'sluice-delay': '1' },
      disposition: 'poison',
      code: 'InvalidExpiresAt',
    },
  ])('should take $name, untouched and with its reason', ({ control, disposition, code }) => {
    const world = new World(aConfig())
    const sent = put(world, 'v', control)
    world.runTo(world.now + 1_000)
    expect(values(world)).toEqual([])
    const [record, ...more] = world.log('q.dlq').committed
    expect(more).toEqual([])
    expect(record?.headers.slice(0, sent.headers.length)).toEqual(sent.headers)
    expect(record?.key).toEqual(sent.key)
    expect(record?.value).toEqual(sent.value)
    expect(textHeader(record!, 'sluice-disposition')).toBe(disposition)
    expect(textHeader(record!, 'sluice-error-code')).toBe(code)
    expect(textHeader(record!, 'sluice-error-message')).toMatch(/\w{3}/)
    expect(textHeader(record!, 'sluice-origin-topic')).toBe('q.in')
    expect(textHeader(record!, 'sluice-origin-offset')).toBe('0')
  })

  test('should take what the target refuses as too large, and deliver its neighbours', () => {
    const world = new World(aConfig())
    put(world, 'x'.repeat(100), { 'sluice-delay': '5', 'sluice-target-topic': 'small' })
    put(world, 'fits', { 'sluice-delay': '5', 'sluice-target-topic': 'small' })
    world.runTo(world.now + 1_000)
    expect(values(world, 'small')).toEqual(['fits'])
    expect(world.log('q.dlq').committed.map(record => textHeader(record, 'sluice-disposition'))).toEqual(['too-large'])
  })

  test('should take what was written to a tier by hand', () => {
    const world = new World(aConfig())
    put(world, 'v', { 'sluice-delay': '5' }, 'q.tier.8s')
    world.runTo(world.now + 20_000)
    expect(world.log('q.dlq').committed.map(record => textHeader(record, 'sluice-error-code'))).toEqual(['NotOurs'])
  })

  test.each([
    { policy: 'DeadLetter' as const, delivered: ['in time'], letters: ['late'] },
    { policy: 'Drop' as const, delivered: ['in time'], letters: [] },
  ])('should treat what an outage made late by policy $policy', ({ policy, delivered, letters }) => {
    const world = new World(aConfig({ late: { policy, afterMs: H } }))
    put(world, 'late', { 'sluice-delay': '5' })
    world.now += H
    put(world, 'in time', { 'sluice-delay': '5' })
    world.now += 10_000
    world.runTo(world.now + 1_000)
    expect(values(world)).toEqual(delivered)
    expect(world.log('q.dlq').committed.map(record => textHeader(record, 'sluice-disposition'))).toEqual(letters)
  })

  test('should take what expired during an outage', () => {
    const world = new World(aConfig())
    put(world, 'v', { 'sluice-delay': '5', 'sluice-expires-at': String(world.now + 10) })
    world.now += 20
    world.runTo(world.now + 1_000)
    expect(world.log('q.dlq').committed.map(record => textHeader(record, 'sluice-error-code'))).toEqual(['Expired'])
  })
})

describe('recovery', () => {
  test('should not commit past what waits in memory, and not deliver twice what was delivered out of order', () => {
    const world = new World(aConfig())
    put(world, 'slow', { 'sluice-delay': '60s' })
    put(world, 'quick', { 'sluice-delay': '1s' })
    world.runTo(world.now + 2_000)
    expect(world.commits.get('q.in')?.offset).toBe(0)
    world.crash()
    world.runTo(world.now + 60_000)
    expect(values(world)).toEqual(['quick', 'slow'])
    expect(world.commits.get('q.in')?.offset).toBe(2)
  })

  test('should commit what moved without work, so that retention never overtakes the position of an idle queue', () => {
    const world = new World(aConfig())
    put(world, 'a', { 'sluice-delay': '1' })
    world.runTo(world.now + 10)
    world.log('q.in').marker()
    world.runTo(world.now + 60_000)
    expect(world.commits.get('q.in')?.offset).toBe(2)
  })

  test('should find its positions in the journal when the group lost its offsets', () => {
    const world = new World(aConfig())
    put(world, 'a', { 'sluice-delay': '1' })
    put(world, 'far', { 'sluice-delay': '500s' })
    put(world, 'near', { 'sluice-delay': '50s' })
    put(world, 'b', { 'sluice-delay': '2' })
    world.runTo(world.now + 1_000)
    world.commits.clear()
    world.crash()
    world.runTo(world.now + 600_000)
    expect(values(world)).toEqual(['a', 'b', 'near', 'far'])
  })

  test('should not know its position when the group lost its offsets and the journal names others only', () => {
    const config = aConfig()
    const started = (journalEnd: number, role?: string, commits: readonly Commit[] = []) => {
      const task = new DelayTask(config, new QueueProtocol(config, 'shop/q', 0), 0)
      const committed = new Map(commits.map(commit => [commit.topic, commit]))
      task.restoreFrom(committed)
      const value = encodeJournal([{ role: role ?? '', watermark: 7, done: [] }])
      const entry = { topic: config.topics.journal, partition: 0, offset: 1, timestampMs: 0, key: null, value, headers: [] }
      if (role !== undefined) task.loadState(entry)
      return task.started(committed, new Map([[config.topics.journal, journalEnd]])).get(config.topics.input)
    }
    expect(started(0)).toBe(0)
    expect(started(5, 'in')).toBe(7)
    expect(started(5)).toBe('unknown')
    expect(started(5, 'tier 8000')).toBe('unknown')
    expect(started(5, undefined, [{ topic: config.topics.input, partition: 0, offset: 3, metadata: '' }])).toBe(3)
  })

  test('should read the journal from where it still matters, and keep the metadata small', () => {
    const world = new World(aConfig())
    for (let second = 0; second < 300; second++) {
      put(world, String(second), { 'sluice-delay': '30s' })
      put(world, String(second), { 'sluice-delay': '10ms' })
      put(world, String(second), { 'sluice-delay': '590s' })
      world.runTo(world.now + 1_000)
    }
    const metadata = world.commits.get('q.in')?.metadata ?? ''
    expect(metadata.length).toBeLessThan(1_000)
    const journalFrom = (JSON.parse(metadata) as { j: number }).j
    const end = world.log('q.journal').stable
    expect(end - journalFrom).toBeLessThan(500)
    expect(journalFrom).toBeLessThan(end)
  })

  test('should hold its sources when memory is short and still deliver all', () => {
    const world = new World(aConfig())
    for (let i = 0; i < 200; i++) put(world, String(i).padStart(1_000, '0'), { 'sluice-delay': '50s' })
    world.read('q.in', 100)
    world.task.pressure(1.2)
    expect(world.task.held.has('q.in')).toBe(true)
    world.runTo(world.now + 50_000)
    world.task.pressure(0.3)
    expect(world.task.held.has('q.in')).toBe(false)
    world.runTo(world.now + 10_000)
    expect(values(world)).toHaveLength(200)
    expect(world.task.bytes).toBe(0)
  })
})
