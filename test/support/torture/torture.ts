import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import { readCommitted } from '../delay-queue/java-reader.ts'
import { QueueOnKafka, createTopic } from '../delay-queue/queue-on-kafka.ts'
import { Random } from '../delay-queue/random.ts'
import { eventually } from '../eventually.ts'
import { startCluster } from '../kafka-cluster.ts'
import type { KafkaCluster } from '../kafka-cluster.ts'
import { Faults } from './faults.ts'
import { Fleet } from './fleet.ts'
import { judge } from './judge.ts'
import { Load } from './load.ts'
import { placeOf } from './log-entry.ts'
import type { LogEntry } from './log-entry.ts'
import { KafkaJsSender, KcatSender, PARTITIONS } from './producers.ts'
import type { QueueFacts } from './promises.ts'
import { reportOf } from './report.ts'
import type { Report } from './report.ts'
import { Witness } from './witness.ts'

const TOOL = join(import.meta.dirname, '../../../scripts/tool')
const NAMESPACE = 'torture'
const FIXED = '5s'
const FIXED_MS = 5_000
/** After the last fault, everything must have come to its end within this time: what has not hangs, and counts as lost. */
const DRAIN_WITHIN_MS = 120_000
/** To judge a long run takes a second. */
const JUDGE_EVERY_MS = 2_000
/** Kafka's consumer may need long for its first record on a busy machine. */
const QUIET_MS = 10_000

export interface TortureOptions {
  readonly seed: number
  readonly brokers: 1 | 3
  /** Messages/s. */
  readonly rate: number
  /** Longest delay of those that go through tiers. */
  readonly farMs: number
  /** For how long such are written, from the start: the end waits for the last of them. */
  readonly farForMs: number
  /** Logs of workers and brokers when something is wrong, and the report, land here. */
  readonly dir: string
}

/** A queue on real brokers with workers, load, and somebody who watches. */
export class Torture {
  readonly faults: Faults
  readonly #options: TortureOptions
  readonly #cluster: KafkaCluster
  readonly #queue: QueueOnKafka
  readonly #fleet: Fleet
  readonly #load: Load
  readonly #witness: Witness
  readonly #facts: QueueFacts
  readonly #inputs: ReadonlySet<string>
  readonly #outcomes: ReadonlySet<string>
  readonly #beganMs = Date.now()
  #failure: string | undefined

