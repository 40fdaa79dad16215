import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Admin, Kafka } from 'kafkajs'
import { kind } from '../../../src/kinds/delay-queue/index.ts'
import type { DelayQueue, DelayQueueSpec } from '../../../src/kinds/delay-queue/resource.ts'
import type { Contract } from '../../../src/worker/contract.ts'
import { eventually } from '../eventually.ts'
import type { KafkaUser } from '../kafka-properties.ts'
import { planned } from '../planned.ts'

/** The start script, which knows what a worker wants of Node. Benchmarks name that of an image. */
const PROGRAM = process.env.SLUICE_PROGRAM ?? fileURLToPath(new URL('../../../bin/sluice', import.meta.url))

/** A worker as a process of its own. */
export interface WorkerProcess {
  readonly pid: number | undefined
  /** Resolves with the exit status, null after a signal. */
  readonly gone: Promise<number | null>
  ready(): Promise<boolean>
  /** Partitions whose tasks run here. */
  running(): Promise<readonly number[]>
  /** Of its HTTP server; known once it is ready. */
  url(): string
  /** Text of /metrics. */
  metrics(): Promise<string>
  /** SIGKILL, without a word. */
  kill(): Promise<void>
  /** SIGTERM; resolves with the exit status. */
  stop(): Promise<number | null>
  printed(): string
}

export interface WorkerProcessOptions {
  /** It takes over at once from the worker that had this name before, which must be dead. */
  readonly name?: string
  /** How far the clock of its machine is ahead. */
  readonly clockOffsetMs?: number
}

/** The topics of a queue on a real broker, and workers of it: what operator and platform do, without them. */
export class QueueOnKafka {
  readonly namespace: string
  readonly #dir: string
  readonly #workers = new Set<WorkerProcess>()
  readonly topics: readonly string[]

  private constructor(namespace: string, dir: string, topics: readonly string[]) {
    this.namespace = namespace
    this.#dir = dir
    this.topics = topics
  }

  /** Makes the topics `<namespace>.q.*` and the target. `bootstrap`: the workers' way to the brokers, `user`: as whom. */
  static async create(
    kafka: Kafka,
    bootstrap: string,
    namespace: string,
    spec: Omit<DelayQueueSpec, 'connectionRef'>,
    more: { readonly memoryBudgetBytes?: number; readonly replicationFactor?: number; readonly user?: KafkaUser } = {},
  ): Promise<QueueOnKafka> {
    const queue: DelayQueue = {
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'DelayQueue',
      metadata: { name: 'q', namespace, generation: 1 },
      spec: { connectionRef: { name: 'main' }, ...spec },
    }
    const admin = kafka.admin()
    await admin.connect()
    const partitions = spec.partitions ?? 6
    if (spec.target) await createTopic(admin, spec.target.topic, partitions, {})
    const { topics, workers } = planned(kind, queue)
    await admin.createTopics({
      waitForLeaders: false,
      topics: topics.map(({ name, configs }) => ({
        topic: name,
        numPartitions: partitions,
        replicationFactor: more.replicationFactor ?? 1,
        configEntries: Object.entries(configs).map(([key, value]) => ({ name: key, value: value ?? '' })),
      })),
    })
    await known(
      admin,
      topics.map(({ name }) => name),
    )
    await admin.disconnect()
    const contract: Contract = {
      version: 1,
      generation: 1,
      namespace,
      group: workers?.group ?? '',
      connection: {
        bootstrapServers: bootstrap.split(','),
        ...(more.user && { sasl: { mechanism: 'SCRAM-SHA-512', usernameFile: 'username', passwordFile: 'password' } }),
      },
      resources: [{ kind: 'DelayQueue', name: 'q', config: workers?.config }],
      memoryBudgetBytes: more.memoryBudgetBytes ?? 256 * 2 ** 20,
    }
    const dir = await mkdtemp(join(tmpdir(), 'sluice-queue-'))
    await writeFile(join(dir, 'contract.json'), JSON.stringify(contract))
    for (const [file, text] of Object.entries(more.user ?? {})) await writeFile(join(dir, file), text as string)
    return new QueueOnKafka(
      namespace,
      dir,
      topics.map(({ name }) => name),
    )
  }

