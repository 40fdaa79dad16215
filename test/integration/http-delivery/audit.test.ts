import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import type { Producer } from 'kafkajs'
import { kind } from '../../../src/kinds/dead-letter-pipeline/index.ts'
import type { DeadLetterPipeline } from '../../../src/kinds/dead-letter-pipeline/resource.ts'
import { createTopic } from '../../support/delay-queue/queue-on-kafka.ts'
import { Reader, headerText } from '../../support/delay-queue/reader.ts'
import { eventually } from '../../support/eventually.ts'
import { FAILURES, HttpApplication, answer } from '../../support/http-application.ts'
import type { Behaviour, Heard } from '../../support/http-application.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'
import { PlannedWorkers } from '../../support/planned-workers.ts'

const RECORDS = Number(process.env.SLUICE_HTTP_RECORDS ?? 1_200)
const KILLS = Number(process.env.SLUICE_HTTP_KILLS ?? 5)
const PARTITIONS = 4
const IN_FLIGHT = 32

jest.setTimeout(300_000)

let broker: Kafka
let kafka: KafkaJs
let workers: PlannedWorkers
let producer: Producer
let deadLetters: Reader
let application: HttpApplication
const closing: (() => Promise<unknown>)[] = []

/** Ids by what becomes of them: most are handled at once, some fail in every way there is and then succeed, a few never do. */
const failureNames = Object.keys(FAILURES)
const fateOf = (id: number): 'handled' | 'flaky' | 'rejected' | 'hopeless' | 'redirected' =>
  id % 10 === 3 ? 'flaky' : id % 50 === 7 ? 'rejected' : id % 50 === 17 ? 'hopeless' : id % 50 === 27 ? 'redirected' : 'handled'

/** Calls per record, as the application counts them. */
const attempts = new Map<string, number>()

const behave: Behaviour = (heard, response, socket) => {
  const id = Number(heard.body)
  const calls = (attempts.get(heard.body) ?? 0) + 1
  attempts.set(heard.body, calls)
  switch (fateOf(id)) {
    case 'rejected':
      answer(422)(heard, response, socket)
      return
    case 'hopeless':
      answer(500)(heard, response, socket)
      return
    case 'redirected':
      answer(302, { location: 'http://169.254.169.254/latest' })(heard, response, socket)
      return
    case 'flaky':
      if (calls === 1) {
        FAILURES[failureNames[((id / 10) % failureNames.length) | 0] ?? '500']?.(heard, response, socket)
        return
      }
      break
    case 'handled':
  }
  answer(200)(heard, response, socket)
}

beforeAll(async () => {
  broker = await startKafka()
  closing.push(() => broker.stop())
  kafka = new KafkaJs({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  await createTopic(admin, 'orders', PARTITIONS, {})
  await admin.disconnect()
  application = await HttpApplication.start(behave)
  closing.push(() => application.stop())
  const pipeline: DeadLetterPipeline = {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'DeadLetterPipeline',
    metadata: { name: 'p', namespace: 'shop', generation: 1 },
    spec: {
      connectionRef: { name: 'main' },
      source: { topic: 'orders', group: 'billing' },
      delivery: { http: { url: application.url(), timeout: '700ms', maxInFlight: IN_FLIGHT } },
      retry: { maxAttempts: 4, backoff: { initial: '100ms', factor: 2, max: '2s', jitter: 'None' } },
    },
  }
  workers = await PlannedWorkers.create(kafka, broker.bootstrap, kind, pipeline, PARTITIONS)
  closing.push(() => workers.close())
  producer = kafka.producer({ idempotent: true })
  await producer.connect()
  closing.push(() => producer.disconnect())
  deadLetters = await Reader.of(kafka, 'auditor', ['shop.p.dlq'])
  closing.push(() => deadLetters.close())
}, 60_000)

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
}, 60_000)

const handled = (): ReadonlySet<string> =>
  new Set(application.heard.filter(({ body }) => ['handled', 'flaky'].includes(fateOf(Number(body)))).map(({ body }) => body))

