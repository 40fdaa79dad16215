import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { setTimeout as pause } from 'node:timers/promises'

const TOOL = fileURLToPath(new URL('../../scripts/tool', import.meta.url))
const OURS = fileURLToPath(new URL('../load/failing-application.ts', import.meta.url))
const JVM = ['-Xms256m', '-Xmx512m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error']

/** What an application says when every record has failed once and has come back. */
export interface CameBack {
  readonly count: number
  /** When the first failed, and when the last had come back; epoch ms. */
  readonly beganMs: number
  readonly lastMs: number
  /** After the end of the wait, by the clock of the application. */
  readonly p50Ms: number
  readonly maxMs: number
  readonly early: number
}

/** An application that fails every record of its source once, as a process of its own. */
export class RetryApplication {
  readonly #child: ChildProcess
  readonly #gone: Promise<unknown>
  #output = ''

  private constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#gone = new Promise(resolve => this.#child.once('exit', resolve))
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()))
    process.once('exit', () => this.#child.kill('SIGKILL'))
  }

  /** On the retry topics of Spring Kafka. */
  static async spring(bootstrap: string, source: string, total: number, mode: 'defaults' | 'tuned'): Promise<RetryApplication> {
    const home = (await promisify(execFile)(TOOL, ['spring-retry'])).stdout.trim()
    const settings = Object.entries({ bootstrap, source, total, mode }).map(([name, value]) => `-D${name}=${value}`)
    const classes = `${join(home, 'classes')}:${join(home, 'libs', '*')}`
    return new RetryApplication('java', [...JVM, ...settings, '-cp', classes, 'dev.sluice.bench.SpringRetry'])
  }

  /** On `sluice/retry`. */
  static sluice(bootstrap: string, source: string, pipeline: string, total: number, waitMs: number): RetryApplication {
    const args = [bootstrap, source, pipeline, `${source}.group`, String(total), String(waitMs)]
    return new RetryApplication(process.execPath, ['--disable-warning=ExperimentalWarning', OURS, ...args])
  }

  /** Resolves when all have come back. */
  async cameBack(withinMs: number): Promise<CameBack> {
    const deadlineMs = performance.now() + withinMs
    for (;;) {
      const line = this.#output.split('\n').find(text => text.startsWith('{') && text.endsWith('}'))
      if (line !== undefined) return JSON.parse(line) as CameBack
      if (this.#child.exitCode !== null || performance.now() > deadlineMs)
        throw new Error(`not all records came back within ${withinMs} ms; the application printed:\n${this.#output.slice(-3_000)}`)
      await pause(20)
    }
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL')
    await this.#gone
  }
}