  topic(role: string): string {
    return `${this.namespace}.q.${role}`
  }

  start(options: WorkerProcessOptions = {}): WorkerProcess {
    const worker = startWorkerProcess(join(this.#dir, 'contract.json'), options)
    this.#workers.add(worker)
    return worker
  }

  /** Resolves when every partition has a task that runs. */
  async allOwned(workers: readonly WorkerProcess[], withinMs = 60_000): Promise<void> {
    await eventually('every worker ready', async () => (await Promise.all(workers.map(worker => worker.ready()))).every(Boolean), withinMs)
  }

  /** What all workers printed, the dead ones too. */
  logs(): string {
    return [...this.#workers].map(worker => worker.printed()).join('\n')
  }

  async close(): Promise<void> {
    await Promise.all([...this.#workers].map(worker => worker.kill()))
    await rm(this.#dir, { recursive: true, force: true })
  }
}

export async function createTopic(
  admin: Admin,
  topic: string,
  partitions: number,
  configs: Readonly<Record<string, string>>,
): Promise<void> {
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }], waitForLeaders: false })
  await known(admin, [topic])
}

/** kafkajs can wait for leaders by itself, but gives up when a topic is not known to the broker yet. */
const known = (admin: Admin, topics: string[]): Promise<unknown> =>
  eventually('leaders of the topics', async () => {
    const { topics: found } = await admin.fetchTopicMetadata({ topics })
    return found.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0))
  })

/** A worker on a contract that somebody wrote. */
export function startWorkerProcess(contractFile: string, { name = '', clockOffsetMs = 0 }: WorkerProcessOptions = {}): WorkerProcess {
  const shifted = `--import=data:text/javascript,const{now}=Date;Date.now=()=>now()+${clockOffsetMs}`
  const nodeOptions = [process.env.SLUICE_WORKER_NODE_OPTIONS ?? '', ...(clockOffsetMs === 0 ? [] : [shifted])].join(' ')
  const child = spawn(PROGRAM, ['worker', '--contract', contractFile, '--listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, NODE_OPTIONS: nodeOptions, SLUICE_WORKER_NAME: name, SLUICE_SECRETS: dirname(contractFile) },
  })
  return new Child(child)
}

/** A worker that is stopped accepts connections and never answers. */
const ANSWER_WITHIN_MS = 3_000

class Child implements WorkerProcess {
  readonly gone: Promise<number | null>
  readonly #child: ChildProcess
  #output = ''
  #port = 0

  constructor(child: ChildProcess) {
    this.#child = child
    this.gone = new Promise(resolve =>
      child.once('exit', (status, signal) => {
        if (signal !== null) this.#output += `ended by ${signal}\n`
        resolve(status)
      }),
    )
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()))
    child.on('message', (message: { readonly port?: number }) => (this.#port = message.port ?? this.#port))
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  async ready(): Promise<boolean> {
    if (this.#port === 0) return false
    const response = await this.#get('/readyz')
    return response.ok && (await this.#tasks()).length > 0
  }

  async running(): Promise<readonly number[]> {
    if (this.#port === 0) return []
    return (await this.#tasks()).filter(({ state }) => state === 'running').map(({ partition }) => partition)
  }

  async metrics(): Promise<string> {
    return (await this.#get('/metrics')).text()
  }

  url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  async #tasks(): Promise<readonly { readonly partition: number; readonly state: string }[]> {
    const contract = (await (await this.#get('/contract')).json()) as { tasks: readonly { partition: number; state: string }[] }
    return contract.tasks
  }

  #get(path: string): Promise<Response> {
    return fetch(`${this.url()}${path}`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL')
    await this.gone
  }

  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM')
    return this.gone
  }

  printed(): string {
    return this.#output
  }
}
