// How late delayed messages come, and whether one worker keeps up: broker, load, worker and reader share the machine.
//   node bench/delay-queue.ts [RATE...]      messages/s, default: 1000 10000; JSON to stdout and bench/results/delay-queue.json
import { spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import kafkajs from 'kafkajs'
import { confluentLog } from '../src/kafka/confluent-log.ts'
import type { LogReader } from '../src/kafka/log.ts'
import { QueueOnKafka } from '../test/support/delay-queue/queue-on-kafka.ts'
import { startKafka } from '../test/support/kafka.ts'

const SECONDS = Number(process.env.BENCH_SECONDS ?? 60)
const SHORTEST_MS = 1_000
const LONGEST_MS = 10_000
const PARTITIONS = 6
const GIVE_UP_MS = 60_000
const LOAD = fileURLToPath(new URL('load/delayed-messages.ts', import.meta.url))
const RESULTS = fileURLToPath(new URL('results/', import.meta.url))

interface Lateness {
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}
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
  const reader = await confluentLog({ bootstrapServers: [bootstrap] }, { clientId: 'bench' }).reader()
  try {
    const worker = queue.start()
    await queue.allOwned([worker])
    await reader.assign(Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: target, partition, offset: 0 })))
    const sent = perSecond * SECONDS
    const before = { cpuMs: await cpuMsOf(worker.pid ?? 0), atMs: performance.now() }
    const load = send(bootstrap, queue.topic('in'), perSecond)
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

function send(bootstrap: string, topic: string, perSecond: number): Promise<void> {
  const args = [LOAD, bootstrap, topic, PARTITIONS, perSecond, SECONDS, SHORTEST_MS, LONGEST_MS].map(String)
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  return new Promise((resolve, reject) =>
    child.once('exit', code => {
      if (code === 0) resolve()
      else reject(new Error(`the load generator ended with ${code}`))
    }),
  )
}

/** Lateness of each message in the order of arrival, by this process's clock: it is the broker's and the worker's as well. */
async function receive(reader: LogReader, expected: number): Promise<Float64Array> {
  const latenessMs = new Float64Array(expected)
  const deadlineMs = performance.now() + SECONDS * 1000 + LONGEST_MS + GIVE_UP_MS
  let count = 0
  while (count < expected && performance.now() < deadlineMs) {
    const { records } = await reader.poll(5_000, 20)
    const now = Date.now()
    for (const { headers } of records) {
      const dueMs = Number(headers.find(([name]) => name === 'sluice-scheduled-for')?.[1]?.toString())
      latenessMs[count++] = now - dueMs
    }
  }
  return latenessMs.subarray(0, count)
}

function latenessOf(latenessMs: Float64Array): Lateness {
  const sorted = latenessMs.toSorted()
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
  return { p50Ms: at(0.5), p90Ms: at(0.9), p99Ms: at(0.99), maxMs: at(1) }
}

const sixths = (latenessMs: Float64Array): readonly Float64Array[] =>
  Array.from({ length: 6 }, (_, i) => latenessMs.subarray((i * latenessMs.length) / 6, ((i + 1) * latenessMs.length) / 6))

async function cpuMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // Clock ticks of 10 ms on every Linux that Node runs on.
  return (Number(fields[11]) + Number(fields[12])) * 10
}

async function rssOf(pid: number): Promise<number> {
  return Number(/VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
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
