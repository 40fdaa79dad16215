import type { Hosted } from './hosted.ts'

/** Below this ratio tasks need not be told. */
const AT_EASE = 0.5

/** Shares one budget among all tasks: above it they hold their sources, nothing is dropped. */
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
    let bytes = 0
    for (const { task } of this.#tasks()) bytes += task.bytes
    const ratio = bytes / this.#budgetBytes
    if (ratio < AT_EASE && this.#told < AT_EASE) return false
    this.#told = ratio
    for (const { active, task } of this.#tasks()) if (active) task.pressure(ratio)
    return true
  }
}
