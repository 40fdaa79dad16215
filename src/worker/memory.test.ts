import { expect, test } from '@jest/globals'
import { budgetWithin, pressures } from './memory.ts'

const MIB = 2 ** 20
const told = (held: Readonly<Record<string, number>>) => Object.fromEntries(pressures(new Map(Object.entries(held)), 100 * MIB))

test('should tell a resource that is alone what the whole is told', () => {
  expect(told({ only: 150 * MIB })).toEqual({ only: 1.5 })
})

test('should press the one that is flooded, and spare those below their share', () => {
  const { flooded, small, idle } = told({ flooded: 110 * MIB, small: 10 * MIB, idle: 0 })
  expect(flooded).toBeGreaterThan(1)
  expect(small).toBeLessThan(0.5)
  expect(idle).toBe(0)
})

test('should always press somebody while the whole is above the budget', () => {
  for (const held of [
    { a: 51, b: 51 },
    { a: 101, b: 0 },
    { a: 34, b: 34, c: 34 },
    { a: 1, b: 2, c: 99 },
  ])
    expect(
      Math.max(...Object.values(told(Object.fromEntries(Object.entries(held).map(([name, mib]) => [name, mib * MIB]))))),
    ).toBeGreaterThan(1)
})

test('should press nobody while there is room for all', () => {
  expect(Math.max(...Object.values(told({ a: 30 * MIB, b: 1 * MIB })))).toBeLessThan(0.5)
})

test.each([
  { budget: 128, limit: undefined, want: 128 },
  { budget: 128, limit: 512, want: 128 },
  { budget: 128, limit: 288, want: 64 },
  { budget: 128, limit: 100, want: 16 },
  { budget: 400, limit: 512, want: 213 },
])('should keep to $want MiB of $budget below a limit of $limit', ({ budget, limit, want }) => {
  expect(Math.floor(budgetWithin(budget * MIB, limit === undefined ? undefined : limit * MIB) / MIB)).toBe(want)
})
