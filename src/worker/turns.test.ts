import { describe, expect, test } from '@jest/globals'
import { Hosted } from './hosted.ts'
import type { Task, TaskFamily } from './task.ts'
import { Turns } from './turns.ts'

const aFamily = (name: string): TaskFamily => ({
  resource: { kind: 'Thing', namespace: 'shop', name },
  input: name,
  sources: [name],
  states: [],
  create: () => ({}) as Task,
})
const [small, large, idle] = [aFamily('small'), aFamily('large'), aFamily('idle')]
const tasks = [large, large, large, small, idle].map((family, partition) => new Hosted(family, partition))
const names = (turns: Turns) => turns.next(tasks).map(({ tasks: [first], rivals }) => [first?.family.resource.name, rivals])

/** As the writer does: each family takes what it wants of an equal part of what is left. */
function transaction(turns: Turns, wants: ReadonlyMap<TaskFamily, number>, room = 1000): ReadonlyMap<TaskFamily, number> {
  const taken = new Map<TaskFamily, number>()
  let left = room
  for (const { tasks: own, rivals } of turns.next(tasks)) {
    const [first] = own
    if (first === undefined) continue
    const take = Math.min(wants.get(first.family) ?? 0, Math.ceil(left / (1 + rivals)))
    left -= take
    if (take > 0) taken.set(first.family, take)
  }
  turns.took(taken)
  return taken
}

describe('turns', () => {
  test('should let those come first that took least, and count the busy ones behind them', () => {
    const turns = new Turns()
    turns.took(
      new Map([
        [large, 900],
        [small, 5],
      ]),
    )
    expect(names(turns)).toEqual([
      ['idle', 2],
      ['small', 1],
      ['large', 0],
    ])
  })

  test('should leave to a flooded resource what the others do not want, and never all', () => {
    const turns = new Turns()
    const wants = new Map([
      [large, 100_000],
      [small, 10],
    ])
    for (let i = 0; i < 20; i += 1) {
      const taken = transaction(turns, wants)
      if (i > 0) expect([taken.get(small), taken.get(large)]).toEqual([10, 990])
    }
  })

  test('should share equally among resources that all want everything', () => {
    const turns = new Turns()
    const wants = new Map([large, small, idle].map(family => [family, 100_000]))
    for (let i = 0; i < 3; i += 1) transaction(turns, wants)
    expect([...transaction(turns, wants).values()].toSorted()).toEqual([333, 333, 334])
  })

  test('should bring every task to the front in turn while one must be alone', () => {
    const turns = new Turns()
    const waiting = tasks.map(({ family, partition }) => new Hosted(family, partition))
    waiting[3]!.alone = true
    const firsts = new Set(waiting.map(() => turns.next(waiting)[0]?.tasks[0]))
    expect(firsts.size).toBe(waiting.length)
  })
})
