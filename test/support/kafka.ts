import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CertificateAuthority } from './certificates.ts'
import type { KeyPair } from './certificates.ts'
import { LISTENERS, SCRAM_MECHANISMS, serverProperties } from './kafka-properties.ts'
import type { KafkaUser, ListenerName } from './kafka-properties.ts'
import { freePorts } from './ports.ts'

const run = promisify(execFile)
const TOOL = fileURLToPath(new URL('../../scripts/tool', import.meta.url))

/** Quick to start and small: C1 only, serial collector. Benchmarks want `THROUGHPUT_JVM`. */
export const QUICK_JVM: readonly string[] = ['-Xms64m', '-Xmx512m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto']
/** What Kafka's own start script gives. The serial collector stops a busy broker for 30 to 40 ms at a time: the p99 of all that is measured on it. */
export const THROUGHPUT_JVM: readonly string[] = [
  '-Xms1g',
  '-Xmx1g',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
]

export interface KafkaOptions {
  /** Listeners beside the plaintext one, which is always there. */
  readonly listeners?: readonly Exclude<ListenerName, 'plaintext'>[]
  /** Known to PLAIN and SCRAM alike on the SASL listeners. Default: `sluice` / `sluice-secret`. */
  readonly users?: readonly KafkaUser[]
  /** Extra or overriding broker settings. */
  readonly properties?: Readonly<Record<string, string>>
  /** Default `QUICK_JVM`. */
  readonly jvm?: readonly string[]
}

/** A real single-node KRaft Kafka on loopback ports. Ports and data survive `kill` and `restart`. */
export interface Kafka {
  /** `127.0.0.1:port` of the plaintext listener. */
  readonly bootstrap: string
  /** Address per listener that was asked for. */
  readonly listeners: Readonly<Partial<Record<ListenerName, string>>> & { readonly plaintext: string }
  readonly users: readonly KafkaUser[]
  /** PEM of the authority behind the TLS listeners; empty without one. */
  readonly ca: string
  /** A certificate that the mutual TLS listener accepts. Only with a TLS listener. */
  readonly client: KeyPair | undefined
  /** Data, settings and `kafka.log`. */
  readonly dir: string
  readonly pid: number | undefined
  /** SIGKILL: the machine died. Resolves when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM and wait: a clean shutdown that keeps the data. */
  shutdown(): Promise<void>
  /** Starts again on the same ports and data; shuts down cleanly first if it runs. */
  restart(): Promise<void>
  /** SIGSTOP: connections stay open and nothing answers. Resolves when every thread stands still: until then one may answer yet. */
  pause(): Promise<void>
  resume(): void
  /** Ends the broker and removes its folder. */
  stop(): Promise<void>
}

/** Starts a broker; resolves when it serves. Rejects with the end of its log when it does not come up. */
export async function startKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-kafka-'))
  try {
    const layout = await prepare(dir, options)
    const server = new KafkaServer(layout, options.jvm ?? QUICK_JVM)
    await server.start()
    return server
  } catch (error) {
    await rm(dir, { recursive: true, force: true })
    throw error
  }
}

export interface Layout {
  readonly dir: string
  readonly libs: string
  readonly listeners: Kafka['listeners']
  readonly users: readonly KafkaUser[]
  readonly ca: string
  readonly client: KeyPair | undefined
}

async function prepare(dir: string, options: KafkaOptions): Promise<Layout> {
  const names: readonly ListenerName[] = ['plaintext', ...(options.listeners ?? [])]
  const users = options.users ?? [{ username: 'sluice', password: 'sluice-secret' }]
  const ports = await freePorts(names.length + 1)
  const secure = names.some(name => LISTENERS[name].tls)
  const authority = secure ? await CertificateAuthority.create(dir) : undefined
  if (authority !== undefined) {
    const server = await authority.issue('broker', ['IP:127.0.0.1', 'DNS:localhost'])
    await writeFile(join(dir, 'broker-keystore.pem'), server.key + server.certificate)
  }
  const listening = names.map((name, i) => [name, ports[i] ?? 0] as const)
  const properties = serverProperties({ dir, listening, controllerPort: ports[names.length] ?? 0, users, extra: options.properties ?? {} })
  await mkdir(join(dir, 'data'))
  await writeFile(join(dir, 'server.properties'), properties)
  const libs = await kafkaLibs()
  const sasl = names.some(name => LISTENERS[name].sasl)
  await formatStorage(dir, newClusterId(), sasl ? users : [])
  return {
    dir,
    libs,
    users,
    ca: authority?.ca ?? '',
    client: await authority?.issue('client'),
    listeners: Object.fromEntries(listening.map(([name, port]) => [name, `127.0.0.1:${port}`])) as Kafka['listeners'],
  }
}

const kafkaHome = async (): Promise<string> => process.env.KAFKA_HOME ?? (await run(TOOL, ['kafka'])).stdout.trim()
/** Class path of Kafka and its tools. */
export const kafkaLibs = async (): Promise<string> => join(await kafkaHome(), 'libs', '*')
export const newClusterId = (): string => randomBytes(16).toString('base64url').replace(/^-/, 'A')

