// How many failing records a second come back from one retry hop of one second, beside Spring Kafka's retry topics: same broker, same records, in turn.
//   node bench/retries.ts [RECORDS [PHASE...]]      default: 200000 (a twentieth for Spring tuned, a two-hundredth at defaults), all phases
// `pipe`: the plain exactly-once pipe over the same failures. `hop`: failures stand in the retry topic, a worker starts, a read_committed consumer reads what it redelivers. `sluice`, `springTuned`, `springDefaults`: records
// stand in the source, an application fails each once and handles it when it comes back. JSON to stdout and bench/results/retries.json.
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import kafkajs from 'kafkajs'
import { kind } from '../src/kinds/dead-letter-pipeline/index.ts'
import type { DeadLetterPipeline } from '../src/kinds/dead-letter-pipeline/resource.ts'
import { createTopic } from '../test/support/delay-queue/queue-on-kafka.ts'
import { eventually } from '../test/support/eventually.ts'
import { startKafka } from '../test/support/kafka.ts'
import { PlannedWorkers } from '../test/support/planned-workers.ts'
import { runLoad } from './measure/load.ts'
import { cpuMsOf, peakRssOf } from './measure/process.ts'
import { TargetReader } from './measure/target-reader.ts'
import { RetryApplication } from './peer/retry-applications.ts'
import type { CameBack } from './peer/retry-applications.ts'

const RECORDS = Number(process.argv[2] ?? 200_000)
const PARTITIONS = 6
const VALUE_BYTES = 1024
const WAIT_MS = 1_000
const GIVE_UP_MS = 120_000
const RESULTS = fileURLToPath(new URL('results/', import.meta.url))

const kafka = await startKafka({ jvm: ['-Xms1g', '-Xmx1g', '-XX:+UseSerialGC'] })
const client = new kafkajs.Kafka({ brokers: [kafka.bootstrap], logLevel: kafkajs.logLevel.NOTHING })

const pipelineOf = (name: string, source: string): DeadLetterPipeline => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DeadLetterPipeline',
  metadata: { name, namespace: 'bench', generation: 1 },
  spec: {
    connectionRef: { name: 'main' },
    source: { topic: source, group: `${source}.group` },
    delivery: { topic: {} },
    retry: { maxAttempts: 2, backoff: { initial: `${WAIT_MS}ms`, factor: 1, max: `${WAIT_MS}ms`, jitter: 'None' } },
  },
})

/** Failures that stand in the retry topic already. */
async function hop(count: number) {
  const workers = await PlannedWorkers.create(client, kafka.bootstrap, kind, pipelineOf('hop', 'hop.orders'), PARTITIONS)
  try {
    await runLoad('failures', [kafka.bootstrap, 'bench.hop.retry', PARTITIONS, count, VALUE_BYTES])
    const reader = await TargetReader.open(kafka.bootstrap, 'bench.hop.redelivery', PARTITIONS)
    const worker = workers.start()
    const perSecond = await throughput(reader, count)
    const pid = worker.pid ?? 0
    const figures = {
      perSecond,
      workerCpuUsPerRecord: Math.round(((await cpuMsOf(pid)) * 1000) / count),
      workerPeakRssBytes: await peakRssOf(pid),
    }
    await reader.close()
    await worker.stop()
    return figures
  } finally {
    await workers.close()
  }
}

/** The plain exactly-once pipe of the same client over the same failures: it decides nothing and adds no headers. */
async function pipe(count: number) {
  const admin = client.admin()
  await admin.connect()
  for (const topic of ['pipe.in', 'pipe.out']) await createTopic(admin, topic, PARTITIONS, {})
  await admin.disconnect()
  await runLoad('failures', [kafka.bootstrap, 'pipe.in', PARTITIONS, count, VALUE_BYTES])
  const reader = await TargetReader.open(kafka.bootstrap, 'pipe.out', PARTITIONS)
  const ended = new AbortController()
  const piping = runLoad('plain-pipe', [kafka.bootstrap, 'pipe.in', 'pipe.out'], ended.signal)
  try {
    return { perSecond: await Promise.race([throughput(reader, count), piping.then(() => Promise.reject(new Error('the pipe ended')))]) }
  } finally {
    ended.abort()
    await piping.catch(() => undefined)
    await reader.close()
  }
}

