// How long until thousands of existing topics are as a policy says, and what it costs to keep them so.
//   node bench/policy.ts [TOPICS...]      default: 1000 5000; JSON to stdout and bench/results/policy.json
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import kafkajs from 'kafkajs'
import type { Admin } from 'kafkajs'
import { platformaticAdmin } from '../src/kafka/platformatic-admin.ts'
import type { KafkaTopicPolicy } from '../src/kinds/kafka-topic-policy/resource.ts'
import { startKafka } from '../test/support/kafka.ts'
import type { Kafka } from '../test/support/kafka.ts'
import { startSluiceRun } from '../test/support/sluice-run.ts'
import { cpuMsOf, rssOf } from './measure/process.ts'

const { ConfigResourceTypes, Kafka: KafkaJs, logLevel } = kafkajs
const RETENTION_MS = 7 * 86_400_000
const REST_MS = Number(process.env.BENCH_REST_MS ?? 60_000)
const RESULTS = fileURLToPath(new URL('results/', import.meta.url))

interface Result {
  readonly topics: number
  /** From the start of the operator's process until another client sees every config right. */
  readonly allRightMs: number
  /** From the same start until the status says so. */
  readonly readyMs: number
  /** Share of one core while nothing changes. */
  readonly cpuShareAtRest: number
  /** Config changes that the brokers logged, and status files written, while nothing changes. */
  readonly writesAtRest: number
  readonly rssBytes: number
}

async function measure(topics: number): Promise<Result> {
  const kafka = await startKafka({ jvm: ['-Xms512m', '-Xmx1g', '-XX:+UseSerialGC'] })
  const independent = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).admin()
  try {
    await independent.connect()
    const names = await createTopics(kafka, topics)
    return await underPolicy(kafka, independent, names)
  } finally {
    await independent.disconnect()
    await kafka.stop()
  }
}

async function createTopics(kafka: Kafka, count: number): Promise<readonly string[]> {
  const admin = platformaticAdmin({ bootstrapServers: [kafka.bootstrap] }, { clientId: 'bench' })
  const names = Array.from({ length: count }, (_, i) => `bench.topic-${i}`)
  const outcomes = await admin.createTopics(
    names.map(name => ({ name, partitions: 1, replicationFactor: 1, configs: { 'segment.bytes': '10485760' } })),
  )
  const failed = [...outcomes.values()].find(error => error !== undefined)
  if (failed !== undefined) throw failed
  while ((await admin.listTopics()).length < count) await pause(100)
  await admin.close()
  return names
}

async function underPolicy(kafka: Kafka, independent: Admin, names: readonly string[]): Promise<Result> {
  const startMs = performance.now()
  const sluice = await startSluiceRun()
  try {
    await sluice.apply('KafkaConnection', 'main', { bootstrapServers: [kafka.bootstrap] })
    await sluice.apply('KafkaTopicPolicy', 'all', {
      connectionRef: { name: 'main' },
      selector: { prefixes: ['bench.'] },
      retention: { time: '7d', sizePerPartition: '1Gi' },
      cleanup: 'Delete',
      segment: { time: '1d' },
      config: { 'max.message.bytes': '2097152' },
    })
    while (!(await allRight(independent, names))) await pause(100)
    const allRightMs = performance.now() - startMs
    await sluice.settled<KafkaTopicPolicy>('KafkaTopicPolicy', 'all', ({ status }) => status?.topics?.compliant === names.length, 120_000)
    const readyMs = performance.now() - startMs
    const atRest = await rest(sluice.pid, kafka, () => sluice.read('KafkaTopicPolicy', 'all'))
    return { topics: names.length, allRightMs: Math.round(allRightMs), readyMs: Math.round(readyMs), ...atRest }
  } finally {
    await sluice.stop()
  }
}

/** The last topic of the last batch tells cheaply whether asking for all of them is worth it. */
async function allRight(independent: Admin, names: readonly string[]): Promise<boolean> {
  const last = names.at(-1)
  if (last === undefined || !(await areRight(independent, [last]))) return false
  for (let i = 0; i < names.length; i += 500) if (!(await areRight(independent, names.slice(i, i + 500)))) return false
  return true
}

const WANTED = { 'retention.ms': String(RETENTION_MS), 'max.message.bytes': '2097152', 'segment.bytes': '10485760' }

async function areRight(independent: Admin, names: readonly string[]): Promise<boolean> {
  const { resources } = await independent.describeConfigs({
    includeSynonyms: false,
    resources: names.map(name => ({ type: ConfigResourceTypes.TOPIC, name, configNames: Object.keys(WANTED) })),
  })
  return resources.every(({ configEntries }) =>
    Object.entries(WANTED).every(([key, value]) => configEntries.find(entry => entry.configName === key)?.configValue === value),
  )
}

/** Everything a converged operator does in `REST_MS`, the first seconds after convergence left out. */
async function rest(
  pid: number,
  kafka: Kafka,
  status: () => Promise<unknown>,
): Promise<Pick<Result, 'cpuShareAtRest' | 'writesAtRest' | 'rssBytes'>> {
  await pause(5_000)
  const before = {
    cpuMs: await cpuMsOf(pid),
    metadata: await metadataEnd(kafka),
    status: JSON.stringify(await status()),
    atMs: performance.now(),
  }
  await pause(REST_MS)
  const elapsedMs = performance.now() - before.atMs
  const cpuShareAtRest = ((await cpuMsOf(pid)) - before.cpuMs) / elapsedMs
  const statusWrites = JSON.stringify(await status()) === before.status ? 0 : 1
  return {
    cpuShareAtRest: Number(cpuShareAtRest.toFixed(4)),
    writesAtRest: (await metadataEnd(kafka)) - before.metadata + statusWrites,
    rssBytes: await rssOf(pid),
  }
}

/** Config records that the controller ever wrote for topics, counted in its own log: no client has a say in it. */
async function metadataEnd(kafka: Kafka): Promise<number> {
  const log = await readFile(`${kafka.dir}/data/__cluster_metadata-0/00000000000000000000.log`)
  let count = 0
  for (let at = log.indexOf('retention.ms'); at >= 0; at = log.indexOf('retention.ms', at + 1)) count++
  return count
}

const pause = (delayMs: number) => new Promise(resolve => setTimeout(resolve, delayMs))

const sizes = process.argv.slice(2).map(Number)
const results: Result[] = []
for (const topics of sizes.length > 0 ? sizes : [1_000, 5_000]) results.push(await measure(topics))
const report = JSON.stringify(
  { benchmark: 'policy', at: new Date().toISOString(), node: process.version, cores: cpus().length, restMs: REST_MS, results },
  undefined,
  2,
)
await mkdir(RESULTS, { recursive: true })
await writeFile(`${RESULTS}policy.json`, `${report}\n`)
console.log(report)
