import { afterEach, describe, expect, test } from '@jest/globals'
import { aConnection } from '../../test/support/fakes/builders.ts'
import { aBoard, boardKind, boardRef, connectionKind, connectionRef, type BoardSpec } from '../../test/support/fakes/kinds.ts'
import { OperatorHarness } from '../../test/support/fakes/operator.ts'
import type { Resource } from '../api/resource.ts'
import type { ReconciledKind } from './kind.ts'
import type { Waiting } from './plan.ts'

const CREATE = { create: { partitions: 1, replicationFactor: 1 }, configs: { 'retention.ms': '1000' } }
const GROUP = 'workers'
const WAITING: Waiting = {
  group: GROUP,
  longestMs: 3_600_000,
  sources: [
    { topic: 'orders', partitions: 1, open: true },
    { topic: 'tier', partitions: 1, counted: { topic: 'orders', count: note => (note === '' ? undefined : Number(note)) } },
  ],
}
const draining: ReconciledKind = {
  ...boardKind,
  drains: true,
  poolOf: ({ spec }) => ((spec as { pool?: string }).pool === undefined ? undefined : { pool: 'shared', replicas: 1 }),
}

let harness: OperatorHarness

/** A board whose input ends at 100 and whose workers have done what is below 90. */
async function started(board: Partial<BoardSpec> = {}, waiting = WAITING) {
  harness = new OperatorHarness([connectionKind, draining])
  harness.store.put(aConnection())
  harness.store.put(aBoard({ topics: [CREATE], replicas: 1, also: () => ({ waiting }), ...board }))
  harness.kafka.addTopic('orders', { records: 100, lastRecordAt: Date.UTC(2025, 0, 1), configs: { 'retention.ms': '1000' } })
  harness.kafka.addTopic('tier', { records: 50, lastRecordAt: Date.UTC(2025, 0, 1) })
  done(90, 50)
  await harness.start()
  return harness
}

/** The workers have committed so far, and noted that the tier holds so many. */
function done(orders: number, tier: number, inTier = 0): void {
  const at = (topic: string, offset: number, note: string) =>
    ({ topic, partition: 0, offset: BigInt(offset), metadata: JSON.stringify({ t: 'x', g: 1, m: note }) }) as const
  harness.kafka.offsets.set(GROUP, [at('orders', orders, String(inTier)), at('tier', tier, '')])
}

async function deleted(): Promise<void> {
  harness.store.delete(boardRef(), new Date(harness.clock.now()).toISOString())
  await harness.pass(0)
}

const board = (): Resource | undefined => harness.store.get(boardRef())
const message = (): string => harness.condition(boardRef())?.message ?? ''

afterEach(() => harness.stop())

