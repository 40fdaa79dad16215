// How many messages a second a delay queue delivers when all are due, beside the plain exactly-once pipe of the same client, in one run.
//   node bench/delay-throughput.ts [MESSAGES]      default: 300000; JSON to stdout and bench/results/delay-throughput.json
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import kafkajs from 'kafkajs'
import { QueueOnKafka, createTopic } from '../test/support/delay-queue/queue-on-kafka.ts'
import { startKafka } from '../test/support/kafka.ts'
import { runLoad } from './measure/load.ts'
import { cpuMsOf, rssOf } from './measure/process.ts'
import { TargetReader } from './measure/target-reader.ts'

const MESSAGES = Number(process.argv[2] ?? 300_000)
const PARTITIONS = 6
const VALUE_BYTES = 1024
const GIVE_UP_MS = 120_000
const RESULTS = fileURLToPath(new URL('results/', import.meta.url))

/** Messages a second from the first that a read_committed consumer has to the last. */
async function throughput(reader: TargetReader): Promise<number> {
  const deadlineMs = performance.now() + GIVE_UP_MS
  let count = 0
  let first = 0
  let firstAtMs = 0
  while (count < MESSAGES) {
    const { length } = await reader.poll()
    if (performance.now() > deadlineMs) throw new Error(`${count} of ${MESSAGES} messages came within ${GIVE_UP_MS} ms`)
    count += length
    if (first > 0 || length === 0) continue
    first = length
    firstAtMs = performance.now()
  }
  return Math.round(((count - first) * 1000) / (performance.now() - firstAtMs))
}

const fill = (bootstrap: string, topic: string): Promise<void> =>
  runLoad('backlog', [bootstrap, topic, PARTITIONS, MESSAGES, VALUE_BYTES, Date.now(), Date.now()])

async function pipe(bootstrap: string, kafka: kafkajs.Kafka): Promise<number> {
  const admin = kafka.admin()
  await admin.connect()
  for (const topic of ['pipe.in', 'pipe.out']) await createTopic(admin, topic, PARTITIONS, {})
  await admin.disconnect()
  await fill(bootstrap, 'pipe.in')
  const reader = await TargetReader.open(bootstrap, 'pipe.out', PARTITIONS)
  const ended = new AbortController()
  const piping = runLoad('plain-pipe', [bootstrap, 'pipe.in', 'pipe.out'], ended.signal)
  try {
    return await Promise.race([throughput(reader), piping.then(() => Promise.reject(new Error('the pipe ended')))])
  } finally {
    ended.abort()
    await piping.catch(() => undefined)
    await reader.close()
  }
}

async function queue(bootstrap: string, kafka: kafkajs.Kafka) {
  const target = 'bench.target'
  const spec = { partitions: PARTITIONS, maxDelay: '1h', target: { topic: target } }
  const queued = await QueueOnKafka.create(kafka, bootstrap, 'bench', spec)
  await fill(bootstrap, queued.topic('in'))
  const reader = await TargetReader.open(bootstrap, target, PARTITIONS)
  try {
    const worker = queued.start()
    const perSecond = await throughput(reader)
    const pid = worker.pid ?? 0
    return { perSecond, workerCpuUsPerMessage: Math.round(((await cpuMsOf(pid)) * 1000) / MESSAGES), workerRssBytes: await rssOf(pid) }
  } finally {
    await reader.close()
    await queued.close()
  }
}

const kafka = await startKafka({ jvm: ['-Xms1g', '-Xmx1g', '-XX:+UseSerialGC'] })
try {
  const { bootstrap } = kafka
  const client = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING })
  const pipePerSecond = await pipe(bootstrap, client)
  const queued = await queue(bootstrap, client)
  const report = JSON.stringify(
    {
      benchmark: 'delay-throughput',
      at: new Date().toISOString(),
      node: process.version,
      cores: cpus().length,
      messages: MESSAGES,
      valueBytes: VALUE_BYTES,
      pipePerSecond,
      queue: queued,
      ratio: Number((queued.perSecond / pipePerSecond).toFixed(3)),
    },
    undefined,
    2,
  )
  await mkdir(RESULTS, { recursive: true })
  await writeFile(`${RESULTS}delay-throughput.json`, `${report}\n`)
  console.log(report)
} finally {
  await kafka.stop()
}
