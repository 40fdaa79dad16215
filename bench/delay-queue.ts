// How late delayed messages come, and whether one worker keeps up: broker, load, worker and reader share the machine.
//   node bench/delay-queue.ts [RATE...]      messages/s, default: 1000 10000; JSON to stdout and bench/results/delay-queue.json
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import kafkajs from 'kafkajs'
import { QueueOnKafka } from '../test/support/delay-queue/queue-on-kafka.ts'
import { startKafka } from '../test/support/kafka.ts'
import { latenessOf, sixths } from './measure/lateness.ts'
import type { Lateness } from './measure/lateness.ts'
import { runLoad } from './measure/load.ts'
import { cpuMsOf, rssOf } from './measure/process.ts'
import { TargetReader, dueMsOf } from './measure/target-reader.ts'

const SECONDS = Number(process.env.BENCH_SECONDS ?? 60)
const SHORTEST_MS = 1_000
const LONGEST_MS = 10_000
const PARTITIONS = 6
const GIVE_UP_MS = 60_000
const RESULTS = fileURLToPath(new URL('results/', import.meta.url))

interface Result {
  readonly messagesPerSecond: number
  readonly sent: number
  readonly delivered: number
  /** From the due time until a read_committed reader has the message. */
  readonly lateness: Lateness
  /** The same without the first sixth, in which broker and worker compile their code. */
  readonly latenessWarm: Lateness
  /** The same in each sixth of the run: a backlog that grows would show here. */
  readonly p99MsOverTime: readonly number[]
  /** Of one core, while messages came. */
  readonly workerCpuShare: number
  readonly workerRssBytes: number
}

async function measure(bootstrap: string, perSecond: number): Promise<Result> {
  const namespace = `bench${perSecond}`
  const target = `${namespace}.target`
  const kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING })
  const queue = await QueueOnKafka.create(kafka, bootstrap, namespace, {
    partitions: PARTITIONS,
    maxDelay: '1h',
    target: { topic: target },
  })
  const reader = await TargetReader.open(bootstrap, target, PARTITIONS)
  try {
    const worker = queue.start()
    await queue.allOwned([worker])
    const sent = perSecond * SECONDS
    const before = { cpuMs: await cpuMsOf(worker.pid ?? 0), atMs: performance.now() }
    const load = runLoad('delayed-messages', [bootstrap, queue.topic('in'), PARTITIONS, perSecond, SECONDS, SHORTEST_MS, LONGEST_MS])
    const latenessMs = await receive(reader, sent)
    const workerCpuShare = ((await cpuMsOf(worker.pid ?? 0)) - before.cpuMs) / (performance.now() - before.atMs)
    await load
    return {
      messagesPerSecond: perSecond,
      sent,
      delivered: latenessMs.length,
      lateness: latenessOf(latenessMs),
      latenessWarm: latenessOf(latenessMs.subarray(latenessMs.length / 6)),
      p99MsOverTime: sixths(latenessMs).map(part => latenessOf(part).p99Ms),
      workerCpuShare: Number(workerCpuShare.toFixed(3)),
      workerRssBytes: await rssOf(worker.pid ?? 0),
    }
  } finally {
    await reader.close()
    await queue.close()
  }
}

/** Lateness of each message in the order of arrival, by this process's clock: it is the broker's and the worker's as well. */
async function receive(reader: TargetReader, expected: number): Promise<Float64Array> {
  const latenessMs = new Float64Array(expected)
  const deadlineMs = performance.now() + SECONDS * 1000 + LONGEST_MS + GIVE_UP_MS
  let count = 0
  while (count < expected && performance.now() < deadlineMs) {
    const messages = await reader.poll()
    const now = Date.now()
    for (const message of messages) latenessMs[count++] = now - dueMsOf(message)
  }
  return latenessMs.subarray(0, count)
}

const rates = process.argv.slice(2).map(Number)
const kafka = await startKafka({ jvm: ['-Xms1g', '-Xmx1g', '-XX:+UseSerialGC'] })
const results: Result[] = []
try {
  for (const rate of rates.length > 0 ? rates : [1_000, 10_000]) results.push(await measure(kafka.bootstrap, rate))
} finally {
  await kafka.stop()
}
const report = JSON.stringify(
  {
    benchmark: 'delay-queue',
    at: new Date().toISOString(),
    node: process.version,
    cores: cpus().length,
    seconds: SECONDS,
    valueBytes: 1024,
    delaysMs: [SHORTEST_MS, LONGEST_MS],
    results,
  },
  undefined,
  2,
)
await mkdir(RESULTS, { recursive: true })
await writeFile(`${RESULTS}delay-queue.json`, `${report}\n`)
console.log(report)
