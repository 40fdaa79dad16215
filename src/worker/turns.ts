import type { Hosted } from './hosted.ts'
import type { TaskFamily } from './task.ts'

/** The tasks of one resource, and how many busy ones come after it: it may take an equal part of what is left, no more. */
export interface Turn {
  readonly tasks: readonly Hosted[]
  readonly rivals: number
}

/**
 * Shares each transaction among the resources of a worker: those that took least last time first, each an equal part of the room that is left, so that
 * what a small one leaves goes to the larger ones, and nobody waits for a flood to pass.
 */
export class Turns {
  #taken: ReadonlyMap<TaskFamily, number> = new Map()
  #turn = 0

  /** Within a resource, and among those that took nothing, another task comes first every time. */
  next(hosted: readonly Hosted[]): readonly Turn[] {
    this.#turn += 1
    const rotated = hosted.map((_, index) => hosted[(this.#turn + index) % hosted.length]).filter(each => each !== undefined)
    // A task that must be alone in its transaction comes when it is first: in plain rotation it will be.
    if (rotated.some(({ alone }) => alone)) return rotated.map(each => ({ tasks: [each], rivals: 0 }))
    const families = new Map<TaskFamily, Hosted[]>()
    for (const each of rotated) {
      const own = families.get(each.family)
      if (own === undefined) families.set(each.family, [each])
      else own.push(each)
    }
    const order = [...families].sort(([a], [b]) => this.#of(a) - this.#of(b))
    const busy = order.filter(([family]) => this.#of(family) > 0).length
    let passed = 0
    return order.map(([family, tasks]) => {
      if (this.#of(family) > 0) passed += 1
      return { tasks, rivals: busy - passed }
    })
  }

  /** What went into the transaction, by resource. */
  took(taken: ReadonlyMap<TaskFamily, number>): void {
    this.#taken = taken
  }

  #of(family: TaskFamily): number {
    return this.#taken.get(family) ?? 0
  }
}
