import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { headerText } from '../../support/delay-queue/reader.ts'
import { eventually } from '../../support/eventually.ts'
import { FAILURES, answer } from '../../support/http-application.ts'
import type { Behaviour } from '../../support/http-application.ts'
import { CallingPipeline, doublesOf, range } from '../../support/http-delivery.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'

const RECORDS = Number(process.env.SLUICE_HTTP_RECORDS ?? 1_200)
const KILLS = Number(process.env.SLUICE_HTTP_KILLS ?? 5)
const PARTITIONS = 4
const IN_FLIGHT = 32

jest.setTimeout(300_000)

let broker: Kafka
let pipeline: CallingPipeline

type Fate = 'handled' | 'flaky' | 'rejected' | 'hopeless' | 'redirected'

/** Most records are handled at once, some fail in one of all ways there are and then succeed, a few never do. */
function fateOf(id: number): Fate {
  if (id % 10 === 3) return 'flaky'
  const rare: Readonly<Record<number, Fate>> = { 7: 'rejected', 17: 'hopeless', 27: 'redirected' }
  return rare[id % 50] ?? 'handled'
}

const failures = Object.values(FAILURES)
const calls = new Map<number, number>()

const behave: Behaviour = (heard, response, socket) => {
  const id = Number(heard.body)
  const count = (calls.get(id) ?? 0) + 1
  calls.set(id, count)
  const replies: Readonly<Record<Fate, Behaviour | undefined>> = {
    handled: answer(200),
    flaky: count === 1 ? failures[Math.floor(id / 10) % failures.length] : answer(200),
    rejected: answer(422),
    hopeless: answer(500),
    redirected: answer(302, { location: 'http://169.254.169.254/latest' }),
  }
  replies[fateOf(id)]?.(heard, response, socket)
}

beforeAll(async () => {
  broker = await startKafka()
  pipeline = await CallingPipeline.create(broker.bootstrap, 'p', PARTITIONS, behave, {
    http: { timeout: '700ms', maxInFlight: IN_FLIGHT },
    retry: { maxAttempts: 4, backoff: { initial: '100ms', factor: 2, max: '2s', jitter: 'None' } },
  })
}, 60_000)

afterAll(async () => {
  await pipeline.close()
  await broker.stop()
}, 60_000)

const ids = range(0, RECORDS)
const with_ = (fate: Fate): readonly number[] => ids.filter(id => fateOf(id) === fate)

test('should handle or dead-letter every record through kills, repeating only what was in flight', async () => {
  const { application } = pipeline
  const running = await pipeline.start(2)
  const share = Math.ceil(RECORDS / (KILLS + 1))
  for (let kill = 0; kill <= KILLS; kill++) {
    const before = application.heard.length
    await pipeline.produce(range(kill * share, Math.min(RECORDS, (kill + 1) * share)), id => `key-${id % 50}`)
    await eventually('calls', () => application.heard.length > before + share / 3, 60_000)
    if (kill === KILLS) break
    await running[kill % 2]!.kill()
    running[kill % 2] = pipeline.startOne()
  }
  const ended = (id: number): boolean => {
    const count = calls.get(id) ?? 0
    const fate = fateOf(id)
    return fate === 'handled' ? count > 0 : fate === 'flaky' ? count > 1 : pipeline.dead.has(String(id))
  }
  await eventually('an end for every record', () => ids.every(ended), 120_000)
  audit()
  for (const worker of running) expect(await worker.stop()).toBe(0)
})

function audit(): void {
  const { deadLetters, application } = pipeline
  // Each dead letter once, with its reason; nothing else is among them.
  const reasons = deadLetters.records.map(record => [
    Number(record.value?.toString()),
    ...['sluice-disposition', 'sluice-error-class', 'sluice-origin-topic'].map(name => headerText(record, name)),
  ])
  const wanted = [
    ...with_('rejected').map(id => [id, 'non-retriable', 'http.422', 'p.orders']),
    ...with_('redirected').map(id => [id, 'non-retriable', 'http.302', 'p.orders']),
    ...with_('hopeless').map(id => [id, 'exhausted', 'http.500', 'p.orders']),
  ]
  const byId = (a: readonly unknown[], b: readonly unknown[]): number => Number(a[0]) - Number(b[0])
  expect(reasons.toSorted(byId)).toEqual(wanted.toSorted(byId))
  // One key for all deliveries of a record, and for no other's.
  const heard = Map.groupBy(application.heard, ({ body }) => Number(body))
  const keys = ids.map(id => new Set(heard.get(id)?.map(({ headers }) => headers['idempotency-key'])))
  expect(keys.filter(({ size }) => size !== 1)).toEqual([])
  expect(new Set(keys.flatMap(each => [...each])).size).toBe(RECORDS)
  // A delivery is made again only when a worker died over it: of those that were in flight, or answered and not committed by their task.
  const doubles = ids.flatMap(id => doublesOf(heard.get(id) ?? []))
  expect(doubles.length).toBeLessThanOrEqual(KILLS * (2 * PARTITIONS + 1) * IN_FLIGHT)
  expect(application.heard.filter(({ path }) => path !== '/orders')).toEqual([])
}
