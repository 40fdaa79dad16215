import { describe, expect, test } from '@jest/globals'
import { World, aConfig, headers } from '../../../test/support/delay-queue/world.ts'
import { queries } from './queries.ts'

interface Page {
  readonly messages: readonly { readonly id?: string; readonly due: string; readonly state?: string; readonly keyHash?: string }[]
  readonly continue?: string
  readonly state?: string
  readonly problem?: string
  readonly remembered?: readonly unknown[]
}

const put = (world: World, control: Readonly<Record<string, string>>): void => {
  world.write('q.in', headers(control), { key: Buffer.from('k'), value: Buffer.from('secret') })
}
const schedule = (world: World, id: string, delay: string): void => {
  put(world, { 'sluice-id': id, 'sluice-delay': delay })
}
const ask = (world: World, question: 'stats' | 'pending', query = ''): Page =>
  queries[question]?.([{ partition: 0, task: world.task }], new URLSearchParams(query), world.now) as Page
const ids = ({ messages }: Page) => messages.map(({ id }) => id)

/** Reads and moves what there is, without letting time pass. */
const settle = (world: World): World => {
  world.runTo(world.now)
  return world
}

describe('/pending', () => {
  test('should list what waits in memory by due time, without keys and payloads, page by page', () => {
    const world = new World(aConfig())
    for (const [id, delay] of [
      ['d', '40s'],
      ['a', '10s'],
      ['far', '300s'],
      ['c', '30s'],
      ['b', '20s'],
    ] as const)
      schedule(world, id, delay)
    settle(world)
    const first = ask(world, 'pending', 'limit=3')
    expect(ids(first)).toEqual(['a', 'b', 'c'])
    expect(first.messages[0]).toMatchObject({ due: new Date(world.now + 10_000).toISOString(), keyHash: expect.stringMatching(/^\w{12}$/) })
    expect(JSON.stringify(first)).not.toContain('secret')
    const rest = ask(world, 'pending', `limit=3&continue=${first.continue ?? ''}`)
    expect(ids(rest)).toEqual(['d'])
    expect(rest.continue).toBeUndefined()
  })

  test('should keep to a window of due times', () => {
    const world = new World(aConfig())
    for (const seconds of [10, 20, 30]) schedule(world, String(seconds), `${seconds}s`)
    settle(world)
    expect(ids(ask(world, 'pending', `from=${world.now + 15_000}&to=${world.now + 25_000}`))).toEqual(['20'])
  })

  test.each(['limit=0', 'limit=x', 'from=yesterday', 'continue=1-2'])('should say what is wrong with %s', query => {
    expect(ask(settle(new World(aConfig())), 'pending', query).problem).toEqual(expect.any(String))
  })

  test('should know of an id whether it waits, was cancelled, or is not in memory', () => {
    const world = new World(aConfig())
    for (const id of ['near', 'gone']) schedule(world, id, '30s')
    schedule(world, 'tiered', '70s')
    settle(world)
    put(world, { 'sluice-op': 'cancel', 'sluice-id': 'gone' })
    settle(world)
    expect(ask(world, 'pending', 'id=near')).toMatchObject({ state: 'waiting', messages: [{ state: 'waiting', id: 'near' }] })
    expect(ask(world, 'pending', 'id=gone')).toMatchObject({ state: 'cancelled', messages: [], remembered: [{ cancelledBelow: 3 }] })
    expect(ask(world, 'pending', 'id=tiered')).toMatchObject({ state: 'inTier', messages: [{ state: 'inTier' }] })
    expect(ask(world, 'pending', 'id=never')).toMatchObject({ state: 'unknown', messages: [], remembered: [] })
  })

  test('should change nothing by asking: an unmatched cancel is still counted as one', () => {
    const world = new World(aConfig())
    schedule(world, 'x', '300s')
    settle(world)
    const before = JSON.stringify([...world.logs].map(([, log]) => log.stable))
    ask(world, 'pending', 'id=x')
    ask(world, 'stats')
    settle(world)
    expect(JSON.stringify([...world.logs].map(([, log]) => log.stable))).toBe(before)
  })
})

describe('/stats', () => {
  test('should count by horizon, and what is overdue', () => {
    const world = new World(aConfig())
    schedule(world, 'a', '10s')
    schedule(world, 'b', '20s')
    schedule(world, 'far', '300s')
    world.write('q.fixed.30s', [], {})
    settle(world)
    expect(ask(world, 'stats')).toMatchObject({
      near: 3,
      inTiers: 1,
      overdue: 0,
      tasks: [{ partition: 0, fixed: [{ delay: '30s', readAhead: 1 }], nextDue: new Date(world.now + 10_000).toISOString() }],
    })
    world.now += 12_000
    expect(ask(world, 'stats')).toMatchObject({ overdue: 1, oldestOverdueMs: 2_000 })
  })
})
