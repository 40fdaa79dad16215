import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import type { Clock } from '../api/clock.ts'

export interface ChildOptions {
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string | undefined>>
  /** What the process prints is appended here. */
  readonly logFile: string
  readonly clock: Clock
  /** Called after every change of `ready` or `generation`. */
  readonly changed: () => void
}

/** How a process ended: by exit status or by signal. `asked`: after `stop`, so it is no failure. */
export interface Ending {
  readonly asked: boolean
  readonly reason: string
}

/** What a worker tells its parent over the IPC channel once its HTTP server listens. */
export interface ListeningMessage {
  readonly type: 'listening'
  readonly port: number
}

const isListening = (message: unknown): message is ListeningMessage =>
  typeof message === 'object' &&
  message !== null &&
  'type' in message &&
  message.type === 'listening' &&
  'port' in message &&
  typeof message.port === 'number'

const PROBE_UNREADY_MS = 200
const PROBE_READY_MS = 2_000
const PROBE_TIMEOUT_MS = 2_000

/** One worker process and what its HTTP server says of its health. */
export class WorkerChild {
  readonly ended: Promise<Ending>
  readonly #process: ChildProcess
  readonly #clock: Clock
  readonly #changed: () => void
  readonly #over = new AbortController()
  #asked = false
  #ready = false
  #generation = 0

  private constructor(child: ChildProcess, options: ChildOptions) {
    this.#process = child
    this.#clock = options.clock
    this.#changed = options.changed
    this.ended = new Promise(resolve => {
      const end = (reason: string): void => {
        this.#over.abort()
        this.#ready = false
        resolve({ asked: this.#asked, reason })
      }
      child.once('error', error => {
        end(error.message)
      })
      child.once('exit', (code, signal) => {
        end(signal === null ? `exit status ${code ?? 'unknown'}` : `signal ${signal}`)
      })
    })
    child.on('message', message => {
      if (isListening(message)) void this.#probe(`http://127.0.0.1:${message.port}`)
    })
  }

  static async start(options: ChildOptions): Promise<WorkerChild> {
    const [program, ...args] = options.command
    const log = await open(options.logFile, 'a', 0o600)
    try {
      // The IPC channel also tells the worker when this process is gone: a killed parent leaves no orphans. Detached: Ctrl-C in a terminal
      // reaches this process alone, which then stops its workers in good order.
      const child = spawn(program, args, { env: options.env, stdio: ['ignore', log.fd, log.fd, 'ipc'], detached: true })
      return new WorkerChild(child, options)
    } finally {
      await log.close()
    }
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  get ready(): boolean {
    return this.#ready
  }

  /** Generation of the contract that it runs; 0 until it told. */
  get generation(): number {
    return this.#generation
  }

  get stopping(): boolean {
    return this.#asked
  }

  /** SIGTERM, and SIGKILL when it has not left within `graceMs`. Resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#asked = true
    this.#process.kill('SIGTERM')
    void this.#clock.sleep(graceMs, this.#over.signal).then(() => {
      if (!this.#over.signal.aborted) this.kill()
    })
    await this.ended
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  async #probe(url: string): Promise<void> {
    const { signal } = this.#over
    while (!signal.aborted) {
      const ready = await answers(`${url}/readyz`, signal)
      if (ready && this.#generation === 0) this.#generation = await generationOf(`${url}/contract`, signal)
      this.#became(ready)
      await this.#clock.sleep(ready ? PROBE_READY_MS : PROBE_UNREADY_MS, signal)
    }
  }

  #became(ready: boolean): void {
    if (this.#over.signal.aborted || ready === this.#ready) return
    this.#ready = ready
    this.#changed()
  }
}

const within = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)])

async function answers(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: within(signal) })
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}

async function generationOf(url: string, signal: AbortSignal): Promise<number> {
  try {
    const body: unknown = await (await fetch(url, { signal: within(signal) })).json()
    return typeof body === 'object' && body !== null && 'generation' in body && typeof body.generation === 'number' ? body.generation : 0
  } catch {
    return 0
  }
}
