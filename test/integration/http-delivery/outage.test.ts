import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { eventually } from '../../support/eventually.ts'
import { answer } from '../../support/http-application.ts'
import type { Behaviour } from '../../support/http-application.ts'
import { CallingPipeline, range } from '../../support/http-delivery.ts'
import { startKafka } from '../../support/kafka.ts'
import type { Kafka } from '../../support/kafka.ts'

/** The back-off of two attempts passes several times over. 60 s and more by hand. */
const OUTAGE_MS = Number(process.env.SLUICE_HTTP_OUTAGE_MS ?? 6_000)

jest.setTimeout(OUTAGE_MS * 2 + 240_000)

let broker: Kafka
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  broker = await startKafka()
}, 60_000)

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
  await broker.stop()
}, 60_000)

test.each(['None', 'Key'] as const)('should dead-letter nothing in an outage and deliver all after it, ordering %s', async ordering => {
  let away = false
  const behave: Behaviour = (heard, response, socket) => {
    if (away) socket.resetAndDestroy()
    else answer(200)(heard, response, socket)
  }
  const pipeline = await CallingPipeline.create(broker.bootstrap, `outage-${ordering.toLowerCase()}`, 2, behave, {
    ordering,
    retry: { maxAttempts: 3, backoff: { initial: '200ms', max: '200ms', jitter: 'None' } },
    breaker: { failureRatio: '0.5', minimum: 5, window: '5s', probeInterval: '500ms' },
    http: { timeout: '500ms', maxInFlight: 16 },
  })
  closing.push(() => pipeline.close())
  const [worker] = await pipeline.start(1)
  const handled = new Set<string>()
  const count = (): number => {
    for (const { body } of pipeline.application.heard) if (!away) handled.add(body)
    return handled.size
  }
  const keyOf = (id: number): string => `k${id % 20}`
  await pipeline.produce(range(0, 100), keyOf)
  await eventually('the first records handled', () => count() === 100, 60_000)
  away = true
  const before = pipeline.application.heard.length
  await pipeline.produce(range(100, 300), keyOf)
  await eventually('the breaker open', async () => /^sluice_pipeline_breaker_open\{.*\} 1$/m.test((await worker?.metrics()) ?? ''), 60_000)
  await pause(OUTAGE_MS)
  const inOutage = pipeline.application.heard.length - before
  pipeline.application.heard.splice(0)
  away = false
  await eventually('every record handled', () => count() === 300, 60_000)
  expect(pipeline.deadLetters.records).toEqual([])
  // One probe per interval beside those in flight when it opened: it is left in peace.
  expect(inOutage).toBeLessThan(40 + OUTAGE_MS / 250)
  expect((await worker?.metrics()) ?? '').toMatch(/^sluice_pipeline_breaker_open\{.*\} 0$/m)
  expect(await worker?.stop()).toBe(0)
})

test('should keep the order of each key through failures and kills', async () => {
  const RECORDS = 400
  const KEYS = 16
  const calls = new Map<string, number>()
  /** As the application finished them, the first time. */
  const done: string[] = []
  const inWork = new Set<string>()
  let together = 0
  const behave: Behaviour = ({ body }, response) => {
    const id = Number(body)
    const key = String(id % KEYS)
    const made = (calls.get(body) ?? 0) + 1
    calls.set(body, made)
    if (inWork.has(key)) together += 1
    inWork.add(key)
    setTimeout(() => {
      inWork.delete(key)
      // One in nine fails twice, one in forty for ever.
      const status = id % 40 === 5 || (id % 9 === 4 && made <= 2) ? 503 : 200
      if (status === 200 && !done.includes(body)) done.push(body)
      response.writeHead(status).end()
    }, 2)
  }
  const pipeline = await CallingPipeline.create(broker.bootstrap, 'order', 4, behave, {
    ordering: 'Key',
    retry: { maxAttempts: 4, backoff: { initial: '100ms', max: '100ms', jitter: 'None' } },
    http: { timeout: '2s', maxInFlight: 16 },
  })
  closing.push(() => pipeline.close())
  const running = await pipeline.start(2)
  const hopeless = range(0, RECORDS).filter(id => id % 40 === 5)
  await pipeline.produce(range(0, RECORDS / 2), id => String(id % KEYS))
  await eventually('work under way', () => done.length > RECORDS / 8, 60_000)
  await running[0]!.kill()
  // Whoever dies over a call leaves the application at work on it.
  const survivors = [running[1]!, pipeline.startOne()]
  await pipeline.produce(range(RECORDS / 2, RECORDS), id => String(id % KEYS))
  await eventually('an end for every record', () => done.length + pipeline.dead.size >= RECORDS, 120_000)
  expect([...pipeline.dead].map(Number).toSorted((a, b) => a - b)).toEqual(hopeless)
  expect(pipeline.deadLetters.records).toHaveLength(hopeless.length)
  for (const ids of Map.groupBy(done.map(Number), id => id % KEYS).values()) expect(ids).toEqual(ids.toSorted((a, b) => a - b))
  // Two at once of a key only where the first one's caller was killed.
  expect(together).toBeLessThanOrEqual(KEYS)
  for (const worker of survivors) expect(await worker.stop()).toBe(0)
})
