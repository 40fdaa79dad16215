import { expect, test } from '@jest/globals'
import { Random } from '../../../test/support/delay-queue/random.ts'
import { Earliest } from './earliest.ts'

test('should keep the first by due time, in the order of arrival where that is equal, and count the rest', () => {
  const random = new Random(1)
  const all = Array.from({ length: 20_000 }, (_, i) => ({ dueMs: random.below(500), i }))
  const first = new Earliest<(typeof all)[number]>(100)
  for (const one of all) first.add(one)
  expect(first.take()).toEqual(all.toSorted((a, b) => a.dueMs - b.dueMs || a.i - b.i).slice(0, 100))
  expect(first.dropped).toBe(19_900)
  expect(first.boundMs).toBe(first.take().at(-1)?.dueMs)
})

test('should have no bound while there is room', () => {
  const first = new Earliest<{ readonly dueMs: number }>(3)
  for (const dueMs of [2, 1]) first.add({ dueMs })
  expect(first.take()).toEqual([{ dueMs: 1 }, { dueMs: 2 }])
  expect(first.boundMs).toBe(Infinity)
})
