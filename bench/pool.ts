// What hundreds of small delay queues cost on two workers, and whether one that comes or goes disturbs the others.
//   node bench/pool.ts [QUEUES [MAX_DELAY]]      default: 200 1m; JSON to stdout and bench/results/pool.json
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Message } from '@confluentinc/kafka-javascript'
import kafkajs from 'kafkajs'
import type { Producer } from 'kafkajs'
import { PoolOnKafka } from '../test/support/delay-queue/pool-on-kafka.ts'
import type { WorkerProcess } from '../test/support/delay-queue/queue-on-kafka.ts'
import { startKafka, THROUGHPUT_JVM } from '../test/support/kafka.ts'
import { cpuMsOf, rssOf } from './measure/process.ts'
import { TargetReader, dueMsOf } from './measure/target-reader.ts'

const QUEUES = Number(process.argv[2] ?? 200)
const PARTITIONS = 3
/** Three tiers: 7 topics a queue, 4,200 partitions in all. A longer one only adds topics that rest, and what they cost one broker on the same two cores. */
const MAX_DELAY = process.argv[3] ?? '1m'
const WORKERS = 2
const IDLE_MS = 20_000
/** Queues that deliver while another comes or goes, each so many messages a second. */
const BUSY_QUEUES = 10
const MESSAGES_PER_SECOND = 20
const DELAY_MS = 1_000
const PHASE_MS = 10_000
const RESULTS = fileURLToPath(new URL('results/', import.meta.url))

interface Share {
  /** Of one core, per worker. */
  readonly cpuShare: readonly number[]
  readonly rssBytes: readonly number[]
}

async function idle(workers: readonly WorkerProcess[]): Promise<Share> {
  const cpuMs = (): Promise<readonly number[]> => Promise.all(workers.map(({ pid = 0 }) => cpuMsOf(pid)))
  const [before, beganMs] = [await cpuMs(), performance.now()]
  await pause(IDLE_MS)
  const [after, tookMs] = [await cpuMs(), performance.now() - beganMs]
  return {
    cpuShare: after.map((ms, index) => Number(((ms - (before[index] ?? 0)) / tookMs).toFixed(3))),
    rssBytes: await Promise.all(workers.map(({ pid = 0 }) => rssOf(pid))),
  }
}

/** A broker that has just been given thousands of partitions is busy making them for a while, and answers nobody in time. */
async function atRestOf(pid: number): Promise<void> {
  for (let share = 1; share > 0.3;) {
    const [cpuMs, atMs] = [await cpuMsOf(pid), performance.now()]
    await pause(3_000)
    share = ((await cpuMsOf(pid)) - cpuMs) / (performance.now() - atMs)
  }
}

interface Disturbance {
  readonly delivered: number
  /** Between two deliveries of one queue; without any disturbance it is the time between two of its messages. */
  readonly longestGapMs: number
  readonly latestMs: number
  /** Until all partitions of the queue that came run; of one that goes, until the workers have let go of it. */
  readonly tookMs?: number
}

/** A steady trickle into some queues, and what comes of it. */
class Trickle {
  readonly #producer: Producer
  readonly #reader: TargetReader
  readonly #topics: readonly string[]
  readonly #heardAtMs = new Map<string, number>()
  #delivered = 0
  #longestGapMs = 0
  #latestMs = 0
  #over = false
  #loops: Promise<unknown> = Promise.resolve()

  constructor(producer: Producer, reader: TargetReader, topics: readonly string[]) {
    this.#producer = producer
    this.#reader = reader
    this.#topics = topics
  }

  start(): void {
    this.#loops = Promise.all([this.#send(), this.#receive()])
  }

  async stop(): Promise<void> {
    this.#over = true
    await this.#loops
  }