/** Makes the data folder that `server.properties` in `dir` names one of the cluster; `users` are those of SCRAM. */
export async function formatStorage(dir: string, clusterId: string, users: readonly KafkaUser[] = []): Promise<void> {
  const scram = users.flatMap(user =>
    SCRAM_MECHANISMS.flatMap(mechanism => ['--add-scram', `${mechanism}=[name=${user.username},password=${user.password}]`]),
  )
  const tool = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', join(dir, 'server.properties'), ...scram]
  await run('java', [...QUICK_JVM, ...LOGGING, '-cp', await kafkaLibs(), ...tool])
}

const LOGGING = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info']
const STARTED = 'Kafka Server started'
const START_DEADLINE_MS = 90_000
const SHUTDOWN_DEADLINE_MS = 20_000

/** One broker process on a prepared folder; `startKafka` prepares one. */
export class KafkaServer implements Kafka {
  readonly bootstrap: string
  readonly listeners: Kafka['listeners']
  readonly users: readonly KafkaUser[]
  readonly ca: string
  readonly client: KeyPair | undefined
  readonly dir: string
  readonly #libs: string
  readonly #jvm: readonly string[]
  #process: ChildProcess | undefined

  constructor(layout: Layout, jvm: readonly string[]) {
    this.bootstrap = layout.listeners.plaintext
    this.listeners = layout.listeners
    this.users = layout.users
    this.ca = layout.ca
    this.client = layout.client
    this.dir = layout.dir
    this.#libs = layout.libs
    this.#jvm = jvm
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  async start(): Promise<void> {
    const logFile = join(this.dir, 'kafka.log')
    const log = await open(logFile, 'a')
    const logged = (await stat(logFile)).size
    const java = ['java', ...this.#jvm, ...LOGGING, '-cp', this.#libs, 'kafka.Kafka', join(this.dir, 'server.properties')]
    // A test runner that is killed must not leave a broker behind.
    const [command = 'java', ...args] = existsSync('/usr/bin/setpriv') ? ['/usr/bin/setpriv', '--pdeathsig', 'KILL', ...java] : java
    const child = spawn(command, args, { stdio: ['ignore', log.fd, log.fd] })
    this.#process = child
    await log.close()
    process.once('exit', () => child.kill('SIGKILL'))
    const deadline = Date.now() + START_DEADLINE_MS
    for (;;) {
      const text = (await readFile(logFile)).subarray(logged).toString()
      if (text.includes(STARTED)) return
      if (exited(child) || Date.now() > deadline) {
        child.kill('SIGKILL')
        throw new Error(`Kafka did not start; the end of its log:\n${text.slice(-3000)}`)
      }
      await new Promise(resolve => setTimeout(resolve, 25))
    }
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async shutdown(): Promise<void> {
    const child = this.#process
    const hard = setTimeout(() => child?.kill('SIGKILL'), SHUTDOWN_DEADLINE_MS)
    await this.#end('SIGTERM')
    clearTimeout(hard)
  }

  async restart(): Promise<void> {
    await this.shutdown()
    await this.start()
  }

  async pause(): Promise<void> {
    const { pid } = this
    if (pid === undefined) return
    this.#process?.kill('SIGSTOP')
    while (!(await standsStill(pid))) await new Promise(resolve => setTimeout(resolve, 5))
  }

  resume(): void {
    this.#process?.kill('SIGCONT')
  }

  async stop(): Promise<void> {
    await this.kill()
    await rm(this.dir, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || exited(child)) return
    const gone = new Promise(resolve => child.once('exit', resolve))
    child.kill(signal)
    // A stopped process sees SIGTERM only once it runs again.
    child.kill('SIGCONT')
    await gone
  }
}

/** The state stands behind the name, which is in brackets: `1 (java) T ...`. */
async function standsStill(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`)
  const stats = await Promise.all(threads.map(thread => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => '')))
  return stats.every(stat => stat === '' || /\) [TtXZ] /.test(stat))
}

const exited = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

/** A plain broker that several test files may use at once: every test works below a topic prefix of its own. */
export interface SharedKafka {
  readonly bootstrap: string
  /** A prefix that no other test has, for topics, groups and transactional ids. */
  uniquePrefix(): string
  /** Ends the broker if this call started it. */
  stop(): Promise<void>
}

/** The broker that `SLUICE_TEST_KAFKA` (host:port) names, or else one of its own. */
export async function sharedKafka(): Promise<SharedKafka> {
  const uniquePrefix = (): string => `t${randomBytes(5).toString('hex')}`
  const running = process.env.SLUICE_TEST_KAFKA
  if (running !== undefined && running !== '') return { bootstrap: running, uniquePrefix, stop: () => Promise.resolve() }
  const own = await startKafka()
  return { bootstrap: own.bootstrap, uniquePrefix, stop: () => own.stop() }
}
