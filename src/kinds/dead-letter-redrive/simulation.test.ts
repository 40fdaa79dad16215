import { expect, test } from '@jest/globals'
import { RedriveWorld, aRedriveConfig, values } from '../../../test/support/dead-letter-redrive.ts'
import { Random } from '../../../test/support/delay-queue/random.ts'
import type { Fate } from '../../../test/support/delay-queue/world.ts'

/** SLUICE_SEED=n runs one seed only; SLUICE_SEEDS=n runs that many instead of a few. */
const only = process.env.SLUICE_SEED
const count = Number(process.env.SLUICE_SEEDS ?? 60)
const seeds = only === undefined ? Array.from({ length: count }, (_, seed) => seed) : [Number(only)]

const SELECTS = [{ all: true }, { fingerprint: 'f1' }, { header: { name: 'even' } }] as const

/** Some redrives over one topic of dead letters, each interrupted by the next, with crashes before and after commits, aborts and zombies. */
function simulate(seed: number): { readonly world: RedriveWorld; readonly restarts: number } {
  const random = new Random(seed)
  let world = new RedriveWorld(aRedriveConfig({ run: 'none', select: { partitions: [] } }))
  const die = (): void => {
    for (let i = random.below(120); i > 0; i--) {
      const id = world.end
      world.die(`${seed}:${id}`, { 'sluice-error-fingerprint': `f${id % 3}`, ...(id % 2 === 0 ? { even: 'yes' } : {}) })
      if (random.chance(0.2)) world.log('p.dlq').marker()
    }
  }
  const fate = (): Fate => (random.chance(0.6) ? 'commit' : random.pick(['abort', 'crash before commit', 'crash after commit'] as const))
  const wanted = new Set<string>()
  const configs = Array.from({ length: 4 }, (_, i) => i)
  let restarts = 0
  for (const i of configs) {
    die()
    const select = SELECTS[random.below(SELECTS.length)]!
    const bounds: [number, number][] = [[0, world.end]]
    const rate = random.chance(0.3) ? { ratePerSecond: 500 } : {}
    const limited = random.chance(0.3) ? { maxMessages: 1 + random.below(40) } : {}
    world = new RedriveWorld(aRedriveConfig({ run: `run-${i}`, bounds, select, ...rate, ...limited }), world)
    const before = world.log('p.redelivery').committed.length
    const zombie = world.task
    if (random.chance(0.3)) {
      // Half done, then another redrive of all of it, then this one again.
      for (let turn = 0; turn < 3; turn++) {
        world.read('p.dlq', 30)
        world.transact(fate(), 10)
        world.now += 20
      }
      const other = new RedriveWorld(aRedriveConfig({ run: `between-${i}`, bounds, select: { fingerprint: 'f2' } }), world)
      other.finish(fate, 1 + random.below(20))
      restarts += other.restarts
      world = new RedriveWorld(world.config, other)
    }
    if (random.chance(0.3)) world.zombie(zombie)
    world.finish(fate, 1 + random.below(40))
    restarts += world.restarts
    if (world.progress === undefined) continue
    const { matched, sent, handled, parked, failed } = world.progress
    if (limited.maxMessages === undefined) expect(sent + handled + parked + failed).toBe(matched)
    else expect(sent).toBeLessThanOrEqual(limited.maxMessages)
    expect(world.log('p.redelivery').committed.length).toBeGreaterThanOrEqual(before)
    if (limited.maxMessages === undefined)
      for (const record of world.log('p.dlq').committed)
        if (record.offset < bounds[0]![1] && selects(select, record)) wanted.add(record.value!.toString())
  }
  const moved = values(world.log('p.redelivery').committed)
  expect(moved.length).toBe(new Set(moved).size)
  for (const value of wanted) expect(moved).toContain(value)
  return { world, restarts }
}

const selects = (select: (typeof SELECTS)[number], { headers }: { readonly headers: readonly (readonly [string, unknown])[] }): boolean =>
  'all' in select ||
  ('fingerprint' in select
    ? headers.some(([name, value]) => name === 'sluice-error-fingerprint' && String(value) === select.fingerprint)
    : headers.some(([name]) => name === 'even'))

test('should move every selected dead letter once, whatever crashes and whichever redrives overlap', () => {
  let restarts = 0
  let moved = 0
  for (const seed of seeds) {
    const end = simulate(seed)
    restarts += end.restarts
    moved += end.world.log('p.redelivery').committed.length
  }
  // The seeds must have done something to it.
  expect(restarts / seeds.length).toBeGreaterThan(3)
  expect(moved / seeds.length).toBeGreaterThan(50)
})
