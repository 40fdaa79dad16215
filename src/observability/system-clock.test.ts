import { expect, test } from '@jest/globals'
import { systemClock } from './system-clock.ts'

test('should not wake up before the time asked for', async () => {
  const startMs = systemClock.monotonicMs()
  await systemClock.sleep(20)
  expect(systemClock.monotonicMs() - startMs).toBeGreaterThanOrEqual(20)
})

test('should wake up at once when the signal aborts, also from a sleep longer than a timer can be', async () => {
  const abort = new AbortController()
  const sleeping = systemClock.sleep(2 ** 40, abort.signal)
  abort.abort()
  await expect(sleeping).resolves.toBeUndefined()
})

test('should not sleep on a signal that has aborted', async () => {
  await expect(systemClock.sleep(2 ** 40, AbortSignal.abort())).resolves.toBeUndefined()
})
