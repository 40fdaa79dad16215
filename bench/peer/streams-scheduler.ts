import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const TOOL = fileURLToPath(new URL('../../scripts/tool', import.meta.url))
const LOGGING = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn']
const JVM = ['-Xms256m', '-Xmx512m', '-XX:MaxGCPauseMillis=10']
const START_MS = 180_000

export interface SchedulerOptions {
  readonly bootstrap: string
  readonly application: string
  readonly input: string
  readonly target: string
  /** `group.instance.id`: a member that comes back under the same name gets its partitions at once. */
  readonly staticMember?: string
  /** Added to the command line, where they win: other settings of Kafka Streams, other options of the JVM. */
  readonly settings?: readonly string[]
  readonly jvm?: readonly string[]
}

/** The scheduler of `streams-scheduler/`, with a state folder that outlives its process as a disk of its own would. */
export class StreamsScheduler {
  readonly #home: string
  readonly #stateDir: string
  readonly #options: SchedulerOptions
  #process: SchedulerProcess | undefined

  private constructor(home: string, stateDir: string, options: SchedulerOptions) {
    this.#home = home
    this.#stateDir = stateDir
    this.#options = options
  }

  static async create(options: SchedulerOptions): Promise<StreamsScheduler> {
    const home = (await promisify(execFile)(TOOL, ['streams-scheduler'])).stdout.trim()
    return new StreamsScheduler(home, await mkdtemp(join(tmpdir(), 'sluice-peer-')), options)
  }

  start(): SchedulerProcess {
    const { bootstrap, application, input, target, staticMember, settings = [], jvm = [] } = this.#options
    const child = spawn(
      'java',
      [
        ...[...JVM, ...jvm, ...LOGGING],
        ...['-cp', `${join(this.#home, 'classes')}:${join(this.#home, 'libs', '*')}`, 'dev.sluice.bench.StreamsScheduler'],
        ...[bootstrap, application, input, target, this.#stateDir],
        ...(staticMember === undefined ? [] : [`group.instance.id=${staticMember}`]),
        ...settings,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    this.#process = new SchedulerProcess(child)
    return this.#process
  }

  async close(): Promise<void> {
    await this.#process?.kill()
    await rm(this.#stateDir, { recursive: true, force: true })
  }
}

export class SchedulerProcess {
  readonly #child: ChildProcess
  readonly #gone: Promise<unknown>
  #output = ''

  constructor(child: ChildProcess) {
    this.#child = child
    this.#gone = new Promise(resolve => child.once('exit', resolve))
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()))
    process.once('exit', () => child.kill('SIGKILL'))
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Resolves when it owns its partitions and has restored them. */
  async running(): Promise<void> {
    const deadlineMs = performance.now() + START_MS
    while (!this.#output.trimEnd().endsWith('RUNNING')) {
      if (this.#exited() || performance.now() > deadlineMs)
        throw new Error(`the scheduler does not run; it printed:\n${this.#output.slice(-3_000)}`)
      await pause(20)
    }
  }

  /** SIGKILL, without a word. */
  async kill(): Promise<void> {
    if (!this.#exited()) this.#child.kill('SIGKILL')
    await this.#gone
  }

  #exited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }
}
