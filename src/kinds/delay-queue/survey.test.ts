import { describe, expect, test } from '@jest/globals'
import { Random } from '../../../test/support/delay-queue/random.ts'
import { World, aConfig, headers, textHeader } from '../../../test/support/delay-queue/world.ts'
import { Survey, dueAtTheEarliest } from './survey.ts'
import type { Found } from './survey.ts'

const CONFIG = aConfig({ deduplicationMs: 20_000 })

/** What a reader without a worker makes of the topics as they are: origin offsets of what will be delivered. */
function survey(world: World): readonly number[] {
  const looking = new Survey(CONFIG, 0)
  for (const [topic, from] of looking.restoreFrom(world.commits))
    for (const record of world.log(topic).read(from === 'earliest' ? 0 : from, Infinity)) looking.loadState(record)
  const ends = new Map([CONFIG.topics.journal, CONFIG.topics.ids].map(topic => [topic, world.log(topic).stable]))
  const found: Found[] = []
  for (const [topic, from] of looking.started(world.commits, ends))
    for (const record of world.log(topic).read(from, Infinity)) {
      const one = looking.read(record)
      if (one !== undefined) found.push(one)
    }
  const alive = found.filter(one => one.deed === 'deliver' && looking.verdict(one) === 'alive')
  return alive.map(({ originOffset }) => originOffset).sort((a, b) => a - b)
}

const delivered = (world: World): readonly number[] =>
  world.log('due').committed.map(record => Number(textHeader(record, 'sluice-origin-offset')))

function act(world: World, random: Random): void {
  const id = `id-${random.below(12)}`
  const control: Record<string, string> = random.chance(0.15)
    ? { 'sluice-op': 'cancel', 'sluice-id': id }
    : {
        'sluice-delay': String(random.below(200_000)),
        ...(random.chance(0.7) && { 'sluice-id': id }),
        ...(random.chance(0.3) && { 'sluice-version': String(random.below(5)) }),
      }
  world.write('q.in', headers(control), { key: Buffer.from('k') })
}

describe('a survey', () => {
  test.each(Array.from({ length: 20 }, (_, seed) => seed + 1))('should find exactly what will be delivered, seed %i', seed => {
    const random = new Random(seed)
    const world = new World(CONFIG)
    const fates = ['commit', 'commit', 'commit', 'abort', 'crash before commit', 'crash after commit'] as const
    for (let i = 0; i < 60; i++) {
      for (let n = random.below(4); n > 0; n--) act(world, random)
      if (random.chance(0.2)) world.log('q.in').marker()
      world.runTo(world.now + random.below(8_000), () => random.pick(fates))
    }
    // Written and not read so far, a cancel among it.
    for (let n = 0; n < 10; n++) act(world, random)
    const expected = survey(world)
    const before = delivered(world).length
    world.runTo(world.now + 700_000)
    expect(expected.length).toBeGreaterThan(5)
    expect(
      delivered(world)
        .slice(before)
        .toSorted((a, b) => a - b),
    ).toEqual(expected)
  })

  test('should tell what is remembered of an id', () => {
    const world = new World(CONFIG)
    world.write('q.in', headers({ 'sluice-op': 'cancel', 'sluice-id': 'x' }))
    world.runTo(world.now)
    const looking = new Survey(CONFIG, 0)
    for (const [topic] of looking.restoreFrom(world.commits)) for (const record of world.log(topic).committed) looking.loadState(record)
    expect(looking.remembered('x')).toEqual({ cancelledBelow: 0, version: 0 })
    expect(looking.remembered('y')).toBeUndefined()
  })

  test('should know from when on a tier cannot hold what is due soon', () => {
    const world = new World(CONFIG)
    for (let i = 0; i < 50; i++) world.write('q.in', headers({ 'sluice-delay': String(70_000 + i * 10_000) }))
    world.runTo(world.now + 60_000)
    const looking = new Survey(CONFIG, 0)
    let tiered = 0
    for (const source of looking.sources.filter(({ type }) => type === 'tier'))
      for (const record of world.log(source.topic).committed) {
        const found = looking.read(record)
        if (found === undefined) continue
        tiered++
        expect(found.dueMs).toBeGreaterThanOrEqual(dueAtTheEarliest(source, record.timestampMs))
      }
    expect(tiered).toBeGreaterThan(10)
  })
})
