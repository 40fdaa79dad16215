import { afterEach, expect, test } from '@jest/globals'
import { aConnection, aResource } from '../../test/support/fakes/builders.ts'
import { boardKind, boardRef, connectionKind } from '../../test/support/fakes/kinds.ts'
import { OperatorHarness } from '../../test/support/fakes/operator.ts'
import type { Resource, ResourceRef } from '../api/resource.ts'
import type { ReconciledKind } from './kind.ts'
import type { PoolWish } from './plan.ts'
import { poolRef } from './pool-members.ts'

interface Pooled {
  readonly connectionRef: { readonly name: string }
  readonly config: number
  readonly replicas?: number
  readonly podTemplate?: PoolWish['podTemplate']
  readonly stalled?: boolean
}

const specOf = ({ spec }: Resource): Pooled => spec as Pooled
/** Boards that share the pool `small`; the input of each has one partition. */
const pooledKind: ReconciledKind = {
  ...boardKind,
  poolOf: resource => {
    const { replicas = 1, podTemplate } = specOf(resource)
    return { pool: 'small', replicas, ...(podTemplate && { podTemplate }) }
  },
  plan: resource => ({
    topics: [],
    status: {},
    problems: specOf(resource).stalled === true ? [{ severity: 'Stalled', reason: 'InvalidSpec', message: 'broken' }] : [],
    workers: {
      replicas: specOf(resource).replicas ?? 1,
      group: 'group',
      pool: { name: 'small', input: { topic: `${resource.metadata.name}.in`, partitions: 1 } },
      config: specOf(resource).config,
    },
  }),
}
const board = (name: string, spec: Partial<Pooled> = {}): Resource =>
  aResource('Board', name, { connectionRef: { name: 'main' }, config: 1, ...spec })
const POOL: ResourceRef = poolRef({ namespace: 'shop', connection: 'main', pool: 'small' })

let harness: OperatorHarness
afterEach(() => harness.stop())

async function started(...boards: readonly Resource[]): Promise<OperatorHarness> {
  harness = new OperatorHarness([connectionKind, pooledKind])
  harness.store.put(aConnection())
  for (const each of boards) harness.store.put(each)
  await harness.start()
  await harness.pass(0)
  return harness
}

/** As workers do once they have taken a resource over. */
const runs = (generations: Readonly<Record<string, number>>): void => {
  const note = ([name, g]: readonly [string, number]) => ({
    topic: `${name}.in`,
    partition: 0,
    offset: 0n,
    metadata: JSON.stringify({ t: 'worker', g, m: '' }),
  })
  harness.kafka.offsets.set('group', Object.entries(generations).map(note))
}
const contract = () => harness.workers.deployments.get(`Pool/shop/${POOL.name}`)?.contract
const members = () => contract()?.resources.map(({ name }) => name)
const generationOf = (name: string) => contract()?.resources.find(each => each.name === name)?.generation ?? 0
const ready = (name: string) => harness.condition(boardRef(name), 'WorkersReady')

test('should put all members into one contract, and call each ready when its own tasks run what it asks for', async () => {
  await started(board('a'), board('b'))
  expect(members()).toEqual(['a', 'b'])
  expect(harness.workers.deployments.size).toBe(1)
  expect(ready('a')).toMatchObject({ status: 'False', reason: 'WorkersNotReady' })
  runs({ a: generationOf('a') })
  await harness.pass(10_000)
  expect(ready('a')).toMatchObject({ status: 'True' })
  expect(ready('b')?.status).toBe('False')
  expect(ready('b')?.message).toContain('Partitions 0 do not run generation')
})

test('should cause no write once it is as it should be', async () => {
  await started(board('a'), board('b'))
  runs({ a: generationOf('a'), b: generationOf('b') })
  await harness.pass(60_000)
  const { writes } = harness
  await harness.pass(600_000)
  expect(harness.writes).toEqual(writes)
})

test('should wait for the member that changed, not for the others', async () => {
  await started(board('a'), board('b'))
  runs({ a: generationOf('a'), b: generationOf('b') })
  await harness.pass(60_000)
  harness.store.put(board('b', { config: 2 }))
  await harness.pass(10_000)
  expect(ready('a')).toMatchObject({ status: 'True' })
  expect(ready('b')).toMatchObject({ status: 'False' })
  runs({ a: generationOf('a'), b: generationOf('b') })
  await harness.pass(10_000)
  expect(ready('b')).toMatchObject({ status: 'True' })
})

test('should go on without a member that is deleted, and end with the last', async () => {
  await started(board('a'), board('b'))
  harness.store.delete(boardRef('a'))
  await harness.pass(1_000)
  expect(members()).toEqual(['b'])
  harness.store.delete(boardRef('b'))
  await harness.pass(1_000)
  expect(harness.workers.deployments.size).toBe(0)
})

test('should keep a member as it was while its spec is not accepted', async () => {
  await started(board('a'), board('b'))
  const before = contract()
  harness.store.put(board('a', { config: 2, stalled: true }))
  await harness.pass(60_000)
  expect(contract()).toEqual(before)
})

test('should write nothing after a restart of the operator', async () => {
  const { store, workers, kafka } = await started(board('a'), board('b', { replicas: 3 }))
  runs({ a: generationOf('a'), b: generationOf('b') })
  await harness.pass(60_000)
  const writes = workers.writes.length
  await harness.stop()
  harness = new OperatorHarness([connectionKind, pooledKind], { store, workers, adminFactory: () => kafka.admin() })
  await harness.start()
  await harness.pass(60_000)
  expect(workers.writes.slice(writes)).toEqual([])
})

test('should tell the younger of two members that want different pods, and run both', async () => {
  await started(board('a', { podTemplate: { priorityClassName: 'high' } }), board('b', { podTemplate: { priorityClassName: 'low' } }))
  runs({ a: generationOf('a'), b: generationOf('b') })
  await harness.pass(10_000)
  expect(members()).toEqual(['a', 'b'])
  expect(harness.condition(boardRef('a'))).toMatchObject({ status: 'True' })
  expect(harness.condition(boardRef('b'))).toMatchObject({ status: 'False', reason: 'PoolConflict' })
})
