import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Kafka } from 'kafkajs'
import type { Resource } from '../../src/api/resource.ts'
import { LOOPBACK } from '../../src/http/addresses.ts'
import type { Kind } from '../../src/kinds/kind.ts'
import type { Contract } from '../../src/worker/contract.ts'
import { startWorkerProcess } from './delay-queue/queue-on-kafka.ts'
import type { WorkerProcess } from './delay-queue/queue-on-kafka.ts'
import { eventually } from './eventually.ts'
import { planned } from './planned.ts'

/** The topics that a kind plans on a real broker, and workers on its contract: what operator and platform do, without them. */
export class PlannedWorkers {
  readonly #dir: string
  readonly #workers = new Set<WorkerProcess>()

  private constructor(dir: string) {
    this.#dir = dir
  }

  static async create(kafka: Kafka, bootstrap: string, kind: Kind, resource: Resource, partitions: number): Promise<PlannedWorkers> {
    const { namespace, name } = resource.metadata
    const { topics, workers } = planned(kind, resource)
    const admin = kafka.admin()
    await admin.connect()
    const names = topics.map(topic => topic.name)
    await admin.createTopics({
      waitForLeaders: false,
      topics: topics.map(topic => ({
        topic: topic.name,
        numPartitions: partitions,
        configEntries: Object.entries(topic.configs).map(([key, value]) => ({ name: key, value: value ?? '' })),
      })),
    })
    await eventually('leaders of the topics', async () => {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: names })
      return found.every(topic => topic.partitions.every(({ leader }) => leader >= 0))
    })
    await admin.disconnect()
    const contract: Contract = {
      version: 1,
      generation: 1,
      namespace,
      group: workers?.group ?? '',
      connection: { bootstrapServers: [bootstrap] },
      resources: [{ kind: resource.kind, name, config: { ...(workers?.config as object), partitions } }],
      memoryBudgetBytes: 256 * 2 ** 20,
      callsAllow: LOOPBACK,
    }
    const dir = await mkdtemp(join(tmpdir(), 'sluice-planned-'))
    await writeFile(join(dir, 'contract.json'), JSON.stringify(contract))
    return new PlannedWorkers(dir)
  }

  start(): WorkerProcess {
    const worker = startWorkerProcess(join(this.#dir, 'contract.json'))
    this.#workers.add(worker)
    return worker
  }

  async close(): Promise<void> {
    await Promise.all([...this.#workers].map(worker => worker.kill()))
    await rm(this.#dir, { recursive: true, force: true })
  }
}
