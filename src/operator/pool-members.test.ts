import { describe, expect, test } from '@jest/globals'
import { aResource } from '../../test/support/fakes/builders.ts'
import type { LiveConnection } from './connections.ts'
import type { Contract } from './contract.ts'
import { byAge, poolDeployment, poolProblems, poolRef, type Member, type PoolParts } from './pool-members.ts'
import type { PoolWish } from './plan.ts'

const key = { namespace: 'shop', connection: 'main', pool: 'small' }
const connection = {
  resolved: { contract: { bootstrapServers: ['kafka:9092'] }, mounts: [] },
  secretsHash: 'h',
} as unknown as LiveConnection

const member = (name: string, wish: Partial<PoolWish> = {}, config?: unknown, second = 0): Member => ({
  resource: aResource('DelayQueue', name, {}, { creationTimestamp: `2026-01-01T00:00:0${second}Z` }),
  wish: { pool: 'small', replicas: 1, ...wish },
  ...(config !== undefined && { config: { value: config } }),
})

const deploymentOf = (members: readonly Member[], given: Partial<PoolParts> = {}) =>
  poolDeployment({ key, members, group: 'sluice.shop.small.pool', connection, current: undefined, memoryBudgetBytes: 1, ...given })
const told = (members: readonly Member[], current?: Contract): Contract => deploymentOf(members, { current }).contract
const names = ({ resources }: Contract): readonly string[] => resources.map(({ name }) => name)

describe('the workers of a pool', () => {
  test('should be as many as the member that asks for most wants', () => {
    expect(deploymentOf([member('a'), member('b', { replicas: 3 }), member('c', { replicas: 2 })]).replicas).toBe(3)
  })

  test('should belong to all members', () => {
    expect(deploymentOf([member('a'), member('b')]).owners.map(({ metadata }) => metadata.name)).toEqual(['a', 'b'])
  })

  test('should leave out a member that asks for none', () => {
    expect(names(told([member('a', {}, 1), member('b', { replicas: 0 }, 1)]))).toEqual(['a'])
  })

  test('should be shaped by the oldest member that says how, and tell the younger ones that differ', () => {
    const [old, first, same, other] = [
      member('d', {}, 1, 0),
      member('c', { podTemplate: { priorityClassName: 'high' } }, 1, 1),
      member('b', { podTemplate: { priorityClassName: 'high' } }, 1, 2),
      member('a', { podTemplate: { priorityClassName: 'low' } }, 1, 3),
    ]
    const members = [other, same, first, old].toSorted(byAge)
    expect(deploymentOf(members).podTemplate).toEqual({ priorityClassName: 'high' })
    expect([old, first, same].flatMap(({ resource }) => poolProblems(members, resource))).toEqual([])
    const [problem] = poolProblems(members, other.resource)
    expect(problem).toMatchObject({ severity: 'NotReady', reason: 'PoolConflict' })
    expect(problem?.message).toContain('differs from that of DelayQueue "c"')
  })

  test('should have the same name for the same pool, and another on another connection', () => {
    expect(poolRef(key)).toEqual(poolRef({ ...key }))
    expect(poolRef({ ...key, connection: 'other' }).name).not.toBe(poolRef(key).name)
    expect(`pool-${poolRef({ ...key, pool: 'p'.repeat(63) }).name}`).toHaveLength(63)
  })
})

describe('the contract of a pool', () => {
  const first = told([member('a', {}, { n: 1 }), member('b', {}, { n: 1 })])

  test('should not move when nothing means something else', () => {
    expect(told([member('a', {}, { n: 1 }), member('b', {}, { n: 1, absent: undefined })], first)).toEqual(first)
  })

  test('should move the generation of the member that changed, and of no other', () => {
    const second = told([member('a', {}, { n: 1 }), member('b', {}, { n: 2 })], first)
    expect(second.generation).toBe(2)
    expect(second.resources.map(({ generation }) => generation)).toEqual([1, 2])
  })

  test('should give one that comes back a generation that it never had', () => {
    const without = told([member('a', {}, { n: 1 })], first)
    const again = told([member('a', {}, { n: 1 }), member('b', {}, { n: 1 })], without)
    expect(again.resources.map(({ name, generation }) => [name, generation])).toEqual([
      ['a', 1],
      ['b', 3],
    ])
  })

  test('should keep what was told of a member that has not been planned yet, after a restart of the operator', () => {
    expect(told([member('a', {}, { n: 1 }), member('b')], first)).toEqual(first)
    expect(names(told([member('a', {}, { n: 1 }), member('c')], first))).toEqual(['a'])
  })
})
