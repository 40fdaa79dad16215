import type { Hosted } from './hosted.ts'
import type { TaskFamily } from './task.ts'

/** Below this ratio tasks need not be told. */
const AT_EASE = 0.5

/**
 * Shares one budget among all tasks: above it they hold their sources, nothing is dropped. A resource is told of the pressure only as far as it is above its
 * fair share: the one that is flooded holds first, and the others of its pool read on.
 */
export class Memory {
  readonly #budgetBytes: number
  readonly #tasks: () => readonly Hosted[]
  #told = 0

  constructor(budgetBytes: number, tasks: () => readonly Hosted[]) {
    this.#budgetBytes = budgetBytes
    this.#tasks = tasks
  }

  /** True when tasks were told of a change: what they hold may differ now. */
  balance(): boolean {
    const held = new Map<TaskFamily, number>()
    for (const { family, task } of this.#tasks()) held.set(family, (held.get(family) ?? 0) + task.bytes)
    const ratio = sum(held.values()) / this.#budgetBytes
    if (ratio < AT_EASE && this.#told < AT_EASE) return false
    this.#told = ratio
    const pressure = pressures(held, this.#budgetBytes)
    for (const { active, family, task } of this.#tasks()) if (active) task.pressure(pressure.get(family) ?? ratio)
    return true
  }
}

/** Resident memory of a worker besides its records: Node, its code, the Kafka client and what is on its way. */
const BESIDES_BYTES = 192 * 2 ** 20
/** Of a record, with its share of the garbage that is not collected yet. */
const RESIDENT_PER_BYTE = 1.5
/** With less nothing would move. */
const LEAST_BUDGET_BYTES = 16 * 2 ** 20

/** The budget that a worker is given, less where the limit of its container leaves less room: reading on would end it. @param limitBytes undefined: none */
export function budgetWithin(budgetBytes: number, limitBytes: number | undefined): number {
  if (limitBytes === undefined) return budgetBytes
  const roomBytes = Math.max(LEAST_BUDGET_BYTES, (limitBytes - BESIDES_BYTES) / RESIDENT_PER_BYTE)
  return Math.min(budgetBytes, Math.floor(roomBytes))
}

/** What each is told: the pressure of the whole, or how full its own equal share of the budget is, whichever is less. */
export function pressures<Family>(held: ReadonlyMap<Family, number>, budgetBytes: number): ReadonlyMap<Family, number> {
  const whole = sum(held.values()) / budgetBytes
  const share = budgetBytes / Math.max(1, held.size)
  return new Map([...held].map(([family, bytes]) => [family, Math.min(whole, bytes / share)]))
}

const sum = (values: Iterable<number>): number => {
  let total = 0
  for (const value of values) total += value
  return total
}
