// HTTP delivery of a pipeline to a local server that does nothing: calls a second at 64 in flight, how old records are when they come at a steady rate, and what
// 100,000 keys whose first record failed and waits take of memory.
//   node bench/http-delivery.ts [RECORDS [PART]]      default: 60000, all of load, steady, waiting; JSON to stdout and bench/results/http-delivery.json
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import kafkajs from 'kafkajs'
import { kind } from '../src/kinds/dead-letter-pipeline/index.ts'
import type { DeadLetterPipeline, DeadLetterPipelineSpec } from '../src/kinds/dead-letter-pipeline/resource.ts'
import type { WorkerProcess } from '../test/support/delay-queue/queue-on-kafka.ts'
import { createTopic } from '../test/support/delay-queue/queue-on-kafka.ts'
import { startKafka } from '../test/support/kafka.ts'
import { PlannedWorkers } from '../test/support/planned-workers.ts'
import { runLoad } from './measure/load.ts'
import { cpuMsOf, rssOf } from './measure/process.ts'

const RECORDS = Number(process.argv[2] ?? 60_000)
const PARTITIONS = 8
const PART = process.argv[3]
const VALUE_BYTES = 512
const STEADY_PER_SECOND = 500
const STEADY_S = 20
const KEYS = 100_000
/** So many keys with values of 512 bytes are more than the default memory budget of a worker: the partitions would wait. */
const KEYED_VALUE_BYTES = 100
const GIVE_UP_MS = 120_000
const RESULTS = fileURLToPath(new URL('results/', import.meta.url))

interface Counted {
  readonly count: number
  readonly firstAtMs: number
  readonly lastAtMs: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** A server process, until `stop`. */
async function answering(status: number) {
  const path = fileURLToPath(new URL('load/answering.ts', import.meta.url))
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', path, String(status)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const url = `http://127.0.0.1:${line.toString().trim()}/`
  return {
    url,
    counted: async (): Promise<Counted> => (await (await fetch(url)).json()) as Counted,
    stop: async (): Promise<void> => {
      child.stdin.end()
      await once(child, 'exit')
    },
  }
}

const pipeline = (name: string, url: string, more: Partial<DeadLetterPipelineSpec> = {}): DeadLetterPipeline => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DeadLetterPipeline',
  metadata: { name, namespace: 'bench', generation: 1 },
  spec: {
    connectionRef: { name: 'main' },
    source: { topic: `${name}.source`, group: `${name}-app` },
    delivery: { http: { url, maxInFlight: 64 } },
    ...more,
  },
})

async function until<Answer>(look: () => Promise<Answer | undefined>): Promise<Answer> {
  const deadlineMs = performance.now() + GIVE_UP_MS
  for (;;) {
    const answer = await look()
    if (answer !== undefined) return answer
    if (performance.now() > deadlineMs) throw new Error(`not within ${GIVE_UP_MS} ms`)
    await pause(200)
  }
}

/** Sum of a gauge or counter over its series. */
async function metric(worker: WorkerProcess, name: string): Promise<number> {
  const lines = (await worker.metrics()).split('\n').filter(line => line.startsWith(`${name}{`))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

const broker = await startKafka({ jvm: ['-Xms1g', '-Xmx1g', '-XX:+UseSerialGC'] })
const kafka = new kafkajs.Kafka({ brokers: [broker.bootstrap], logLevel: kafkajs.logLevel.NOTHING })

/** Runs a pipeline on a topic that is filled before; `measure` gets its worker once it is ready. */
async function running<Answer>(
  resource: DeadLetterPipeline,
  fill: (topic: string) => Promise<void>,
  measure: (worker: WorkerProcess, topic: string) => Promise<Answer>,
): Promise<Answer> {
  const { topic } = resource.spec.source
  const admin = kafka.admin()
  await admin.connect()
  await createTopic(admin, topic, PARTITIONS, {})
  await admin.disconnect()
  await fill(topic)
  const workers = await PlannedWorkers.create(kafka, broker.bootstrap, kind, resource, PARTITIONS)
  try {
    const worker = workers.start()
    await until(async () => ((await worker.ready()) ? true : undefined))
    return await measure(worker, topic)
  } finally {
    await workers.close()
  }
}

const load = (topic: string, count: number, perSecond: number, valueBytes = VALUE_BYTES): Promise<void> =>
  runLoad('keyed', [broker.bootstrap, topic, PARTITIONS, count, valueBytes, perSecond])

async function throughput() {
  const server = await answering(200)
  try {
    return await running(
      pipeline('load', server.url),
      topic => load(topic, RECORDS, 0),
      async worker => {
        const done = async (): Promise<true | undefined> =>
          (await metric(worker, 'sluice_pipeline_calls_total')) >= RECORDS ? true : undefined
        await until(done)
        const { count, firstAtMs, lastAtMs } = await server.counted()
        const pid = worker.pid ?? 0
        return {
          callsPerSecond: Math.round((count * 1_000) / (lastAtMs - firstAtMs)),
          workerCpuUsPerCall: Math.round(((await cpuMsOf(pid)) * 1_000) / count),
          workerRssBytes: await rssOf(pid),
        }
      },
    )
  } finally {
    await server.stop()
  }
}

/** From the producer's timestamp until the application has the request. */
async function overhead() {
  const server = await answering(200)
  try {
    return await running(
      pipeline('steady', server.url),
      topic => load(topic, PARTITIONS, 0),
      async (_, topic) => {
        await load(topic, STEADY_PER_SECOND * 5, STEADY_PER_SECOND)
        await pause(1_000)
        await server.counted()
        await load(topic, STEADY_PER_SECOND * STEADY_S, STEADY_PER_SECOND)
        await pause(1_000)
        const { count, p50Ms, p99Ms } = await server.counted()
        return { perSecond: STEADY_PER_SECOND, count, p50Ms, p99Ms }
      },
    )
  } finally {
    await server.stop()
  }
}

async function keys() {
  const server = await answering(503)
  const waiting = { ordering: 'Key' as const, retry: { maxAttempts: 4, backoff: { initial: '1h', max: '1h', jitter: 'None' as const } } }
  try {
    return await running(
      pipeline('keys', server.url, waiting),
      topic => load(topic, KEYS, 0, KEYED_VALUE_BYTES),
      async worker => {
        const beganMs = performance.now()
        const all = async (): Promise<true | undefined> =>
          (await metric(worker, 'sluice_pipeline_waiting_keys')) >= KEYS ? true : undefined
        await until(all)
        const tookMs = Math.round(performance.now() - beganMs)
        await pause(5_000)
        return { keys: KEYS, tookMs, workerRssBytes: await rssOf(worker.pid ?? 0) }
      },
    )
  } finally {
    await server.stop()
  }
}

try {
  const parts = { load: throughput, steady: overhead, waiting: keys }
  const measured: Record<string, unknown> = {}
  for (const [part, measure] of Object.entries(parts)) if (PART === undefined || PART === part) measured[part] = await measure()
  const about = { benchmark: 'http-delivery', at: new Date().toISOString(), node: process.version, cores: cpus().length }
  const report = JSON.stringify({ ...about, records: RECORDS, valueBytes: VALUE_BYTES, inFlight: 64, ...measured }, undefined, 2)
  await mkdir(RESULTS, { recursive: true })
  await writeFile(`${RESULTS}http-delivery.json`, `${report}\n`)
  console.log(report)
} finally {
  await broker.stop()
}
