import { describe, expect, test } from '@jest/globals'
import { Hosted } from './hosted.ts'
import { answersOf, questionsOf } from './queries.ts'
import type { Task, TaskFamily } from './task.ts'

const NOW = 1_000

const aFamily = (name: string, queries?: TaskFamily['queries']): TaskFamily => ({
  resource: { kind: 'Thing', namespace: 'shop', name },
  input: `${name}.in`,
  sources: [`${name}.in`],
  states: [],
  create: () => ({}) as Task,
  ...(queries && { queries }),
})

const counting: TaskFamily['queries'] = {
  pending: (tasks, parameters, now) => ({ count: tasks.length, limit: parameters.get('limit'), now }),
}

function running(family: TaskFamily, partition: number): Hosted {
  const hosted = new Hosted(family, partition)
  hosted.state = 'running'
  return hosted
}

const ask = (families: readonly TaskFamily[], hosted: readonly Hosted[], query: string) =>
  answersOf('pending', families, hosted, new URLSearchParams(query), NOW)

describe('queries of a worker', () => {
  test('should name each question once, whatever the number of resources', () => {
    expect(questionsOf([aFamily('a', counting), aFamily('b', counting), aFamily('c')])).toEqual(['pending'])
  })

  test('should ask each resource about the tasks that run here, not about those that are being restored', () => {
    const [a, b, mute] = [aFamily('a', counting), aFamily('b', counting), aFamily('c')]
    const hosted = [running(a, 0), new Hosted(a, 1), running(b, 2), running(mute, 0)]
    expect(ask([a, b, mute], hosted, 'limit=7')).toEqual([
      { kind: 'Thing', namespace: 'shop', name: 'a', partitions: [0], count: 1, limit: '7', now: NOW },
      { kind: 'Thing', namespace: 'shop', name: 'b', partitions: [2], count: 1, limit: '7', now: NOW },
    ])
  })

  test('should ask one resource, or one partition', () => {
    const [a, b] = [aFamily('a', counting), aFamily('b', counting)]
    const hosted = [running(a, 0), running(a, 1), running(b, 1)]
    expect(ask([a, b], hosted, 'resource=shop/a')).toMatchObject([{ name: 'a', count: 2 }])
    expect(ask([a, b], hosted, 'partition=1')).toMatchObject([
      { name: 'a', partitions: [1] },
      { name: 'b', partitions: [1] },
    ])
  })
})
