import { Refused } from './ports.ts'

/** At most so many at once; who comes later waits in line, and the line is short. */
export class Turns {
  readonly #most: number
  readonly #longestLine: number
  readonly #line: (() => void)[] = []
  #running = 0

  constructor(most: number, longestLine: number) {
    this.#most = most
    this.#longestLine = longestLine
  }

  /** @throws Refused when the line is full; the reason of the signal when it aborts while waiting */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#most) await this.#wait(signal)
    else this.#running++
    try {
      signal.throwIfAborted()
      return await work()
    } finally {
      // The turn goes to the next in line, so that nobody overtakes.
      const next = this.#line.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }

  async #wait(signal: AbortSignal): Promise<void> {
    if (this.#line.length >= this.#longestLine) throw new Refused(429, 'too many searches run at once: try again when one has ended')
    const { promise, resolve, reject } = Promise.withResolvers<undefined>()
    const turn = (): void => {
      signal.removeEventListener('abort', leave)
      resolve(undefined)
    }
    const leave = (): void => {
      this.#line.splice(this.#line.indexOf(turn), 1)
      reject(signal.reason as Error)
    }
    this.#line.push(turn)
    signal.addEventListener('abort', leave, { once: true })
    await promise
  }
}
