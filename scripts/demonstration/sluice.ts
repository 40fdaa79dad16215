import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { load } from 'js-yaml'
import { eventually } from './story.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const READY_LIMIT_MS = 60_000
const STOP_LIMIT_MS = 40_000

interface Status {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[] }
}

/** The real command line as a child process, as a newcomer would start it. */
export class SluiceRun {
  readonly command: string
  readonly #state: string
  readonly #process: ChildProcess
  readonly #gone: Promise<unknown>

  constructor(options: { readonly bootstrap: string; readonly state: string; readonly line: (text: string) => void }) {
    const args = ['run', '-f', 'manifests/samples', '--bootstrap', options.bootstrap]
    this.command = `bin/sluice ${args.join(' ')}`
    this.#state = options.state
    this.#process = spawn(join(ROOT, 'bin', 'sluice'), [...args, '--state', options.state], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#gone = new Promise(resolve => this.#process.once('exit', resolve))
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', options.line)
    }
  }

  /** Waits until the resources are ready; answers those that are not, with what their status says. */
  async notReady(resources: readonly string[]): Promise<readonly string[]> {
    let left: readonly string[] = resources
    await eventually(async () => {
      left = (await Promise.all(resources.map(name => this.#complaint(name)))).filter(complaint => complaint !== undefined)
      return left.length === 0 || this.#process.exitCode !== null
    }, READY_LIMIT_MS)
    return left
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return
    this.#process.kill('SIGTERM')
    const hard = setTimeout(() => this.#process.kill('SIGKILL'), STOP_LIMIT_MS)
    await this.#gone
    clearTimeout(hard)
  }

  async #complaint(resource: string): Promise<string | undefined> {
    const [kind, name] = resource.split('/')
    const text = await readFile(join(this.#state, 'status', `${kind ?? ''}.default.${name ?? ''}.yaml`), 'utf8').catch(() => undefined)
    if (text === undefined) return `${resource}: not seen yet`
    const ready = (load(text) as Status).status?.conditions?.find(condition => condition.type === 'Ready')
    return ready?.status === 'True' ? undefined : `${resource}: ${ready?.message ?? 'no status yet'}`
  }
}