test('should handle or dead-letter every record through kills, repeating only what was in flight', async () => {
  const produce = (from: number, to: number): Promise<unknown> =>
    producer.send({
      topic: 'orders',
      messages: Array.from({ length: to - from }, (_, i) => ({
        key: `key-${(from + i) % 50}`,
        value: String(from + i),
        headers: { own: `h ${from + i}` },
      })),
    })
  const running = [workers.start(), workers.start()]
  await eventually('workers ready', async () => (await Promise.all(running.map(worker => worker.ready()))).every(Boolean), 60_000)
  const share = Math.ceil(RECORDS / (KILLS + 1))
  for (let kill = 0; kill <= KILLS; kill++) {
    const before = application.heard.length
    await produce(kill * share, Math.min(RECORDS, (kill + 1) * share))
    await eventually('calls', () => application.heard.length > before + share / 3, 60_000)
    if (kill === KILLS) break
    await running[kill % 2]!.kill()
    running[kill % 2] = workers.start()
  }
  const wanted = Array.from({ length: RECORDS }, (_, id) => String(id))
  const dead = (): ReadonlySet<string> => new Set(deadLetters.records.map(({ value }) => value?.toString() ?? ''))
  const missing = (): readonly string[] => {
    const [done, gone] = [handled(), dead()]
    return wanted.filter(id => !done.has(id) && !gone.has(id))
  }
  await eventually(`an end for every record`, () => missing().length === 0, 120_000).catch((error: unknown) => {
    throw new Error(
      `${String(error)}; missing ${missing().join()}; logs ${running.map(worker => worker.printed().slice(-3000)).join('\n')}`,
    )
  })
  await eventually(
    'every flaky one called again',
    () => wanted.filter(id => fateOf(Number(id)) === 'flaky').every(id => (attempts.get(id) ?? 0) >= 2),
    60_000,
  )
  audit(wanted)
  for (const worker of running) expect(await worker.stop()).toBe(0)
})

function audit(wanted: readonly string[]): void {
  const byId = Map.groupBy(application.heard, ({ body }) => body)
  const byFate = (fate: string): readonly string[] => wanted.filter(id => fateOf(Number(id)) === fate)
  // Each dead letter once, with its reason; nothing else is among them.
  const reasons = (id: string): readonly (readonly (string | undefined)[])[] =>
    deadLetters.records
      .filter(({ value }) => value?.toString() === id)
      .map(record => ['sluice-disposition', 'sluice-error-class', 'sluice-origin-topic'].map(name => headerText(record, name)))
  for (const id of byFate('rejected')) expect([id, reasons(id)]).toEqual([id, [['non-retriable', 'http.422', 'orders']]])
  for (const id of byFate('redirected')) expect([id, reasons(id)]).toEqual([id, [['non-retriable', 'http.302', 'orders']]])
  for (const id of byFate('hopeless')) expect([id, reasons(id)]).toEqual([id, [['exhausted', 'http.500', 'orders']]])
  expect(deadLetters.records).toHaveLength(byFate('rejected').length + byFate('redirected').length + byFate('hopeless').length)
  // One key for all deliveries of a record, and for no other's.
  const keys = new Set(wanted.flatMap(id => [...new Set(byId.get(id)?.map(({ headers }) => headers['idempotency-key']))]))
  expect(keys.size).toBe(wanted.length)
  // A delivery is made again only when a worker died over it: no more than were in flight, or answered and not committed.
  const doubles = wanted.flatMap(id => doublesOf(byId.get(id) ?? []))
  expect(doubles.length).toBeLessThanOrEqual(KILLS * 3 * IN_FLIGHT)
  expect(application.heard.filter(({ path }) => path !== '/orders')).toEqual([])
}

/** Calls with the number of an attempt that was made before. */
function doublesOf(calls: readonly Heard[]): readonly Heard[] {
  const seen = new Set<string>()
  return calls.filter(({ headers }) => {
    const attempt = headers['sluice-attempt'] ?? ''
    if (seen.has(attempt)) return true
    seen.add(attempt)
    return false
  })
}
