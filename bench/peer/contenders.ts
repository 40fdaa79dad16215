import kafkajs from 'kafkajs'
import { createTopic, QueueOnKafka } from '../../test/support/delay-queue/queue-on-kafka.ts'
import type { WorkerProcess } from '../../test/support/delay-queue/queue-on-kafka.ts'
import { eventually } from '../../test/support/eventually.ts'
import { StreamsScheduler } from './streams-scheduler.ts'
import type { SchedulerProcess } from './streams-scheduler.ts'

export const PARTITIONS = 6
const START_MS = 120_000

/** One of those that are compared: a process that takes delayed messages from `input` and writes them to `target` when they are due. */
export interface Contender {
  readonly input: string
  readonly target: string
  /** The consumer group whose offsets tell how much of `input` was taken in. */
  readonly group: string
  /** Starts the process; may be called again after `kill`. */
  start(): void
  /** Resolves when it owns all partitions and runs. */
  ready(): Promise<void>
  pid(): number
  /** SIGKILL. */
  kill(): Promise<void>
  close(): Promise<void>
}

export type Make = (bootstrap: string, name: string) => Promise<Contender>

const client = (bootstrap: string): kafkajs.Kafka => new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING })

const words = (text = ''): readonly string[] => text.split(' ').filter(word => word !== '')

/** One worker of a DelayQueue, with the memory budget that the operator gives by default, and a name that it keeps as a container does that is restarted. */
export const sluice: Make = async (bootstrap, name) => {
  const namespace = `${name}-sluice`
  const target = `${namespace}.target`
  const queue = await QueueOnKafka.create(client(bootstrap), bootstrap, namespace, {
    partitions: PARTITIONS,
    maxDelay: '24h',
    target: { topic: target },
  })
  let worker: WorkerProcess | undefined
  return {
    input: queue.topic('in'),
    target,
    group: `sluice.${namespace}.q.dq`,
    start: () => (worker = queue.start({ name: 'worker' })),
    ready: () => queue.allOwned(worker === undefined ? [] : [worker], START_MS),
    pid: () => worker?.pid ?? NaN,
    kill: async () => worker?.kill(),
    close: () => queue.close(),
  }
}

/** One process of the Kafka Streams scheduler; a static member gets its partitions back at once when it restarts. */
export const kafkaStreams =
  (membership: 'static' | 'dynamic'): Make =>
  async (bootstrap, name) => {
    const application = `${name}-streams-${membership}`
    const [input, target] = [`${application}.in`, `${application}.target`]
    const admin = client(bootstrap).admin()
    await admin.connect()
    await createTopic(admin, input, PARTITIONS, { 'message.timestamp.type': 'LogAppendTime' })
    await createTopic(admin, target, PARTITIONS, {})
    await admin.disconnect()
    const scheduler = await StreamsScheduler.create({
      ...{ bootstrap, application, input, target },
      ...(membership === 'static' && { staticMember: 'scheduler' }),
      settings: words(process.env.BENCH_PEER_SETTINGS),
      jvm: words(process.env.BENCH_PEER_JVM),
    })
    let running: SchedulerProcess | undefined
    return {
      input,
      target,
      group: application,
      start: () => (running = scheduler.start()),
      ready: async () => running?.running(),
      pid: () => running?.pid ?? NaN,
      kill: async () => running?.kill(),
      close: () => scheduler.close(),
    }
  }

/** Resolves when every message of the input is stored by the contender, by its committed offsets. */
export async function takenIn(bootstrap: string, { input, group }: Contender, withinMs: number): Promise<void> {
  const admin = client(bootstrap).admin()
  await admin.connect()
  try {
    await eventually(
      `${group} to take in ${input}`,
      async () => {
        const ends = await admin.fetchTopicOffsets(input)
        const [of] = await admin.fetchOffsets({ groupId: group, topics: [input] })
        return ends.every(({ partition, offset }) => of?.partitions.some(at => at.partition === partition && at.offset === offset))
      },
      withinMs,
    )
  } finally {
    await admin.disconnect()
  }
}
