import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { platformaticAdmin } from '../../../src/kafka/platformatic-admin.ts'
import type { KafkaAdmin, NewTopic } from '../../../src/kafka/admin.ts'
import { kind } from '../../../src/kinds/delay-queue/index.ts'
import type { DelayQueue } from '../../../src/kinds/delay-queue/resource.ts'
import type { Contract, ContractResource } from '../../../src/worker/contract.ts'
import { runningGeneration } from '../../../src/worker/contract.ts'
import { eventually } from '../eventually.ts'
import { planned } from '../planned.ts'
import { startWorkerProcess } from './queue-on-kafka.ts'
import type { WorkerProcess } from './queue-on-kafka.ts'

const MEMORY_BUDGET_BYTES = 128 * 2 ** 20
const TOPICS_AT_ONCE = 200

/** Delay queues `<namespace>.<name>` that share workers, on a real broker: what operator and platform do, without them. */
export class PoolOnKafka {
  readonly namespace: string
  readonly target: string
  readonly #bootstrap: string
  readonly #dir: string
  readonly #admin: KafkaAdmin
  readonly #partitions: number
  readonly #maxDelay: string
  readonly #workers = new Set<WorkerProcess>()
  #resources: readonly ContractResource[] = []
  #generation = 0

  private constructor(bootstrap: string, dir: string, given: { namespace: string; partitions: number; maxDelay: string }) {
    this.#bootstrap = bootstrap
    this.#dir = dir
    this.namespace = given.namespace
    this.target = `${given.namespace}.target`
    this.#partitions = given.partitions
    this.#maxDelay = given.maxDelay
    this.#admin = platformaticAdmin({ bootstrapServers: [bootstrap] }, { clientId: 'pool-on-kafka' })
  }

  static async create(bootstrap: string, given: { namespace: string; partitions: number; maxDelay: string }): Promise<PoolOnKafka> {
    const pool = new PoolOnKafka(bootstrap, await mkdtemp(join(tmpdir(), 'sluice-pool-')), given)
    await pool.createTopics([{ name: pool.target, partitions: given.partitions, replicationFactor: 1, configs: {} }])
    return pool
  }

  get group(): string {
    return `sluice.${this.namespace}.pool.pool`
  }

  input(name: string): string {
    return `${this.namespace}.${name}.in`
  }

  /** Makes the topics of the queues; the workers are not told yet. */
  async prepare(names: readonly string[]): Promise<void> {
    const topics = names.flatMap(name => this.#plan(name).topics)
    await this.createTopics(
      topics.map(({ name, configs }) => ({
        name,
        partitions: this.#partitions,
        replicationFactor: 1,
        configs: Object.fromEntries(Object.entries(configs).map(([key, value]) => [key, value ?? ''])),
      })),
    )
  }

  /** Tells the workers of queues that come, go (`false`) or begin anew. */
  async tell(names: readonly string[], there = true): Promise<void> {
    this.#generation += 1
    const others = this.#resources.filter(({ name }) => !names.includes(name))
    const told = (name: string): ContractResource => ({
      kind: 'DelayQueue',
      name,
      generation: this.#generation,
      config: this.#plan(name).workers?.config,
    })
    this.#resources = there ? [...others, ...names.map(told)] : others
    const contract: Contract = {
      version: 1,
      generation: this.#generation,
      namespace: this.namespace,
      group: this.group,
      pool: 'pool',
      connection: { bootstrapServers: [this.#bootstrap] },
      resources: this.#resources,
      memoryBudgetBytes: MEMORY_BUDGET_BYTES,
    }
    await writeFile(`${this.#file}.new`, JSON.stringify(contract))
    await rename(`${this.#file}.new`, this.#file)
  }

  start(): WorkerProcess {
    const worker = startWorkerProcess(this.#file)
    this.#workers.add(worker)
    return worker
  }

  /** Resolves when all partitions of these queues run what was told last, as the operator sees it. */
  async run(names: readonly string[], withinMs = 60_000): Promise<void> {
    await eventually(`all partitions of ${names.length} queues at work`, async () => (await this.behind(names)).length === 0, withinMs)
  }

  /** Resolves when all partitions of the queue run, or none does any more. */
  async settled(name: string, there: boolean): Promise<void> {
    if (there) return this.run([name])
    await eventually(`nobody at work on ${name}`, async () => {
      const offsets = await this.#admin.groupOffsets(this.group)
      return offsets.every(({ topic, metadata }) => topic !== this.input(name) || runningGeneration(metadata) === undefined)
    })
  }

  /** Partitions whose notes do not say that they run. */
  async behind(names: readonly string[]): Promise<readonly string[]> {
    const wanted = new Map(this.#resources.map(({ name, generation }) => [this.input(name), generation]))
    const offsets = await this.#admin.groupOffsets(this.group)
    const running = new Set(
      offsets.flatMap(({ topic, partition, metadata }) =>
        wanted.has(topic) && runningGeneration(metadata) === wanted.get(topic) ? [`${topic}/${partition}`] : [],
      ),
    )
    return names.flatMap(name =>
      Array.from({ length: this.#partitions }, (_, partition) => `${this.input(name)}/${partition}`).filter(key => !running.has(key)),
    )
  }

  deleteTopics(names: readonly string[]): Promise<unknown> {
    return this.#admin.deleteTopics(names)
  }

  async createTopics(topics: readonly NewTopic[]): Promise<void> {
    for (let from = 0; from < topics.length; from += TOPICS_AT_ONCE) {
      const outcomes = await this.#admin.createTopics(topics.slice(from, from + TOPICS_AT_ONCE))
      const failed = [...outcomes.values()].find(error => error !== undefined)
      if (failed !== undefined) throw failed
    }
  }

  logs(): string {
    return [...this.#workers].map(worker => worker.printed()).join('\n')
  }

  async close(): Promise<void> {
    await Promise.all([...this.#workers].map(worker => worker.kill()))
    await this.#admin.close()
    await rm(this.#dir, { recursive: true, force: true })
  }

  get #file(): string {
    return join(this.#dir, 'contract.json')
  }

  #plan(name: string) {
    const queue: DelayQueue = {
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'DelayQueue',
      metadata: { name, namespace: this.namespace, generation: 1 },
      spec: {
        connectionRef: { name: 'main' },
        partitions: this.#partitions,
        maxDelay: this.#maxDelay,
        target: { topic: this.target },
        workers: { pool: 'pool' },
      },
    }
    return planned(kind, queue)
  }
}
