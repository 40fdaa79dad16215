import { expect, test } from '@jest/globals'
import { simulate } from '../../../test/support/delay-queue/simulation.ts'

/** SLUICE_SEED=n runs one seed only; SLUICE_SEEDS=n runs that many instead of a few. */
const only = process.env.SLUICE_SEED
const count = Number(process.env.SLUICE_SEEDS ?? 60)
const seeds = only === undefined ? Array.from({ length: count }, (_, seed) => seed) : [Number(only)]

test.each([
  { name: 'plain', config: {} },
  { name: 'deduplicating', config: { deduplicationMs: 30_000 } },
  { name: 'paced', config: { maxFireRate: 20 } },
  { name: 'late to the dead letters', config: { late: { policy: 'DeadLetter' as const, afterMs: 60_000 } } },
])('should end every message once, never early, in order, through crashes, aborts and zombies: $name', ({ config }) => {
  let restarts = 0
  let delivered = 0
  for (const seed of seeds) {
    const { world } = simulate(seed, { steps: 700, config })
    restarts += world.restarts
    delivered += world.log('due').committed.length
  }
  // The seeds must have done something to it.
  expect(restarts / seeds.length).toBeGreaterThan(5)
  expect(delivered / seeds.length).toBeGreaterThan(15)
})

test('should lose and repeat nothing while memory is short', () => {
  for (const seed of seeds) expect(simulate(seed, { steps: 700, pressure: true }).sent.length).toBeGreaterThan(100)
})
