import { describe, expect, test } from '@jest/globals'
import { PartitionLog } from '../../../test/support/delay-queue/partition-log.ts'
import { World, aConfig, headers } from '../../../test/support/delay-queue/world.ts'
import type { LogRecord } from '../../worker/task.ts'

const put = (world: World, value: string | Buffer, control: Readonly<Record<string, string>>, topic = 'q.in'): LogRecord =>
  world.write(topic, headers(control), { value: Buffer.from(value) })
const readAll = (world: World, most = 1_000): void => {
  for (const topic of world.sources) world.read(topic, most)
}

describe('memory', () => {
  test('should read its input on under pressure whatever waits for a fixed delay: that leaves only with time', () => {
    const world = new World(aConfig({ topics: { ...aConfig().topics, fixed: [{ topic: 'q.fixed.1d', delayMs: 86_400_000 }] } }))
    for (let i = 0; i < 200; i++) put(world, 'x'.repeat(2_000), {}, 'q.fixed.1d')
    readAll(world)
    world.task.pressure(2)
    put(world, 'now', { 'sluice-delay': '1' })
    world.runTo(world.now + 10)
    expect(world.log('due').committed.map(({ value }) => value?.toString())).toEqual(['now'])
  })

  test('should leave the backlog of its tiers in the log when memory is short, and deliver all of it in the end', () => {
    const world = new World(aConfig({ maxFireRate: 100 }))
    const start = world.now
    for (let i = 0; i < 3_000; i++) put(world, 'x'.repeat(1_000), { 'sluice-delay': '300s' })
    world.runTo(start + 100)
    world.crash()
    world.now = start + 1_000_000 // an outage: all are due, and only 100 a second may go
    let mostBytes = 0
    for (let turn = 0; turn < 800; turn++) {
      world.task.pressure(world.task.bytes / 300_000)
      readAll(world, 100)
      mostBytes = Math.max(mostBytes, world.task.bytes)
      while (world.transact('commit')) continue
      world.now += 50
    }
    expect(mostBytes).toBeLessThan(1_500_000)
    expect(world.log('due').committed).toHaveLength(3_000)
  })

  test('should not put more into one transaction than can be sent before it times out', () => {
    const world = new World(aConfig())
    for (let i = 0; i < 60; i++) put(world, Buffer.alloc(1_000_000), { 'sluice-delay': i % 2 === 0 ? '1' : '300s' })
    put(world, 'bad', {})
    readAll(world)
    world.now += 1_000
    readAll(world)
    const sizeOf = (records: readonly { readonly value: Buffer | null }[]): number =>
      records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
    const proposal = world.task.propose(world.now, 1_000, world.routing)
    expect(sizeOf(proposal?.outputs ?? [])).toBeGreaterThan(1_000_000)
    expect(sizeOf(proposal?.outputs ?? [])).toBeLessThan(20_000_000)
    world.runTo(world.now + 1_000)
    expect(world.log('due').committed).toHaveLength(30)
  })
})

describe('waking', () => {
  test('should not ask to be woken for what was to move to a tier and is near by now', () => {
    const world = new World(aConfig())
    put(world, 'v', { 'sluice-delay': '70s' })
    readAll(world)
    world.now += 20_000 // no transaction passed
    readAll(world)
    expect(world.task.propose(world.now, 500, world.routing)).toBeUndefined()
    expect(world.task.wakeAt()).toBeGreaterThan(world.now)
  })

  test('should go on at its rate after the clock was set back', () => {
    const world = new World(aConfig({ maxFireRate: 10 }))
    for (let i = 0; i < 5; i++) put(world, 'v', { 'sluice-deliver-at': '1000' })
    readAll(world)
    world.transact('commit')
    expect(world.log('due').committed).toHaveLength(1)
    world.now -= 3_600_000
    for (let turn = 0; turn < 10; turn++) {
      world.now += 100
      world.transact('commit')
    }
    expect(world.log('due').committed).toHaveLength(5)
  })

  test('should try again soon what its own topics refused, also when the clock was set back', () => {
    const world = new World(aConfig())
    put(world, 'v', { 'sluice-delay': '1' })
    readAll(world)
    world.now += 10
    readAll(world)
    const proposal = world.task.propose(world.now, 500, world.routing)
    const journal = proposal?.outputs.find(({ topic }) => topic === 'q.journal')
    world.task.rejected(journal!, 'AuthorizationFailed', 'no')
    expect(world.task.propose(world.now + 1_000, 500, world.routing)).toBeUndefined()
    put(world, 'past', { 'sluice-deliver-at': '1000' })
    world.now -= 3_600_000
    readAll(world)
    world.task.propose(world.now, 500, world.routing)
    world.now += 6_000
    expect(world.task.propose(world.now, 500, world.routing)?.outputs.map(({ topic }) => topic)).toContain('due')
  })
})