/** Records a second from the first that a read_committed consumer has to the last. */
async function throughput(reader: TargetReader, total: number): Promise<number> {
  const deadlineMs = performance.now() + GIVE_UP_MS
  let [count, first, firstAtMs] = [0, 0, 0]
  while (count < total) {
    const { length } = await reader.poll()
    if (performance.now() > deadlineMs) throw new Error(`${count} of ${total} failures came back within ${GIVE_UP_MS} ms`)
    count += length
    if (first > 0 || length === 0) continue
    first = length
    firstAtMs = performance.now()
  }
  return Math.round(((count - first) * 1000) / (performance.now() - firstAtMs))
}

/** Records in the source, of which each fails once. */
async function sourceOf(name: string, count: number): Promise<string> {
  const admin = client.admin()
  await admin.connect()
  await createTopic(admin, name, PARTITIONS, {})
  await admin.disconnect()
  await runLoad('backlog', [kafka.bootstrap, name, PARTITIONS, count, VALUE_BYTES, 0, 0])
  return name
}

/** From the first failure to the last record that came back, without the wait: a peer that hands over slowly has redelivered the first ones meanwhile. */
async function figuresOf(application: RetryApplication) {
  try {
    const { count, beganMs, lastMs, ...rest } = await application.cameBack(GIVE_UP_MS)
    const tookMs = lastMs - beganMs - WAIT_MS
    return { count, perSecond: Math.round((count * 1000) / tookMs), latenessMs: latenessOf(rest), early: rest.early }
  } finally {
    await application.kill()
  }
}

const latenessOf = ({ p50Ms, maxMs }: Pick<CameBack, 'p50Ms' | 'maxMs'>) => ({ p50: p50Ms, max: maxMs })

async function ours(count: number) {
  const source = await sourceOf('ours.orders', count)
  const workers = await PlannedWorkers.create(client, kafka.bootstrap, kind, pipelineOf('ours', source), PARTITIONS)
  try {
    const worker = workers.start()
    await eventually('the worker ready', () => worker.ready(), 60_000)
    const application = RetryApplication.sluice(kafka.bootstrap, source, 'bench.ours', count, WAIT_MS)
    return await figuresOf(application)
  } finally {
    await workers.close()
  }
}

/** Counts the first `count` of a backlog that does not end meanwhile: at its end, Spring waits for a fetch after every failure. */
async function spring(count: number, mode: 'defaults' | 'tuned') {
  const source = await sourceOf(`spring-${mode}.orders`, count * 5)
  const application = await RetryApplication.spring(kafka.bootstrap, source, count, mode)
  return figuresOf(application)
}

const PHASES = {
  pipe: () => pipe(RECORDS),
  hop: () => hop(RECORDS),
  sluice: () => ours(RECORDS),
  springTuned: () => spring(Math.ceil(RECORDS / 20), 'tuned'),
  springDefaults: () => spring(Math.ceil(RECORDS / 200), 'defaults'),
}
type Phase = keyof typeof PHASES
const figures: Partial<Record<Phase, { readonly perSecond: number }>> = {}

try {
  const asked = process.argv.slice(3)
  for (const [phase, measure] of Object.entries(PHASES)) {
    if (asked.length > 0 && !asked.includes(phase)) continue
    figures[phase as Phase] = await measure()
    console.error(`${phase}: ${JSON.stringify(figures[phase as Phase])}`)
  }
} finally {
  await kafka.stop()
}
const ratioTo = (peer: Phase): number => Number(((figures.sluice?.perSecond ?? NaN) / (figures[peer]?.perSecond ?? NaN)).toFixed(1))
const report = JSON.stringify(
  {
    benchmark: 'retries',
    at: new Date().toISOString(),
    node: process.version,
    cores: cpus().length,
    records: RECORDS,
    valueBytes: VALUE_BYTES,
    partitions: PARTITIONS,
    waitMs: WAIT_MS,
    figures,
    ratioOfHopToPipe: Number(((figures.hop?.perSecond ?? NaN) / (figures.pipe?.perSecond ?? NaN)).toFixed(2)),
    ratioToSpringTuned: ratioTo('springTuned'),
    ratioToSpringDefaults: ratioTo('springDefaults'),
  },
  undefined,
  2,
)
await mkdir(RESULTS, { recursive: true })
await writeFile(`${RESULTS}retries.json`, `${report}\n`)
console.log(report)
