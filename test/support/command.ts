import { execFile } from 'node:child_process'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the real program to its end, with no Kafka in its environment but the one that is given. */
export const sluice = (args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Outcome> =>
  new Promise(answer => {
    const env = { ...process.env, NODE_OPTIONS: '', KAFKA_BOOTSTRAP: '', ...environment }
    execFile(join(ROOT, 'bin/sluice'), args, { cwd: ROOT, env }, (error, stdout, stderr) => {
      answer({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr })
    })
  })