test('should forget of the journal what the positions in it have passed, however much of it must be read', () => {
  const world = new World(aConfig())
  for (let i = 0; i < 3; i++) {
    put(world, `slow ${i}`, { 'sluice-delay': '20s' })
    put(world, `quick ${i}`, { 'sluice-delay': '1s' })
    world.runTo(world.now + 30_000)
  }
  // Someone moved the group back to the start: to have all of it again.
  world.commits.set('q.in', { topic: 'q.in', partition: 0, offset: 0, metadata: '' })
  world.crash()
  world.runTo(world.now + 1_000)
  expect(world.log('due').committed).toHaveLength(12)
})

test('should not take the records of a topic that was made again for those that the journal calls done', () => {
  const world = new World(aConfig())
  put(world, 'first', { 'sluice-delay': '1s' })
  put(world, 'slow', { 'sluice-delay': '300s' })
  world.runTo(world.now + 2_000)
  put(world, 'slow', { 'sluice-delay': '60s' })
  for (let i = 0; i < 30; i++) put(world, 'old', { 'sluice-delay': '1s' })
  world.runTo(world.now + 2_000)

  world.logs.set('q.in', new PartitionLog('q.in'))
  world.commits.set('q.in', { topic: 'q.in', partition: 0, offset: 0, metadata: '' })
  for (let i = 0; i < 20; i++) put(world, 'new', { 'sluice-delay': '1s' })
  put(world, 'new slow', { 'sluice-delay': '60s' })
  for (let i = 0; i < 20; i++) put(world, 'new', { 'sluice-delay': '10s' })
  world.crash()
  world.runTo(world.now + 2_000)
  // Not only at the first restart: the journal still has the old records.
  world.crash()
  world.runTo(world.now + 20_000)
  expect(world.log('due').committed.filter(({ value }) => value?.toString() === 'new')).toHaveLength(40)
})

describe('a change of maxDelay', () => {
  const within = (maxDelayMs: number) => aConfig({ maxDelayMs })
  const delivered = (world: World): readonly (string | undefined)[] => world.log('due').committed.map(({ value }) => value?.toString())
  const letters = (world: World): readonly (string | undefined)[] => world.log('q.dlq').committed.map(({ value }) => value?.toString())

  test('should judge what was read before a lower limit by the limit of then, and what comes after it by the new one', () => {
    const world = new World(within(600_000))
    const start = world.now
    put(world, 'near', { 'sluice-delay': '60s' })
    put(world, 'far', { 'sluice-delay': '500s' })
    world.runTo(start + 5_000)
    world.reconfigure(within(30_000))
    put(world, 'too far by now', { 'sluice-delay': '31s' })
    put(world, 'within', { 'sluice-delay': '20s' })
    world.runTo(start + 10_000)
    world.crash() // the note of then must outlive the next commits
    world.runTo(start + 600_000)
    expect(delivered(world)).toEqual(['within', 'near', 'far'])
    expect(letters(world)).toEqual(['too far by now'])
  })

  test('should note within a second what it has read, though nothing of it is to be written yet', () => {
    const world = new World(within(600_000))
    put(world, 'near', { 'sluice-delay': '50s' })
    world.runTo(world.now + 1_100)
    world.reconfigure(within(10_000))
    world.runTo(world.now + 60_000)
    expect(delivered(world)).toEqual(['near'])
    // Once, and not again and again while it waits.
    expect(world.passed.length).toBeLessThan(5)
  })

  test('should keep what waits through one change after the other, up and down, with a note of bounded size', () => {
    const world = new World(within(600_000))
    const start = world.now
    const names: string[] = []
    for (let turn = 0; turn < 30; turn++) {
      const maxDelayMs = turn % 3 === 0 ? 200_000 - turn : 300_000 - 1_000 * turn
      const name = `${turn}`
      names.push(name)
      world.reconfigure(within(maxDelayMs))
      put(world, name, { 'sluice-delay': String(maxDelayMs - 1) })
      world.runTo(world.now + 1_100)
    }
    expect((world.commits.get('q.in')?.metadata ?? '').length).toBeLessThan(600)
    world.runTo(start + 700_000)
    expect(delivered(world).toSorted()).toEqual(names.toSorted())
    expect(letters(world)).toEqual([])
    world.runTo(world.now + 60_000)
    expect(JSON.parse(world.commits.get('q.in')?.metadata ?? '')).not.toHaveProperty('l')
  })
})
