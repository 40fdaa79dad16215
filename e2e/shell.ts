import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const started = Date.now()

/** Runs a program; answers its output, rejects with everything it said. */
export async function sh(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  try {
    return (await run(program, args, { env: { ...process.env, ...env }, maxBuffer: 64 * 2 ** 20 })).stdout
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${program} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error })
  }
}

/** Tells what happens now, with the seconds since the start. */
export function say(text: string): void {
  console.log(`${((Date.now() - started) / 1_000).toFixed(1).padStart(6)} s  ${text}`)
}

/** Asks again until the answer is there; rejects with the last failure after the deadline. */
export async function eventually<T>(what: string, deadlineMs: number, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + deadlineMs
  let last: unknown
  while (Date.now() < deadline) {
    try {
      const answer = await ask()
      if (answer !== undefined) return answer
    } catch (error) {
      last = error
    }
    await new Promise(resolve => setTimeout(resolve, 250))
  }
  throw new Error(`gave up after ${deadlineMs / 1_000} s: ${what}`, { cause: last })
}
