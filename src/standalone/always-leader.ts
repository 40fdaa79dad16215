import type { Election } from '../operator/ports.ts'

/** One process, one folder: there is nobody to compete with. */
export class AlwaysLeader implements Election {
  #leading = false

  async run(signal: AbortSignal, lead: (leading: AbortSignal) => Promise<void>): Promise<void> {
    this.#leading = true
    try {
      await lead(signal)
    } finally {
      this.#leading = false
    }
  }

  isLeader(): boolean {
    return this.#leading
  }
}
