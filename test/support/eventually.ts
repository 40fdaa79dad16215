import { setTimeout as pause } from 'node:timers/promises'

/** Asks until the answer is neither undefined nor false, and gives it back; fails with what was awaited after `withinMs`. */
export async function eventually<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = 30_000,
): Promise<T> {
  const deadlineMs = performance.now() + withinMs
  let lastError: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== false) return answer
      lastError = undefined
    } catch (error) {
      lastError = error
    }
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${withinMs} ms`, { cause: lastError })
    await pause(50)
  }
}
