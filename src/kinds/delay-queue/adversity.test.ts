import { describe, expect, test } from '@jest/globals'
import { World, aConfig, headers, textHeader } from '../../../test/support/delay-queue/world.ts'
import type { LogRecord } from '../../worker/task.ts'
import { METRIC } from './metrics.ts'

const put = (world: World, value: string, control: Readonly<Record<string, string>>, topic = 'q.in'): LogRecord =>
  world.write(topic, headers(control), { key: Buffer.from('k'), value: Buffer.from(value) })
const values = (world: World, topic = 'due'): readonly (string | undefined)[] =>
  world.log(topic).committed.map(({ value }) => value?.toString())
const codes = (world: World): readonly (string | undefined)[] =>
  world.log('q.dlq').committed.map(record => textHeader(record, 'sluice-error-code'))

describe('ids that race', () => {
  test('should cancel what was appended before the cancel, and deliver what was appended after it', () => {
    const world = new World(aConfig())
    put(world, 'before', { 'sluice-delay': '5s', 'sluice-id': 'x' })
    put(world, '', { 'sluice-op': 'cancel', 'sluice-id': 'x' })
    put(world, 'after', { 'sluice-delay': '5s', 'sluice-id': 'x' })
    world.runTo(world.now + 10_000)
    expect(values(world)).toEqual(['after'])
  })

  test('should keep a cancel that comes first from ending what comes later, through a crash between the two', () => {
    const world = new World(aConfig())
    put(world, '', { 'sluice-op': 'cancel', 'sluice-id': 'x' })
    world.runTo(world.now + 1_000)
    world.crash()
    put(world, 'late comer', { 'sluice-delay': '5s', 'sluice-id': 'x' })
    world.runTo(world.now + 10_000)
    expect(values(world)).toEqual(['late comer'])
  })

  test('should take a reschedule that arrives first for the message, and what it replaces for superseded', () => {
    const world = new World(aConfig())
    put(world, 'second', { 'sluice-delay': '20s', 'sluice-id': 'x', 'sluice-version': '2' })
    put(world, 'first', { 'sluice-delay': '5s', 'sluice-id': 'x', 'sluice-version': '1' })
    world.runTo(world.now + 30_000)
    expect(values(world)).toEqual(['second'])
    expect(world.total(METRIC.superseded)).toBe(1)
  })

  test('should count a cancel for an id that nobody ever used, once it can meet nothing any more', () => {
    const world = new World(aConfig())
    put(world, '', { 'sluice-op': 'cancel', 'sluice-id': 'never seen' })
    world.runTo(world.now + 1_500_000)
    put(world, 'tick', { 'sluice-delay': '1' })
    world.runTo(world.now + 1_000)
    expect(world.total(METRIC.cancelsUnmatched)).toBe(1)
    expect(codes(world)).toEqual([])
  })

  test.each(['schedule', 'cancel', 'fire'])('should make a dead letter of a %s with an id of 10 kB, and keep nothing of it', op => {
    const world = new World(aConfig())
    put(world, 'v', { 'sluice-op': op, 'sluice-delay': '5s', 'sluice-id': 'x'.repeat(10_240) })
    world.runTo(world.now + 10_000)
    expect(codes(world)).toEqual(['InvalidId'])
    expect(values(world)).toEqual([])
    expect(world.log('q.ids').committed).toEqual([])
    expect(world.task.bytes).toBe(0)
  })
})

describe('clocks', () => {
  test.each([2_000, -2_000])('should deliver each message once, and none before its time, when the clock steps by %i ms', stepMs => {
    const world = new World(aConfig())
    for (let i = 0; i < 20; i++) {
      put(world, `${i}`, { 'sluice-delay': String(100 * i) })
      if (i === 10) world.now += stepMs
      world.runTo(world.now + 50)
    }
    world.runTo(world.now + 10_000)
    expect(values(world).toSorted()).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`).toSorted())
    for (const record of world.log('due').committed)
      expect(Number(textHeader(record, 'sluice-fired-at'))).toBeGreaterThanOrEqual(Number(textHeader(record, 'sluice-scheduled-for')))
  })

  test('should take an instant that a step has put into the past for due at once, not for a negative delay', () => {
    const world = new World(aConfig())
    const at = world.now + 1_000
    world.now += 2_000
    put(world, 'v', { 'sluice-deliver-at': String(at) })
    world.runTo(world.now)
    expect(values(world)).toEqual(['v'])
    expect(codes(world)).toEqual([])
  })

  test('should not believe a record from the future that everything before it was read: the topic may have lost LogAppendTime', () => {
    const world = new World(aConfig())
    put(world, 'cancelled', { 'sluice-delay': '20s', 'sluice-id': 'x' })
    const headersOfTomorrow = headers({ 'sluice-delay': '1' })
    world.log('q.in').append(world.now + 86_400_000, null, Buffer.from('tomorrow'), headersOfTomorrow, 'committed')
    put(world, '', { 'sluice-op': 'cancel', 'sluice-id': 'x' })
    for (const topic of world.sources) if (topic !== 'q.in') world.read(topic, 10)
    world.read('q.in', 2)
    world.now += 30_000
    for (const topic of world.sources) if (topic !== 'q.in') world.read(topic, 10)
    while (world.transact('commit')) continue
    expect(values(world)).toEqual([])
    world.runTo(world.now + 1_000)
    expect(values(world)).toEqual([])
    expect(world.total(METRIC.cancelled)).toBe(1)
  })
})

describe('targets that change while messages wait', () => {
  test('should make dead letters of those for a topic that was deleted, and deliver the others', () => {
    const world = new World(aConfig())
    put(world, 'gone', { 'sluice-delay': '300s', 'sluice-target-topic': 'other' })
    put(world, 'stays', { 'sluice-delay': '300s' })
    world.runTo(world.now + 1_000)
    Object.assign(world.routing, { partitions: (topic: string) => (topic === 'other' ? 'missing' : 1) })
    world.runTo(world.now + 310_000)
    expect(values(world)).toEqual(['stays'])
    expect(codes(world)).toEqual(['TargetMissing'])
  })

  test('should make dead letters of those whose target may not be written any more', () => {
    const world = new World(aConfig())
    put(world, 'v', { 'sluice-delay': '1' })
    world.read('q.in', 10)
    world.now += 10
    for (const topic of world.sources) world.read(topic, 10)
    const proposal = world.task.propose(world.now, 500, world.routing)
    const output = proposal?.outputs.find(({ topic }) => topic === 'due')
    world.task.rejected(output!, 'AuthorizationFailed', 'not authorized')
    world.runTo(world.now + 1_000)
    expect(values(world)).toEqual([])
    expect(world.log('q.dlq').committed.map(record => textHeader(record, 'sluice-disposition'))).toEqual(['target-not-allowed'])
  })
})
