// How fast a redrive delivers dead letters again, unlimited and at a given rate, and what memory its worker takes.
//   node bench/redrive.ts [RECORDS [RATE]]      default: 300000 5000 (0: unlimited only); JSON to stdout and bench/results/redrive.json
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import kafkajs from 'kafkajs'
import type { RedriveConfig } from '../src/kinds/dead-letter-redrive/config.ts'
import { redriveGroup } from '../src/kinds/dead-letter-redrive/plan.ts'
import type { Contract } from '../src/worker/contract.ts'
import { createTopic, startWorkerProcess } from '../test/support/delay-queue/queue-on-kafka.ts'
import { startKafka } from '../test/support/kafka.ts'
import { runLoad } from './measure/load.ts'
import { cpuMsOf, peakRssOf } from './measure/process.ts'
import { TargetReader } from './measure/target-reader.ts'

const RECORDS = Number(process.argv[2] ?? 300_000)
const RATE = Number(process.argv[3] ?? 5_000)
/** Of the measurement at a rate. */
const RATE_SECONDS = 10
const PARTITIONS = 6
const VALUE_BYTES = 200
const GIVE_UP_MS = 120_000
const RESULTS = fileURLToPath(new URL('results/', import.meta.url))

const kafka = await startKafka({ jvm: ['-Xms1g', '-Xmx1g', '-XX:+UseSerialGC'] })
const client = new kafkajs.Kafka({ brokers: [kafka.bootstrap], logLevel: kafkajs.logLevel.NOTHING })
const dir = await mkdtemp(join(tmpdir(), 'sluice-bench-'))

async function redrive(name: string, count: number, ratePerSecond?: number) {
  const topic = (role: string): string => `bench.${name}.${role}`
  const admin = client.admin()
  await admin.connect()
  for (const role of ['dlq', 'handled', 'audit', 'redelivery']) await createTopic(admin, topic(role), PARTITIONS, {})
  await runLoad('failures', [kafka.bootstrap, topic('dlq'), PARTITIONS, count, VALUE_BYTES])
  const ends = await admin.fetchTopicOffsets(topic('dlq'))
  await admin.disconnect()
  const config: RedriveConfig = {
    run: `bench/${name}/1`,
    by: 'bench',
    pipeline: `bench/${name}`,
    action: 'Redrive',
    topics: { deadLetter: topic('dlq'), handled: topic('handled'), audit: topic('audit'), target: topic('redelivery') },
    topicId: 'bench',
    bounds: Array.from({ length: PARTITIONS }, (_, at) => [0, Number(ends.find(({ partition }) => partition === at)?.offset)]),
    select: { all: true },
    ...(ratePerSecond !== undefined && { ratePerSecond }),
    dryRun: false,
    maxRedrives: 3,
    setHeaders: {},
    removeHeaders: [],
  }
  const contract: Contract = {
    version: 1,
    generation: 1,
    namespace: 'bench',
    group: redriveGroup('bench', name),
    connection: { bootstrapServers: [kafka.bootstrap] },
    resources: [{ kind: 'DeadLetterRedrive', name, config }],
    memoryBudgetBytes: 128 * 2 ** 20,
  }
  const file = join(dir, `${name}.json`)
  await writeFile(file, JSON.stringify(contract))
  const reader = await TargetReader.open(kafka.bootstrap, topic('redelivery'), PARTITIONS)
  const worker = startWorkerProcess(file)
  try {
    const perSecond = await throughput(reader, count)
    const pid = worker.pid ?? 0
    const cpuUsPerRecord = Math.round(((await cpuMsOf(pid)) * 1000) / count)
    return { count, perSecond, workerCpuUsPerRecord: cpuUsPerRecord, workerPeakRssBytes: await peakRssOf(pid) }
  } finally {
    await reader.close()
    await worker.stop()
  }
}

/** Records a second from the first that a read_committed consumer has to the last. */
async function throughput(reader: TargetReader, total: number): Promise<number> {
  const deadlineMs = performance.now() + GIVE_UP_MS
  let [count, first, firstAtMs] = [0, 0, 0]
  while (count < total) {
    const { length } = await reader.poll()
    if (performance.now() > deadlineMs) throw new Error(`${count} of ${total} dead letters were redriven within ${GIVE_UP_MS} ms`)
    count += length
    if (first > 0 || length === 0) continue
    first = length
    firstAtMs = performance.now()
  }
  return Math.round(((count - first) * 1000) / (performance.now() - firstAtMs))
}

try {
  const unlimited = await redrive('unlimited', RECORDS)
  console.error(`unlimited: ${JSON.stringify(unlimited)}`)
  const rated = RATE > 0 ? { rate: RATE, ...(await redrive('rated', RATE * RATE_SECONDS, RATE)) } : undefined
  console.error(`at a rate: ${JSON.stringify(rated)}`)
  const report = JSON.stringify(
    {
      benchmark: 'redrive',
      at: new Date().toISOString(),
      node: process.version,
      cores: cpus().length,
      partitions: PARTITIONS,
      valueBytes: VALUE_BYTES,
      unlimited,
      ...(rated && { rated: { ...rated, offBy: Number((rated.perSecond / RATE - 1).toFixed(3)) } }),
    },
    undefined,
    2,
  )
  await mkdir(RESULTS, { recursive: true })
  await writeFile(`${RESULTS}redrive.json`, `${report}\n`)
  console.log(report)
} finally {
  await rm(dir, { recursive: true, force: true })
  await kafka.stop()
}