  private constructor(options: TortureOptions, cluster: KafkaCluster, queue: QueueOnKafka, kafka: KafkaJs, kcat: string) {
    this.#options = options
    this.#cluster = cluster
    this.#queue = queue
    const [input, fixed, deadLetter] = [queue.topic('in'), queue.topic(`fixed.${FIXED}`), queue.topic('dlq')]
    this.#facts = { input, fixed: new Map([[fixed, FIXED_MS]]), target: targets.target, deadLetter }
    this.#inputs = new Set([input, fixed])
    this.#outcomes = new Set([targets.target, targets.other, targets.small, deadLetter])
    this.#fleet = new Fleet(queue, PARTITIONS, what => {
      this.faults.note(what)
    })
    this.faults = new Faults(cluster, this.#fleet, new Random(options.seed))
    this.#witness = new Witness(kcat, cluster.bootstrap, [...this.#inputs, ...this.#outcomes])
    this.#load = new Load(
      [
        { sender: new KafkaJsSender('plain', kafka), share: 0.45, alike: 1 },
        { sender: new KafkaJsSender('transactional', kafka, new Random(options.seed + 7)), share: 0.3, alike: 1 },
        { sender: new KcatSender('kcat', kcat, cluster.bootstrap), share: 0.25, alike: 8 },
      ],
      {
        seed: options.seed,
        rate: options.rate,
        mix: {
          farMs: options.farMs,
          farUntilMs: Date.now() + options.farForMs,
          other: targets.other,
          absent: targets.absent,
          small: targets.small,
        },
        topicOf: role => (role === 'in' ? input : fixed),
      },
    )
  }

  /** Resolves when three workers share the partitions and the load has begun. */
  static async start(options: TortureOptions): Promise<Torture> {
    const kcat = (await promisify(execFile)(TOOL, ['kcat'])).stdout.trim()
    const cluster = await startCluster(options.brokers)
    const kafka = new KafkaJs({ brokers: cluster.bootstrap.split(','), logLevel: logLevel.NOTHING })
    await createTargets(kafka)
    const queue = await QueueOnKafka.create(
      kafka,
      cluster.proxied,
      NAMESPACE,
      { partitions: PARTITIONS, maxDelay: '1h', tiers: [FIXED], target: { topic: targets.target }, allowedTargets: [`${NAMESPACE}.to.*`] },
      { replicationFactor: options.brokers },
    )
    const torture = new Torture(options, cluster, queue, kafka, kcat)
    await torture.faults.heal(3)
    torture.#load.start()
    return torture
  }

  /** Records that were seen at their end. */
  get ended(): number {
    return this.#witness.count(this.#outcomes)
  }

  /** For whoever waits. */
  progressText(): string {
    const minutes = Math.round((Date.now() - this.#beganMs) / 60_000)
    return `after ${minutes} min: ${this.ended} records at their end, ${this.faults.events.filter(({ fault }) => fault !== 'note').length} faults`
  }

  /** Resolves when `count` more records have ended than now. */
  async progress(count: number, withinMs: number): Promise<void> {
    const from = this.ended
    await eventually(`${count} more records at their end`, () => this.ended >= from + count, withinMs)
  }

  /** Does what the script says, ends load and faults, waits for what is due, stops the workers, and judges what is there, come what may. */
  async through(script: (faults: Faults) => Promise<void>): Promise<Report> {
    await this.#noting(() => script(this.faults))
    await this.#load.stop()
    this.faults.note('the load has ended')
    await this.#noting(async () => {
      await this.faults.heal(3)
      await eventually('the end of every message', () => this.#nothingWaits(), this.#options.farMs + DRAIN_WITHIN_MS)
    })
    await this.#fleet.stop()
    return this.#judged()
  }

  /** The first thing that goes wrong is the one to tell. */
  async #noting(action: () => Promise<void>): Promise<void> {
    try {
      await action()
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#failure ??= text
      this.faults.note(text)
    }
  }

  async close(): Promise<void> {
    this.#fleet.abandon()
    this.#witness.close()
    await this.#load.stop()
    await this.#queue.close()
    await this.#cluster.stop()
  }

  async #nothingWaits(): Promise<boolean> {
    await pause(JUDGE_EVERY_MS)
    const { violations } = judge(this.#facts, this.#witness.of(this.#inputs), this.#witness.of(this.#outcomes))
    return !violations.some(({ kind }) => kind === 'lost')
  }

  async #judged(): Promise<Report> {
    const read = async (topics: ReadonlySet<string>): Promise<readonly LogEntry[]> => {
      const records = await Promise.all([...topics].map(topic => readCommitted(this.#cluster.bootstrap, topic, QUIET_MS)))
      return records
        .flat()
        .map(record => ({ ...record, headers: Object.fromEntries(record.headers), seenAtMs: this.#witness.seenAt(placeOf(record)) }))
    }
    const [inputs, outcomes] = [await read(this.#inputs), await read(this.#outcomes)]
    const report = reportOf({
      options: this.#options,
      seconds: (Date.now() - this.#beganMs) / 1000,
      facts: this.#facts,
      inputs,
      outcomes,
      load: this.#load,
      witness: this.#witness,
      faults: this.faults,
      fleet: this.#fleet,
      failure: this.#failure,
    })
    await this.#keep(report)
    return report
  }

  async #keep(report: Report): Promise<void> {
    const { dir } = this.#options
    await mkdir(dir, { recursive: true })
    await writeFile(join(dir, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`)
    if (report.passed && report.crashes.length === 0) return
    for (const [name, text] of this.#fleet.logs()) await writeFile(join(dir, `${name}.log`), text)
    for (const [i, broker] of this.#cluster.brokers.entries())
      await writeFile(join(dir, `broker-${i + 1}.log`), await readFile(join(broker.dir, 'kafka.log')))
  }
}

const targets = {
  target: `${NAMESPACE}.to.target`,
  other: `${NAMESPACE}.to.other`,
  small: `${NAMESPACE}.to.small`,
  absent: `${NAMESPACE}.to.absent`,
} as const

/** Stamped by the brokers: a witness of the time of delivery that no worker can deceive. */
async function createTargets(kafka: KafkaJs): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  const stamped = { 'message.timestamp.type': 'LogAppendTime' }
  for (const topic of [targets.target, targets.other]) await createTopic(admin, topic, PARTITIONS, stamped)
  await createTopic(admin, targets.small, PARTITIONS, { ...stamped, 'max.message.bytes': '2048' })
  await admin.disconnect()
}
