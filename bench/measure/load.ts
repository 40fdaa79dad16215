import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const FOLDER = new URL('../load/', import.meta.url)

/** Runs a load generator of `bench/load` as a process of its own; resolves when it has sent everything. Give up with `abort`. */
export function runLoad(program: string, args: readonly (string | number)[], abort?: AbortSignal): Promise<void> {
  const path = fileURLToPath(new URL(`${program}.ts`, FOLDER))
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', path, ...args.map(String)], {
    stdio: ['ignore', 'ignore', 'inherit'],
    ...(abort && { signal: abort, killSignal: 'SIGKILL' as const }),
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', code => {
      if (code === 0) resolve()
      else reject(new Error(`the load generator ${program} ended with ${code}`))
    })
  })
}
