import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Producer } from 'kafkajs'
import { kind } from '../../src/kinds/dead-letter-pipeline/index.ts'
import type { DeadLetterPipeline, DeadLetterPipelineSpec } from '../../src/kinds/dead-letter-pipeline/resource.ts'
import { createTopic } from './delay-queue/queue-on-kafka.ts'
import type { WorkerProcess } from './delay-queue/queue-on-kafka.ts'
import { Reader } from './delay-queue/reader.ts'
import { eventually } from './eventually.ts'
import { HttpApplication } from './http-application.ts'
import type { Behaviour, Heard } from './http-application.ts'
import { PlannedWorkers } from './planned-workers.ts'

export type CallingSpec = Omit<DeadLetterPipelineSpec, 'connectionRef' | 'source' | 'delivery'> & {
  readonly http?: Partial<NonNullable<DeadLetterPipelineSpec['delivery']['http']>>
}

/** A pipeline that calls an application, both on their own: source `<name>.orders`, group `<name>.billing`, dead letters in `shop.<name>.dlq`. */
export class CallingPipeline {
  readonly application: HttpApplication
  readonly deadLetters: Reader
  readonly #name: string
  readonly #producer: Producer
  readonly #workers: PlannedWorkers

  private constructor(name: string, application: HttpApplication, deadLetters: Reader, producer: Producer, workers: PlannedWorkers) {
    this.#name = name
    this.application = application
    this.deadLetters = deadLetters
    this.#producer = producer
    this.#workers = workers
  }

  static async create(bootstrap: string, name: string, partitions: number, behave: Behaviour, spec: CallingSpec): Promise<CallingPipeline> {
    const kafka = new KafkaJs({ brokers: [bootstrap], logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    await createTopic(admin, `${name}.orders`, partitions, {})
    await admin.disconnect()
    const application = await HttpApplication.start(behave)
    const { http, ...rest } = spec
    const pipeline: DeadLetterPipeline = {
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'DeadLetterPipeline',
      metadata: { name, namespace: 'shop', generation: 1 },
      spec: {
        connectionRef: { name: 'main' },
        source: { topic: `${name}.orders`, group: `${name}.billing` },
        delivery: { http: { url: application.url(), ...http } },
        ...rest,
      },
    }
    const workers = await PlannedWorkers.create(kafka, bootstrap, kind, pipeline, partitions)
    const producer = kafka.producer({ idempotent: true })
    await producer.connect()
    const deadLetters = await Reader.of(kafka, `${name}.auditor`, [`shop.${name}.dlq`])
    return new CallingPipeline(name, application, deadLetters, producer, workers)
  }

  /** Workers that are ready. */
  async start(count: number): Promise<WorkerProcess[]> {
    const running = Array.from({ length: count }, () => this.startOne())
    await eventually('workers ready', async () => (await Promise.all(running.map(worker => worker.ready()))).every(Boolean), 60_000)
    return running
  }

  startOne(): WorkerProcess {
    return this.#workers.start()
  }

  /** The value is the id. */
  async produce(ids: readonly number[], keyOf: (id: number) => string): Promise<void> {
    const messages = ids.map(id => ({ key: keyOf(id), value: String(id), headers: { own: `h ${id}` } }))
    await this.#producer.send({ topic: `${this.#name}.orders`, messages })
  }

  /** Ids of the dead letters. */
  get dead(): ReadonlySet<string> {
    return new Set(this.deadLetters.records.map(({ value }) => value?.toString() ?? ''))
  }

  async close(): Promise<void> {
    await this.#workers.close()
    await this.#producer.disconnect()
    await this.deadLetters.close()
    await this.application.stop()
  }
}

/** Calls with the number of an attempt that was made before. */
export function doublesOf(calls: readonly Heard[]): readonly Heard[] {
  const seen = new Set<string>()
  return calls.filter(({ headers }) => {
    const attempt = headers['sluice-attempt'] ?? ''
    if (seen.has(attempt)) return true
    seen.add(attempt)
    return false
  })
}

export const range = (from: number, to: number): readonly number[] => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)