  /** What happened since the last time. */
  take(): Disturbance {
    const seen = { delivered: this.#delivered, longestGapMs: Math.round(this.#longestGapMs), latestMs: Math.round(this.#latestMs) }
    this.#delivered = this.#longestGapMs = this.#latestMs = 0
    return seen
  }

  async #send(): Promise<void> {
    for (let round = 0; !this.#over; round += 1) {
      await this.#producer.sendBatch({
        topicMessages: this.#topics.map(topic => ({
          topic,
          messages: [{ key: String(round), value: 'x'.repeat(100), headers: { 'sluice-delay': `${DELAY_MS}ms`, queue: topic } }],
        })),
      })
      await pause(1_000 / MESSAGES_PER_SECOND)
    }
  }

  async #receive(): Promise<void> {
    while (!this.#over) {
      const messages = await this.#reader.poll()
      const now = performance.now()
      for (const message of messages) {
        const queue = queueOf(message)
        this.#delivered += 1
        this.#longestGapMs = Math.max(this.#longestGapMs, now - (this.#heardAtMs.get(queue) ?? now))
        this.#latestMs = Math.max(this.#latestMs, Date.now() - dueMsOf(message))
        this.#heardAtMs.set(queue, now)
      }
    }
  }
}

const queueOf = ({ headers = [] }: Message): string =>
  (headers.find(each => Object.hasOwn(each, 'queue'))?.queue as Buffer | undefined)?.toString() ?? ''

async function timed(action: () => Promise<unknown>): Promise<number> {
  const beganMs = performance.now()
  await action()
  return Math.round(performance.now() - beganMs)
}

/** Thousands of partitions at once: of the broker's memory, not of ours. */
const kafka = await startKafka({ jvm: ['-Xms2g', '-Xmx2g', ...THROUGHPUT_JVM.filter(flag => !flag.startsWith('-Xm'))] })
const pool = await PoolOnKafka.create(kafka.bootstrap, { namespace: 'bench', partitions: PARTITIONS, maxDelay: MAX_DELAY })
const names = Array.from({ length: QUEUES }, (_, index) => `q${index}`)
const producer = new kafkajs.Kafka({ brokers: [kafka.bootstrap], logLevel: kafkajs.logLevel.NOTHING }).producer()
try {
  await pool.prepare([...names, 'late'])
  await pool.tell(names)
  await atRestOf(kafka.pid ?? 0)
  const workers = Array.from({ length: WORKERS }, () => pool.start())
  const startMs = await timed(() => pool.run(names, 180_000))
  const atRest = await idle(workers)
  await producer.connect()
  const reader = await TargetReader.open(kafka.bootstrap, pool.target, PARTITIONS)
  const trickle = new Trickle(
    producer,
    reader,
    names.slice(0, BUSY_QUEUES).map(name => pool.input(name)),
  )
  trickle.start()
  await pause(PHASE_MS)
  trickle.take()
  await pause(PHASE_MS)
  const undisturbed = trickle.take()
  const during = async (there: boolean): Promise<Disturbance> => {
    const tookMs = await timed(async () => {
      await pool.tell(['late'], there)
      await pool.settled('late', there)
    })
    await pause(PHASE_MS)
    return { ...trickle.take(), tookMs }
  }
  const added = await during(true)
  const removed = await during(false)
  await trickle.stop()
  await reader.close()
  const report = JSON.stringify(
    {
      benchmark: 'pool',
      at: new Date().toISOString(),
      node: process.version,
      cores: cpus().length,
      queues: QUEUES,
      partitions: PARTITIONS,
      maxDelay: MAX_DELAY,
      workers: WORKERS,
      startMs,
      atRest,
      busyQueues: BUSY_QUEUES,
      messagesPerSecondPerQueue: MESSAGES_PER_SECOND,
      undisturbed,
      added,
      removed,
    },
    undefined,
    2,
  )
  await mkdir(RESULTS, { recursive: true })
  await writeFile(`${RESULTS}pool.json`, `${report}\n`)
  console.log(report)
} finally {
  await producer.disconnect()
  await pool.close()
  await kafka.stop()
}
