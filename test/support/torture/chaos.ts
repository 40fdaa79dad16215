import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '../delay-queue/random.ts'
import type { Faults } from './faults.ts'

/** Long enough for a take-over and what was due meanwhile. */
const MEASURED_QUIET_MS = 15_000
const LONGEST_GAP_MS = 9_000

/** One fault after the other until the time is over; the seed decides which, on whom and when. */
export async function chaos(faults: Faults, random: Random, untilMs: number): Promise<void> {
  while (Date.now() < untilMs) {
    await one(faults, random)
    await pause(Math.max(0, Math.min(random.below(LONGEST_GAP_MS), untilMs - Date.now())))
  }
}

const seconds = (random: Random, from: number, to: number): number => Math.round(1000 * (from + random.next() * (to - from)))

async function one(faults: Faults, random: Random): Promise<void> {
  const dice = random.next()
  if (dice < 0.36) await faults.kill()
  else if (dice < 0.46) await faults.killMeasured(MEASURED_QUIET_MS)
  else if (dice < 0.6) faults.stop(seconds(random, 5, 60))
  else if (dice < 0.66) await faults.restartBroker()
  else if (dice < 0.72) await faults.killBroker(seconds(random, 0, 4))
  else if (dice < 0.8) faults.cut(random.pick([0.3, 0.6, 1]))
  else if (dice < 0.86) await faults.stall(random.pick([0.2, 0.5, 1]), seconds(random, 1, 20))
  else if (dice < 0.9) await faults.block(seconds(random, 0.5, 10))
  else await faults.scale(1 + random.below(4))
}
