import { expect, test } from '@jest/globals'
import { simulate } from '../simulation/simulate.ts'
import { KINDS } from '../simulation/subject.ts'

/** A few of the seeds that `make simulate` runs by the thousand. */
const SEEDS = 200

test('should keep the promises of queues, pipelines and redrives through whatever happens to workers, clocks, network and brokers', async () => {
  let starts = 0
  let messages = 0
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const outcome = await simulate(seed)
    starts += outcome.starts
    messages += outcome.messages
    if (outcome.failure !== undefined)
      throw new Error(`${outcome.failure.message}\n${outcome.failure.trace}\nmake simulate KIND=${outcome.kind} SEED=${seed}`)
  }
  // The seeds must have done something.
  expect(starts / SEEDS).toBeGreaterThan(4)
  expect(messages / SEEDS).toBeGreaterThan(20)
}, 120_000)

test('should run the same world twice from one seed, whatever it is about', async () => {
  for (const kind of KINDS) {
    const { events, virtualMs, messages } = await simulate(7, kind)
    expect(await simulate(7, kind)).toMatchObject({ events, virtualMs, messages })
  }
})
