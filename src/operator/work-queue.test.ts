import { describe, expect, test } from '@jest/globals'
import { FakeClock, settle } from '../../test/support/fakes/clock.ts'
import { WorkQueue } from './work-queue.ts'

function aQueue(random = () => 1) {
  const clock = new FakeClock()
  const stop = new AbortController()
  const worked: string[] = []
  const queue = new WorkQueue({ clock, backoffInitialMs: 1_000, backoffMaxMs: 300_000, random })
  const run = (work = (key: string): Promise<void> => Promise.resolve(void worked.push(key)), concurrency = 1) =>
    queue.run(stop.signal, concurrency, work)
  return { clock, queue, run, worked, stop }
}

describe('work queue', () => {
  test('should run a key once however often it was added', async () => {
    const { queue, run, worked, stop } = aQueue()
    queue.add('a')
    queue.add('b')
    queue.add('a')
    const running = run()
    await settle()
    expect(worked).toEqual(['a', 'b'])
    stop.abort()
    await running
  })

  test('should run a key again, and never twice at a time, when it is added while it runs', async () => {
    const { queue, run, stop } = aQueue()
    const finish: (() => void)[] = []
    let most = 0
    let now = 0
    queue.add('a')
    const running = run(async () => {
      most = Math.max(most, ++now)
      await new Promise<void>(resolve => finish.push(resolve))
      now--
    }, 4)
    await settle()
    queue.add('a')
    queue.add('a')
    await settle()
    expect(finish).toHaveLength(1)
    finish[0]!()
    await settle()
    expect(finish).toHaveLength(2)
    expect(most).toBe(1)
    finish[1]!()
    stop.abort()
    await running
    expect(finish).toHaveLength(2)
  })

  test('should double the wait of a failing key up to the longest and start anew after success', () => {
    const { queue } = aQueue()
    const waits = Array.from({ length: 11 }, () => queue.retry('a'))
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map(seconds => seconds * 1_000))
    expect(queue.retry('b')).toBe(1_000)
    queue.forget('a')
    expect(queue.retry('a')).toBe(1_000)
  })

  test('should take half of a wait at random', () => {
    expect(aQueue(() => 0).queue.retry('a')).toBe(500)
    expect(aQueue(() => 0.5).queue.retry('a')).toBe(750)
  })

  test('should add a key after the earliest of its delays, once', async () => {
    const { clock, queue, run, worked, stop } = aQueue()
    const running = run()
    queue.addAfter('a', 500)
    queue.addAfter('a', 200)
    queue.addAfter('a', 900)
    await clock.advance(199)
    expect(worked).toEqual([])
    await clock.advance(1)
    expect(worked).toEqual(['a'])
    await clock.advance(2_000)
    expect(worked).toEqual(['a'])
    stop.abort()
    await running
  })

  test('should work on changes before resyncs without starving these', async () => {
    const { queue, run, worked, stop } = aQueue()
    queue.add('r', 'resync')
    for (let i = 0; i < 20; i++) queue.add(`c${i}`)
    const running = run()
    await settle(50)
    expect(worked.indexOf('r')).toBe(8)
    expect(worked).toHaveLength(21)
    stop.abort()
    await running
  })

  test('should move a key to the front lane when it changes while waiting for its resync', async () => {
    const { queue, run, worked, stop } = aQueue()
    queue.add('a', 'resync')
    queue.add('b', 'resync')
    queue.add('b')
    const running = run()
    await settle()
    expect(worked).toEqual(['b', 'a'])
    stop.abort()
    await running
  })

  test('should let the running keys finish when it stops, and forget the rest', async () => {
    const { clock, queue, run, worked, stop } = aQueue()
    let finish: () => void = () => undefined
    queue.add('a')
    queue.add('b')
    queue.addAfter('c', 100)
    const running = run(async key => {
      await new Promise<void>(resolve => (finish = resolve))
      worked.push(key)
    })
    await settle()
    stop.abort()
    finish()
    await running
    expect(worked).toEqual(['a'])
    expect(queue.depth).toBe(0)
    expect(clock.waitsMs).toEqual([])
  })

  test('should tell its listener what it does', async () => {
    const clock = new FakeClock()
    const stop = new AbortController()
    const told: string[] = []
    const queue = new WorkQueue({
      clock,
      backoffInitialMs: 1_000,
      backoffMaxMs: 2_000,
      random: () => 1,
      listener: {
        added: depth => void told.push(`added ${depth}`),
        started: (depth, waitedMs) => void told.push(`started ${depth} ${waitedMs}`),
        finished: workedMs => void told.push(`finished ${workedMs}`),
        retried: () => void told.push('retried'),
      },
    })
    queue.add('a')
    await clock.advance(30)
    const running = queue.run(stop.signal, 1, () => clock.sleep(70))
    await clock.advance(10)
    expect(queue.runningMs()).toEqual([10])
    await clock.advance(60)
    queue.retry('a')
    expect(told).toEqual(['added 1', 'started 0 30', 'finished 70', 'retried'])
    stop.abort()
    await running
  })
})