describe('a deleted resource', () => {
  test('should be held, with its workers, while something waits in it, and say what and until when', async () => {
    const { workers } = await started()
    await deleted()
    await harness.pass(120_000)
    expect(harness.condition(boardRef())).toMatchObject({ status: 'False', reason: 'Draining' })
    expect(harness.condition(boardRef(), 'Reconciling')).toMatchObject({ status: 'True' })
    expect(message()).toContain('up to 10 messages wait in topic "orders"')
    const [due] = /due by (\S+)\./.exec(message())?.slice(1) ?? []
    expect(Date.parse(due ?? '') - Date.parse(board()?.metadata.deletionTimestamp ?? '')).toBeGreaterThan(3_598_000)
    expect(workers.deployments.size).toBe(1)
  })

  test('should go by itself once nothing waits, and keep its topics', async () => {
    const { workers, kafka, events } = await started()
    await deleted()
    done(100, 50)
    await harness.pass(10_000)
    expect(board()).toBeUndefined()
    expect(workers.deployments.size).toBe(0)
    expect([...kafka.topics.keys()]).toEqual(['orders', 'tier'])
    expect(events.reasons).toContain('Drained')
    expect(events.reasons).not.toContain('LeftBehind')
  })

  test('should delete its topics only after that, where its spec says so', async () => {
    const { kafka } = await started({ deletionPolicy: 'Delete' })
    await deleted()
    await harness.pass(60_000)
    expect(kafka.topics.has('orders')).toBe(true)
    done(100, 50)
    await harness.pass(10_000)
    expect(kafka.topics.has('orders')).toBe(false)
    expect(board()).toBeUndefined()
  })

  test('should count what waits in a tier by the note of its task', async () => {
    await started()
    done(100, 20, 7)
    await deleted()
    expect(message()).toContain('up to 7 messages wait in topic "tier"')
  })

  test('should wait for the last positions although the note says that nothing waits', async () => {
    await started()
    done(100, 49, 0)
    await deleted()
    expect(message()).toContain('nothing waits, the workers commit their last positions')
    expect(board()).toBeDefined()
  })

  test('should take a position above the end for one in another topic, and what is there for undone', async () => {
    await started()
    done(5_000, 50)
    await deleted()
    expect(message()).toContain('up to 100 messages')
  })

  test('should wait for what comes after the deletion as well, and say that it came', async () => {
    const { kafka } = await started()
    await deleted()
    const orders = kafka.topics.get('orders')!
    Object.assign(orders, { records: 103, lastRecordAt: harness.clock.now() + 2_000, recordIntervalMs: 500 })
    done(100, 50)
    await harness.pass(10_000)
    expect(message()).toContain('up to 3 messages')
    expect(message()).toContain('came since')
    expect(board()).toBeDefined()
  })

  test('should wait for the group that reads what the workers wrote', async () => {
    const { kafka } = await started(
      { deletionPolicy: 'Delete' },
      { ...WAITING, sources: [...WAITING.sources, { topic: 'out', partitions: 1, readBy: 'billing' }] },
    )
    kafka.addTopic('out', { records: 4 })
    done(100, 50)
    await deleted()
    expect(message()).toContain('group "billing" has not read 4 offsets of topic "out"')
    kafka.offsets.set('billing', [{ topic: 'out', partition: 0, offset: 4n, metadata: '' }])
    await harness.pass(10_000)
    expect(board()).toBeUndefined()
  })

  test('should ask the brokers a few things per look, whatever waits', async () => {
    const { kafka } = await started()
    await deleted()
    const before = kafka.count('groupOffsets') + kafka.count('listOffsets')
    await harness.pass(60_000)
    expect(kafka.count('groupOffsets') + kafka.count('listOffsets') - before).toBeLessThanOrEqual(3 * 9)
  })

  test('should write nothing while nothing changes', async () => {
    await started()
    await deleted()
    await harness.pass(20_000)
    const { writes } = harness
    await harness.pass(300_000)
    expect(harness.writes).toEqual(writes)
  })

  test('should follow its spec still: workers that were scaled to none come back', async () => {
    const { store, workers } = await started({ replicas: 0 })
    await deleted()
    store.put(aBoard({ topics: [CREATE], replicas: 2, also: () => ({ waiting: WAITING }) }))
    await harness.pass(10_000)
    expect([...workers.deployments.values()].map(({ replicas }) => replicas)).toEqual([2])
  })

  test('should not have topics made again that somebody deleted meanwhile', async () => {
    const { kafka } = await started({ topics: [CREATE, { ...CREATE, name: 'tier' }] })
    await deleted()
    kafka.topics.delete('orders')
    await harness.pass(120_000)
    expect(kafka.topics.has('orders')).toBe(false)
  })

  test('should say what is in its way', async () => {
    const { store } = await started()
    await deleted()
    const problem = { severity: 'Stalled', reason: 'InvalidSpec', message: 'the target is gone' } as const
    store.put(aBoard({ topics: [CREATE], replicas: 1, also: () => ({ waiting: WAITING, problems: [problem] }) }))
    await harness.pass(10_000)
    expect(harness.condition(boardRef())).toMatchObject({ reason: 'Draining' })
    expect(message()).toContain('In its way is InvalidSpec: the target is gone')
    expect(harness.condition(boardRef(), 'Stalled')).toMatchObject({ status: 'True' })
  })

  test('should run empty while it is suspended, touched by nobody', async () => {
    const { store, kafka, workers } = await started()
    store.put(aBoard({ topics: [CREATE], replicas: 1, suspend: true, also: () => ({ waiting: WAITING }) }))
    await harness.pass(0)
    await deleted()
    kafka.topics.get('orders')?.configs.set('retention.ms', '5')
    await harness.pass(60_000)
    expect(harness.condition(boardRef())).toMatchObject({ reason: 'Draining' })
    expect(kafka.topics.get('orders')?.configs.get('retention.ms')).toBe('5')
    expect(workers.deployments.size).toBe(1)
    done(100, 50)
    await harness.pass(10_000)
    expect(board()).toBeUndefined()
  })
})

describe('a deleted member of a pool', () => {
  const member = (name: string): Resource => {
    const waiting = { ...WAITING, sources: name === 'one' ? WAITING.sources : [] }
    const workers = { replicas: 1, group: GROUP, config: name, pool: { name: 'shared', input: { topic: 'orders', partitions: 1 } } }
    return aBoard({ topics: [CREATE], pool: 'shared', also: () => ({ waiting, workers }) } as Partial<BoardSpec>, name)
  }
  const told = (): readonly string[] =>
    [...harness.workers.deployments.values()].flatMap(({ of, contract }) =>
      of.kind === 'Pool' ? contract.resources.map(({ name }) => name) : [],
    )

  test('should stay in the contract until nothing waits in it, and then leave the others alone', async () => {
    await started()
    for (const name of ['one', 'two']) harness.store.put(member(name))
    await harness.pass(60_000)
    expect(told()).toEqual(['one', 'two'])
    await deleted()
    await harness.pass(60_000)
    expect(harness.condition(boardRef())).toMatchObject({ reason: 'Draining' })
    expect(told()).toEqual(['one', 'two'])
    done(100, 50)
    await harness.pass(20_000)
    expect(board()).toBeUndefined()
    expect(told()).toEqual(['two'])
  })
})

