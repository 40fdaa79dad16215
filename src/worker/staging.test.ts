import { expect, test } from '@jest/globals'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../api/clock.ts'
import type { GroupConsumer, TransactionalProducer } from '../kafka/log.ts'
import { createLogger } from '../observability/logger.ts'
import { createMetrics } from '../observability/metrics.ts'
import { copyKind } from '../../test/support/worker/copy-kind.ts'
import { Doorbell } from './doorbell.ts'
import { Hosted } from './hosted.ts'
import { LONGEST_LEAD_MS } from './lead.ts'
import { WorkerMetrics } from './metrics.ts'
import { Transactions } from './transactions.ts'

const START_MS = 1_000_000
const DUE_MS = START_MS + 500

/** Time passes when a test says so; the wall clock can be set apart from it. */
class ManualClock implements Clock {
  wallMs = START_MS
  #monotonicMs = 0
  readonly #sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>()

  now(): number {
    return this.wallMs
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const sleeper = {
        atMs: this.#monotonicMs + delayMs,
        wake: () => {
          this.#sleepers.delete(sleeper)
          resolve()
        },
      }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', sleeper.wake)
    })
  }

  /** A millisecond at a time, with what it sets off. */
  async pass(ms: number): Promise<void> {
    for (let i = 0; i < ms; i++) {
      this.wallMs++
      this.#monotonicMs++
      for (const sleeper of [...this.#sleepers]) if (sleeper.atMs <= this.#monotonicMs) sleeper.wake()
      for (let turn = 0; turn < 5; turn++) await nextTurn()
    }
  }
}

type Event = readonly [what: 'begin' | 'offsets' | 'commit' | 'abort', wallMs: number]

/** A task with one message, due at `DUE_MS`, and everything that is done to the producer for it. */
function aWorker() {
  const clock = new ManualClock()
  const events: Event[] = []
  const hosted = new Hosted(copyKind.tasks({ kind: 'Copy', name: 'copy', config: { prefix: 'c' } }, 'test'), 0)
  let waiting = true
  Object.assign(hosted, { claimed: true, state: 'running' })
  Object.assign(hosted.task, {
    propose: (now: number, _limit: number, _routing: unknown, dueBy = now) => {
      const offsets = [{ topic: 'c.in', partition: 0, offset: 1, metadata: '' }]
      return waiting && dueBy >= DUE_MS ? { outputs: [], offsets, notBefore: DUE_MS, token: undefined } : undefined
    },
    committed: () => {
      waiting = false
      return []
    },
    wakeAt: () => (waiting ? DUE_MS : undefined),
  })
  const done = (what: Event[0]) => () => {
    events.push([what, clock.wallMs])
    return Promise.resolve()
  }
  const producer = { begin: done('begin'), sendOffsets: done('offsets'), commit: done('commit'), abort: done('abort'), refusals: () => [] }
  const bell = new Doorbell(clock)
  const transactions = new Transactions({
    producer: producer as unknown as TransactionalProducer,
    transactionalId: 'a',
    member: () => ({}) as GroupConsumer,
    tasks: () => [hosted],
    routing: { partitions: () => 1, choose: () => 0 },
    bell,
    clock,
    metrics: new WorkerMetrics(createMetrics(), [hosted.family], clock),
    logger: createLogger({ level: 'silent' }),
    advanced: () => undefined,
    stop: (_, error) => {
      throw error
    },
    failed: error => {
      throw error
    },
  })
  const run = transactions.run()
  const end = async (): Promise<void> => {
    const stopped = transactions.stop()
    await clock.pass(LONGEST_LEAD_MS)
    await stopped
    await run
  }
  return { clock, events, hosted, transactions, end }
}

const whatOf = (events: readonly Event[]): readonly string[] => events.map(([what]) => what)

test('should stage what is due soon, and commit it when it is due', async () => {
  const { clock, events, end } = aWorker()
  await clock.pass(600)
  expect(whatOf(events)).toEqual(['begin', 'offsets', 'commit'])
  const [[, begunMs] = ['', 0], , [, committedMs] = ['', 0]] = events
  expect(begunMs).toBeLessThan(DUE_MS)
  expect(begunMs).toBeGreaterThanOrEqual(DUE_MS - LONGEST_LEAD_MS - 1)
  expect(committedMs).toBe(DUE_MS)
  await end()
})

/** To the middle of the wait between the offsets and the commit. */
async function staged(worker: ReturnType<typeof aWorker>): Promise<void> {
  while (!whatOf(worker.events).includes('offsets')) await worker.clock.pass(1)
  expect(worker.clock.wallMs).toBeLessThan(DUE_MS)
}

test('should abort what is staged when its partition is lost', async () => {
  const worker = aWorker()
  await staged(worker)
  Object.assign(worker.hosted, { leaving: true, lost: true })
  await worker.clock.pass(LONGEST_LEAD_MS)
  expect(whatOf(worker.events)).toEqual(['begin', 'offsets', 'abort'])
  await worker.end()
})

test('should commit what is staged before it lets a partition go in order', async () => {
  const worker = aWorker()
  await staged(worker)
  worker.hosted.leaving = true
  let settled = false
  void worker.transactions.settled().then(() => (settled = true))
  await worker.clock.pass(LONGEST_LEAD_MS)
  expect(settled).toBe(true)
  expect(worker.events.at(-1)).toEqual(['commit', DUE_MS])
  await worker.end()
})

test('should not write what is staged when the session has failed', async () => {
  const worker = aWorker()
  await staged(worker)
  worker.transactions.abandon()
  await worker.clock.pass(LONGEST_LEAD_MS)
  expect(whatOf(worker.events)).toEqual(['begin', 'offsets', 'abort'])
  await worker.end()
})

test('should abort when the clock is set back meanwhile, and commit when it says that the message is due', async () => {
  const worker = aWorker()
  await staged(worker)
  worker.clock.wallMs -= 300
  await worker.clock.pass(3 * LONGEST_LEAD_MS)
  expect(whatOf(worker.events)).toEqual(['begin', 'offsets', 'abort'])
  await worker.clock.pass(400)
  expect(whatOf(worker.events).slice(3)).toEqual(['begin', 'offsets', 'commit'])
  expect(worker.events.at(-1)).toEqual(['commit', DUE_MS])
  await worker.end()
})
