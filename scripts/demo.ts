import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Admin } from 'kafkajs'
import kafkajs from 'kafkajs'
import { startKafka } from '../test/support/kafka.ts'
import { Arrivals } from './demonstration/arrivals.ts'
import { DEAD_LETTERS, OWN_TARGET, TARGET, showDelays } from './demonstration/delays.ts'
import { LEGACY, configsOf, showPolicies } from './demonstration/policies.ts'
import { showRedrive } from './demonstration/redrive.ts'
import { FlakyApplication, RETRY_DEAD_LETTERS, showRetries } from './demonstration/retries.ts'
import { SluiceRun } from './demonstration/sluice.ts'
import { Story } from './demonstration/story.ts'

const READY = [
  'KafkaConnection/main',
  'KafkaTopicPolicy/orders',
  'KafkaTopicPolicy/customers',
  'DelayQueue/pay-timeout',
  'DeadLetterPipeline/billing',
]

/** What was begun is ended in the opposite order, whatever happened. */
const endings: (() => Promise<void>)[] = []
async function end(): Promise<void> {
  for (const ending of endings.splice(0).reverse()) await ending()
}

async function main(): Promise<boolean> {
  const story = new Story('Sluice: topic policies, delayed messages, retries and a redrive on a real Kafka', 6)
  const bootstrap = await kafkaToUse(story)
  const kafka = new kafkajs.Kafka({ clientId: 'sluice-demo', brokers: bootstrap.split(','), logLevel: kafkajs.logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  endings.push(() => admin.disconnect())
  await prepareTopics(story, admin)
  await startSluice(story, bootstrap)

  story.chapter('What the policies made of the topics, as kafkajs reads it back from the broker')
  await showPolicies(story, admin)

  story.chapter('Messages that wait: sent and received by kafkajs')
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
  await producer.connect()
  endings.push(() => producer.disconnect())
  const arrivals = await Arrivals.at(kafka, [TARGET, OWN_TARGET, DEAD_LETTERS, RETRY_DEAD_LETTERS])
  endings.push(() => arrivals.stop())
  const run = randomBytes(3).toString('hex')
  await showDelays(story, producer, arrivals, run)

  story.chapter('An application that fails: what it hands over comes back after a wait')
  const application = await FlakyApplication.start(kafka, producer, run)
  endings.push(() => application.stop())
  await showRetries(story, application, producer, arrivals)

  story.chapter('The application is mended, and its dead letters are delivered again')
  await showRedrive(story, application, arrivals, bootstrap)
  await end()
  return story.end()
}

async function kafkaToUse(story: Story): Promise<string> {
  story.chapter('A Kafka, and a topic that was there before Sluice')
  const given = process.env.KAFKA_BOOTSTRAP
  if (given !== undefined && given !== '') {
    story.say(`using the Kafka at ${given} (KAFKA_BOOTSTRAP)`)
    return given
  }
  const startedMs = Date.now()
  const kafka = await startKafka()
  endings.push(() => kafka.stop())
  story.say(`a Kafka of our own at ${kafka.bootstrap}, started in ${((Date.now() - startedMs) / 1_000).toFixed(1)} s`)
  return kafka.bootstrap
}

/** Two topics exist before Sluice comes. What the demo makes in somebody's cluster goes at the end. */
async function prepareTopics(story: Story, admin: Admin): Promise<void> {
  const before = new Set(await admin.listTopics())
  const configEntries = Object.entries(LEGACY.configs).map(([name, value]) => ({ name, value }))
  const missing = [
    { topic: LEGACY.topic, numPartitions: 2, configEntries },
    { topic: OWN_TARGET, numPartitions: 1 },
  ].filter(({ topic }) => !before.has(topic))
  if (missing.length > 0) await admin.createTopics({ topics: missing, waitForLeaders: true })
  endings.push(() => forget(admin, before))
  const configs = (await configsOf(admin, [LEGACY.topic])).get(LEGACY.topic)
  story.say(
    `${LEGACY.topic} is somebody's: retention.ms=${configs?.get('retention.ms') ?? '?'} compression.type=${configs?.get('compression.type') ?? '?'}`,
  )
}

async function forget(admin: Admin, before: ReadonlySet<string>): Promise<void> {
  // A broker of our own is thrown away as a whole.
  if (process.env.KAFKA_BOOTSTRAP === undefined || process.env.KAFKA_BOOTSTRAP === '') return
  const ours = (await admin.listTopics()).filter(topic => !before.has(topic) && /^(orders|customers|default)\./.test(topic))
  if (ours.length > 0) await admin.deleteTopics({ topics: ours })
}

async function startSluice(story: Story, bootstrap: string): Promise<void> {
  const state = await mkdtemp(join(tmpdir(), 'sluice-demo-'))
  endings.push(() => rm(state, { recursive: true, force: true }))
  const startedMs = Date.now()
  let quiet = false
  const line = (text: string): void => {
    if (!quiet) story.say(`| ${text}`)
  }
  story.chapter('Sluice reconciles the samples')
  const sluice = new SluiceRun({ bootstrap, state, line })
  endings.push(() => sluice.stop())
  story.say(`$ ${sluice.command}`)
  const complaints = await sluice.notReady(READY)
  quiet = true
  const seconds = ((Date.now() - startedMs) / 1_000).toFixed(1)
  story.check(
    `a connection, two policies, a delay queue and a pipeline with their workers are ready after ${seconds} s`,
    complaints.length === 0,
    complaints.join('\n       '),
  )
  if (complaints.length > 0) throw new Error('without these there is nothing to show')
}

// kafkajs computes negative time-outs on Node 24, which is harmless and would be printed once a second.
process.removeAllListeners('warning')
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void end().finally(() => process.exit(130))
  })
}
try {
  process.exitCode = (await main()) ? 0 : 1
} catch (error) {
  process.stderr.write(`\nerror: ${error instanceof Error ? error.message : String(error)}\n`)
  await end()
  process.exitCode = 1
}