describe('the way out', () => {
  const annotate = (): void => {
    harness.store.put({ ...board()!, metadata: { ...board()!.metadata, annotations: { 'sluice.dev/force-delete': 'true' } } })
  }

  test('should be an annotation, also before the deletion', async () => {
    const { kafka } = await started()
    annotate()
    await deleted()
    expect(board()).toBeUndefined()
    expect(kafka.topics.has('orders')).toBe(true)
  })

  test('should be an annotation, also while it drains, and delete the topics where the spec says so', async () => {
    const { kafka } = await started({ deletionPolicy: 'Delete' })
    await deleted()
    annotate()
    await harness.pass(0)
    expect(board()).toBeUndefined()
    expect(kafka.topics.has('orders')).toBe(false)
  })

  test('should open when the brokers stay away, naming what is left and keeping it', async () => {
    const { kafka, events } = await started({ deletionPolicy: 'Delete' })
    await deleted()
    kafka.down = 'BrokerUnreachable'
    await harness.pass(300_000)
    expect(harness.condition(boardRef())).toMatchObject({ reason: 'Draining' })
    expect(message()).toContain('cannot be seen (seen last: up to 10 messages wait in topic "orders")')
    await harness.pass(310_000)
    expect(board()).toBeUndefined()
    const left = events.emitted.filter(({ reason }) => reason === 'LeftBehind')
    expect(left).toHaveLength(1)
    expect(left[0]?.message).toContain('topic "orders" may hold undelivered messages and stay')
    kafka.down = undefined
    await harness.pass(60_000)
    expect(kafka.topics.has('orders')).toBe(true)
  })

  test('should not open when the brokers come back in time', async () => {
    const { kafka } = await started()
    await deleted()
    kafka.down = 'BrokerUnreachable'
    await harness.pass(500_000)
    kafka.down = undefined
    await harness.pass(60_000)
    kafka.down = 'BrokerUnreachable'
    await harness.pass(500_000)
    expect(board()).toBeDefined()
  })

  test('should open when the connection does not exist any more', async () => {
    const { store } = await started()
    await harness.pass(10_000)
    await deleted()
    store.delete(connectionRef())
    await store.removeFinalizer(connectionRef(), 'sluice.dev/in-use')
    await harness.pass(620_000)
    expect(board()).toBeUndefined()
  })

  test('should open at once when the namespace goes', async () => {
    const { store, events } = await started({ deletionPolicy: 'Delete' })
    store.goes = true
    await deleted()
    expect(board()).toBeUndefined()
    expect(events.emitted.find(({ reason }) => reason === 'LeftBehind')?.message).toContain('its namespace is being deleted')
  })

  test('should open at once for what was never worked on', async () => {
    harness = new OperatorHarness([connectionKind, draining])
    harness.store.put(aConnection())
    harness.store.put(aBoard({ topics: [CREATE], replicas: 1 }))
    harness.kafka.down = 'BrokerUnreachable'
    await harness.start()
    await deleted()
    expect(board()).toBeUndefined()
  })
})

describe('a deleted connection', () => {
  const remove = async (): Promise<void> => {
    harness.store.delete(connectionRef(), new Date(harness.clock.now()).toISOString())
    await harness.pass(0)
  }

  test('should stay until nobody drains over it any more', async () => {
    await started()
    await harness.pass(10_000)
    await remove()
    await deleted()
    await harness.pass(120_000)
    expect(harness.condition(connectionRef())?.message).toContain('Board "one" must run empty first')
    done(100, 50)
    await harness.pass(20_000)
    expect([board(), harness.store.get(connectionRef())]).toEqual([undefined, undefined])
  })

  test('should go after a moment when its users were not deleted', async () => {
    await started()
    await harness.pass(10_000)
    await remove()
    expect(harness.store.get(connectionRef())).toBeDefined()
    await harness.pass(40_000)
    expect(harness.store.get(connectionRef())).toBeUndefined()
    expect(harness.condition(boardRef())).toMatchObject({ reason: 'ConnectionNotFound' })
  })

  test('should go at once when nobody would drain over it', async () => {
    await started()
    harness.store.put({ ...board()!, metadata: { ...board()!.metadata, annotations: { 'sluice.dev/force-delete': 'true' } } })
    await harness.pass(20_000)
    await remove()
    expect(harness.store.get(connectionRef())).toBeUndefined()
  })
})
