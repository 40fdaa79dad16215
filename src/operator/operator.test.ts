import { afterEach, describe, expect, test } from '@jest/globals'
import { aConnection } from '../../test/support/fakes/builders.ts'
import { aBoard, boardKind, boardRef, connectionKind, connectionRef, type BoardSpec } from '../../test/support/fakes/kinds.ts'
import { FakeElection } from '../../test/support/fakes/ports.ts'
import { OperatorHarness } from '../../test/support/fakes/operator.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { OperatorParts } from './options.ts'

let harness: OperatorHarness

async function started(
  board: Partial<BoardSpec> | undefined,
  prepare: (of: OperatorHarness) => void = () => undefined,
  given: Partial<OperatorParts> = {},
) {
  harness = new OperatorHarness([connectionKind, boardKind], given)
  harness.store.put(aConnection())
  if (board !== undefined) harness.store.put(aBoard(board))
  prepare(harness)
  await harness.start()
  return harness
}

afterEach(() => harness.stop())

const CREATE = { create: { partitions: 3, replicationFactor: 1 }, configs: { 'retention.ms': '1000' } }
const refused = (code: 'InvalidConfig' | 'Timeout') => new KafkaError(code, 'refused', { retriable: false })

describe('a resource', () => {
  test('should be brought about and said to be ready', async () => {
    const { kafka, store, events } = await started({ topics: [CREATE] })
    expect(kafka.topics.get('orders')).toMatchObject({ partitions: 3, configs: new Map([['retention.ms', '1000']]) })
    expect(store.get(boardRef())?.status).toMatchObject({ observedGeneration: 1, seen: 1 })
    expect(harness.condition(boardRef())).toMatchObject({ status: 'True', reason: 'Ready', observedGeneration: 1 })
    expect(harness.condition(boardRef(), 'Reconciling')).toMatchObject({ status: 'False' })
    expect(harness.condition(boardRef(), 'Stalled')).toMatchObject({ status: 'False' })
    expect(harness.condition(connectionRef())).toMatchObject({ status: 'True', reason: 'Connected' })
    expect(events.reasons).toEqual(['Connected', 'TopicCreated', 'Ready'])
  })

  test('should have conditions before anything else is known', async () => {
    const { store } = await started({ topics: [CREATE] })
    expect(store.writes.find(write => write.includes('Board'))).toBe('status Board/shop/one Ready=Unknown Reconciling')
  })

  test('should cause no write of any kind once it is as it should be', async () => {
    const board = { topics: [CREATE], replicas: 2, alert: 'Late', deletionPolicy: 'Delete' as const, sizes: true }
    const { writes } = await started(board)
    await harness.pass(600_000)
    expect(harness.writes).toEqual(writes)
    expect(harness.kafka.count('describeConfigs')).toBeGreaterThan(10)
  })

  test('should cause no write after a restart of the operator', async () => {
    const before = await started({ topics: [CREATE], replicas: 1, alert: 'Late' })
    const stored = before.store.list('Board')[0]!
    await harness.stop()
    const { kafka, workers, alerts, store } = before
    harness = new OperatorHarness([connectionKind, boardKind], { store, workers, alerts, adminFactory: () => kafka.admin() })
    const writes = [store.writes.length, kafka.writes.length, workers.writes.length, alerts.writes.length]
    await harness.start()
    await harness.pass(60_000)
    expect([store.writes.length, kafka.writes.length, workers.writes.length, alerts.writes.length]).toEqual(writes)
    expect(store.list('Board')[0]).toBe(stored)
    expect(harness.events.emitted).toEqual([])
  })

  test('should follow its spec', async () => {
    const { store, kafka } = await started({ topics: [CREATE] })
    store.put(aBoard({ topics: [{ ...CREATE, partitions: 6, configs: { 'retention.ms': '2000' } }] }))
    await harness.pass(0)
    expect(kafka.topics.get('orders')).toMatchObject({ partitions: 6, configs: new Map([['retention.ms', '2000']]) })
    expect(harness.condition(boardRef())).toMatchObject({ status: 'True', observedGeneration: 2 })
  })

  test('should have drift reverted within a minute, with an Event', async () => {
    const { kafka, events } = await started({ topics: [CREATE] })
    kafka.topics.get('orders')!.configs.set('retention.ms', '5')
    await harness.pass(60_000)
    expect(kafka.topics.get('orders')!.configs.get('retention.ms')).toBe('1000')
    expect(events.emitted.at(-1)).toMatchObject({
      reason: 'DriftReverted',
      message: 'Set back what differed: retention.ms of topic "orders" from 5 to 1000',
    })
    expect(harness.condition(boardRef())).toMatchObject({ status: 'True' })
  })

  test('should never touch a config that it does not name', async () => {
    const { kafka } = await started({ topics: [{ configs: { 'retention.ms': '1000' } }] }, ({ kafka }) =>
      kafka.addTopic('orders', { configs: { 'segment.ms': '7' } }),
    )
    expect(kafka.topics.get('orders')!.configs).toEqual(
      new Map([
        ['segment.ms', '7'],
        ['retention.ms', '1000'],
      ]),
    )
  })

  test('should only be reported about in mode Observe', async () => {
    const { kafka } = await started({ observe: true, topics: [CREATE] })
    await harness.pass(120_000)
    expect(kafka.writes).toEqual([])
    expect(harness.condition(boardRef())).toMatchObject({
      status: 'True',
      reason: 'Observed',
      message: '1 difference found; mode Observe writes nothing.',
    })
  })

  test('should be left alone while suspended and taken up again afterwards', async () => {
    const { kafka, store } = await started({ suspend: true, topics: [CREATE] })
    await harness.pass(120_000)
    expect(kafka.writes).toEqual([])
    expect(harness.condition(boardRef())).toMatchObject({ status: 'False', reason: 'Suspended' })
    store.put(aBoard({ topics: [CREATE] }))
    await harness.pass(0)
    expect(harness.condition(boardRef())).toMatchObject({ status: 'True' })
  })

  test('should stall on a spec that breaks the schema, naming the field', async () => {
    const validate: OperatorParts['validate'] = ({ kind }) => (kind === 'Board' ? [{ field: 'spec.topics[0]', message: 'is odd' }] : [])
    const { kafka } = await started({ topics: [CREATE] }, undefined, { validate })
    expect(kafka.writes).toEqual([])
    expect(harness.condition(boardRef(), 'Stalled')).toMatchObject({
      status: 'True',
      reason: 'InvalidSpec',
      message: 'spec.topics[0]: is odd',
    })
    expect(harness.condition(boardRef())).toMatchObject({ status: 'False', reason: 'InvalidSpec' })
  })

  test('should stall on topics that its connection does not allow, and still get the others', async () => {
    const { kafka } = await started(
      { topics: [CREATE, { ...CREATE, name: 'shop.a' }, { ...CREATE, name: '__consumer_offsets' }] },
      ({ store }) => {
        store.put(aConnection({ allowedTopics: ['shop.*'] }))
      },
    )
    expect([...kafka.topics.keys()]).toEqual(['shop.a'])
    expect(harness.condition(boardRef(), 'Stalled')).toMatchObject({ status: 'True', reason: 'TopicNotAllowed' })
  })

  test('should tell of a refused topic and get the others, asking again less and less often', async () => {
    const topics = [
      { ...CREATE, name: 'bad' },
      { ...CREATE, name: 'good' },
    ]
    const { kafka } = await started({ topics }, ({ kafka }) => kafka.refuse.set('bad', refused('InvalidConfig')))
    expect([...kafka.topics.keys()]).toEqual(['good'])
    expect(harness.condition(boardRef(), 'Stalled')).toMatchObject({ status: 'True', reason: 'InvalidConfig' })
    await harness.pass(600_000)
    expect(kafka.writes.length).toBeLessThan(14)
    kafka.refuse.clear()
    await harness.pass(301_000)
    expect(harness.condition(boardRef())).toMatchObject({ status: 'True' })
  })

  test('should survive a metadata lag after creating topics without creating twice', async () => {
    const { kafka } = await started({ topics: [CREATE] }, ({ kafka }) => kafka.hidden.add('orders'))
    await harness.pass(3_000)
    expect(kafka.writes).toEqual(['createTopics orders'])
    kafka.hidden.clear()
    await harness.pass(10_000)
    expect(kafka.writes).toEqual(['createTopics orders'])
    expect(harness.condition(boardRef())).toMatchObject({ status: 'True' })
  })

  test('should not be made again on the word of one listing', async () => {
    const { kafka } = await started({ topics: [CREATE] })
    kafka.hidden.add('orders')
    await harness.pass(34_000)
    kafka.hidden.clear()
    await harness.pass(60_000)
    expect(kafka.writes).toEqual(['createTopics orders'])
  })

  test('should get a deleted topic back', async () => {
    const { kafka } = await started({ topics: [CREATE] })
    kafka.topics.delete('orders')
    await harness.pass(60_000)
    expect(kafka.topics.has('orders')).toBe(true)
  })

  test('should show a bug as InternalError and go on with the others', async () => {
    const also = () => {
      throw new TypeError('undefined is not a plan')
    }
    const { store, logged } = await started({ topics: [CREATE], also })
    expect(harness.condition(boardRef())).toMatchObject({ status: 'False', reason: 'InternalError' })
    expect(logged.join()).toContain('undefined is not a plan')
    store.put(aBoard({ topics: [CREATE] }, 'two'))
    await harness.pass(0)
    expect(harness.condition(boardRef('two'))).toMatchObject({ status: 'True' })
    expect((await harness.metrics.expose()).body).toMatch(/controller_runtime_reconcile_panics_total\{controller="Board"\} [1-9]/)
  })

  test('should be written again after a conflict', async () => {
    const { store } = await started({ topics: [CREATE] }, ({ store }) => store.answers.push('conflict', 'conflict', 'conflict'))
    await harness.pass(10_000)
    expect(harness.condition(boardRef())).toMatchObject({ status: 'True' })
    expect(store.get(connectionRef())?.status).toMatchObject({ clusterId: 'fake-cluster' })
  })

  test('should see soon a topic that was made after the last listing and before the resource', async () => {
    const { kafka, store } = await started({ topics: [CREATE] })
    await harness.pass(1_500)
    const late = kafka.addTopic('late')
    store.put(aBoard({ topics: [{ name: 'late', configs: { 'retention.ms': '1000' } }] }, 'two'))
    await harness.pass(2_000)
    expect(late.configs.get('retention.ms')).toBe('1000')
  })

  test('should be looked at again when its plan asks for it, with the status that the plan left', async () => {
    const also: BoardSpec['also'] = (_, board) => {
      const steps = ((board.status as { steps?: number } | undefined)?.steps ?? 0) + (harness.clock.monotonicMs() >= 7_000 ? 1 : 0)
      return { status: { steps }, ...(steps === 0 && { requeueAfterMs: 7_000 - harness.clock.monotonicMs() }) }
    }
    const { store } = await started({ also })
    await harness.pass(7_000)
    expect(store.get(boardRef())?.status).toMatchObject({ steps: 1 })
  })

  test('should not be written when only a time in its status moved', async () => {
    const { store } = await started({ also: ({ now }) => ({ status: { lastAuditTime: new Date(now).toISOString() } }) })
    const count = store.writes.length
    await harness.pass(300_000)
    expect(store.writes).toHaveLength(count)
  })
})

describe('a connection', () => {
  test('should be missed, and found, by name', async () => {
    harness = new OperatorHarness([connectionKind, boardKind])
    harness.store.put(aBoard({ topics: [CREATE] }))
    await harness.start()
    expect(harness.condition(boardRef())).toMatchObject({ status: 'False', reason: 'ConnectionNotFound' })
    harness.store.put(aConnection())
    await harness.pass(0)
    expect(harness.condition(boardRef())).toMatchObject({ status: 'True' })
  })

  test('should say within 30 s that the brokers went away, and heal by itself, with its resources', async () => {
    const { kafka } = await started({ topics: [CREATE] })
    kafka.down = 'BrokerUnreachable'
    await harness.pass(30_000)
    expect(harness.condition(connectionRef())).toMatchObject({ status: 'False', reason: 'BrokerUnreachable' })
    expect(harness.condition(boardRef())).toMatchObject({ status: 'False', reason: 'ConnectionNotReady' })
    kafka.down = undefined
    await harness.pass(30_000)
    expect(harness.condition(connectionRef())).toMatchObject({ status: 'True' })
    expect(harness.condition(boardRef())).toMatchObject({ status: 'True' })
  })

  test('should not be asked in a hot loop while the brokers are away', async () => {
    const { kafka } = await started({ topics: [CREATE] }, ({ kafka }) => (kafka.down = 'BrokerUnreachable'))
    await harness.pass(60_000)
    expect(kafka.totalRequests).toBeLessThan(30)
    expect(kafka.totalRequests).toBeGreaterThan(10)
  })

  test('should name the Secret and the key that are missing, and take them up when they appear', async () => {
    const sasl = { mechanism: 'PLAIN', usernameSecretRef: { name: 'user', key: 'name' }, passwordSecretRef: { name: 'user', key: 'word' } }
    const { secrets, kafka } = await started(undefined, ({ store }) => {
      store.put(aConnection({ sasl }))
    })
    expect(harness.condition(connectionRef())).toMatchObject({
      reason: 'SecretNotFound',
      message: expect.stringContaining('"user"') as unknown,
    })
    secrets.set('shop', 'user', { name: 'joe' })
    await harness.pass(5_000)
    expect(harness.condition(connectionRef())?.message).toContain('"word"')
    expect(kafka.opened).toBe(0)
    secrets.set('shop', 'user', { name: 'joe', word: 'hush' })
    await harness.pass(5_000)
    await harness.until(() => harness.condition(connectionRef())?.status === 'True')
    expect(harness.logged.join()).not.toContain('hush')
  })

  test('should be made anew, and its workers rolled, when a Secret changes', async () => {
    const ref = (key: string) => ({ name: 'user', key })
    const { secrets, kafka, workers } = await started({ replicas: 1 }, ({ store, secrets }) => {
      store.put(aConnection({ sasl: { mechanism: 'PLAIN', usernameSecretRef: ref('name'), passwordSecretRef: ref('word') } }))
      secrets.set('shop', 'user', { name: 'joe', word: 'one' })
    })
    await harness.until(() => workers.deployments.size === 1)
    const before = workers.deployments.get('Board/shop/one')!
    expect(before.secrets).toEqual([{ folder: 'user', secretName: 'user' }])
    expect(before.contract.connection.sasl).toEqual({ mechanism: 'PLAIN', usernameFile: 'user/name', passwordFile: 'user/word' })
    secrets.set('shop', 'user', { name: 'joe', word: 'two' })
    await harness.pass(60_000)
    await harness.until(() => workers.deployments.get('Board/shop/one')!.secretsHash !== before.secretsHash)
    const after = workers.deployments.get('Board/shop/one')!
    expect(after.contract.generation).toBe(before.contract.generation)
    expect([kafka.opened, kafka.open]).toEqual([2, 1])
  })

  test('should be closed when its resource goes', async () => {
    const { kafka, store } = await started({ topics: [CREATE] })
    store.delete(connectionRef())
    await harness.pass(0)
    expect(kafka.open).toBe(0)
    expect(harness.condition(boardRef())).toMatchObject({ reason: 'ConnectionNotFound' })
  })

  test('should count a probe without an answer as failed', async () => {
    const { kafka } = await started(undefined, ({ kafka }) => {
      const admin = kafka.admin.bind(kafka)
      kafka.admin = () => ({ ...admin(), describeCluster: () => new Promise(() => undefined) })
    })
    expect(kafka.opened).toBe(1)
    await harness.pass(10_000)
    expect(harness.condition(connectionRef())).toMatchObject({
      status: 'False',
      message: expect.stringContaining('within 10 s') as unknown,
    })
  })
})

describe('workers and alerts', () => {
  test('should be deployed after the topics, and make the resource ready when they run the contract', async () => {
    const { workers, alerts, kafka } = await started(
      { topics: [CREATE], replicas: 2, alert: 'Late', config: { a: 1 } },
      ({ workers }) => (workers.ready = 1),
    )
    const deployment = workers.deployments.get('Board/shop/one')!
    expect(deployment).toMatchObject({ name: 'bd-one', replicas: 2, contract: { generation: 1, group: 'group-one', namespace: 'shop' } })
    expect(deployment.contract.resources).toEqual([{ kind: 'Board', name: 'one', config: { a: 1 } }])
    expect(harness.condition(boardRef())).toMatchObject({ status: 'False', reason: 'WorkersNotReady' })
    const metadata = JSON.stringify({ t: 'w', g: 1, r: 1, x: ['OffsetOutOfRange', 'its log starts at 4'], m: '' })
    kafka.offsets.set('group-one', [{ topic: 'orders', partition: 1, offset: 0n, metadata }])
    workers.tell(boardRef())
    await harness.pass(0)
    const message = 'partition 1 of orders is stopped (OffsetOutOfRange): its log starts at 4'
    for (const type of ['Ready', 'WorkersReady'] as const)
      expect(harness.condition(boardRef(), type)).toMatchObject({ status: 'False', reason: 'TaskStopped', message })
    workers.ready = undefined
    workers.tell(boardRef())
    await harness.pass(0)
    expect(harness.condition(boardRef())).toMatchObject({ status: 'True' })
    expect(harness.condition(boardRef(), 'WorkersReady')).toMatchObject({ status: 'True' })
    expect(harness.condition(boardRef(), 'AlertsApplied')).toMatchObject({ status: 'True' })
    expect([...alerts.groups.keys()]).toEqual(['shop/bd-one'])
  })

  test('should move the generation with the content and wait for it', async () => {
    const { workers, store } = await started({ replicas: 1, config: { a: 1, b: 2 } })
    store.put(aBoard({ replicas: 3, config: { b: 2, a: 1 } }))
    await harness.pass(0)
    expect(workers.deployments.get('Board/shop/one')).toMatchObject({ replicas: 3, contract: { generation: 1 } })
    workers.running = 1
    store.put(aBoard({ replicas: 3, config: { a: 2 } }))
    await harness.pass(0)
    expect(workers.deployments.get('Board/shop/one')).toMatchObject({ contract: { generation: 2 } })
    expect(harness.condition(boardRef(), 'WorkersReady')).toMatchObject({ status: 'False' })
    workers.running = 2
    await harness.pass(5_000)
    expect(harness.condition(boardRef(), 'WorkersReady')).toMatchObject({ status: 'True' })
  })

  test('should not be deployed onto topics that could not be made', async () => {
    const { workers } = await started({ topics: [CREATE], replicas: 1 }, ({ kafka }) => kafka.refuse.set('orders', refused('Timeout')))
    expect(workers.writes).toEqual([])
  })

  test('should say that alerts are skipped where there is no such kind, without harm', async () => {
    await started({ alert: 'Late' }, ({ alerts }) => (alerts.available = false))
    expect(harness.condition(boardRef(), 'AlertsApplied')).toMatchObject({ status: 'False', reason: 'AlertsSkipped' })
    expect(harness.condition(boardRef())).toMatchObject({ status: 'True' })
  })

  test('should go when they are wanted no more, with their conditions', async () => {
    const { store, workers, alerts } = await started({ replicas: 1, alert: 'Late' })
    store.put(aBoard({}))
    await harness.pass(0)
    expect([workers.deployments.size, alerts.groups.size]).toEqual([0, 0])
    expect(harness.condition(boardRef(), 'WorkersReady')).toBeUndefined()
    expect(harness.condition(boardRef(), 'AlertsApplied')).toBeUndefined()
  })

  test('should go with their resource', async () => {
    const { store, workers, alerts } = await started({ replicas: 1, alert: 'Late' })
    store.delete(boardRef())
    await harness.pass(0)
    expect([workers.deployments.size, alerts.groups.size]).toEqual([0, 0])
  })
})

describe('deletion', () => {
  test('should keep the topics, and need no finalizer, unless the spec says otherwise', async () => {
    const { store, kafka } = await started({ topics: [CREATE] })
    expect(store.get(boardRef())?.metadata.finalizers ?? []).toEqual([])
    store.delete(boardRef())
    await harness.pass(0)
    expect(kafka.topics.has('orders')).toBe(true)
  })

  test('should delete the topics, workers first, when the spec says Delete', async () => {
    const { store, kafka, events, workers } = await started({ topics: [CREATE], deletionPolicy: 'Delete', replicas: 1 })
    store.delete(boardRef())
    await harness.pass(0)
    expect(kafka.topics.size).toBe(0)
    expect(workers.deployments.size).toBe(0)
    expect(store.get(boardRef())).toBeUndefined()
    expect(events.reasons).toContain('TopicsDeleted')
  })

  test('should take the finalizer off again when the spec says Retain', async () => {
    const { store } = await started({ topics: [CREATE], deletionPolicy: 'Delete' })
    store.put(aBoard({ topics: [CREATE], deletionPolicy: 'Retain' }))
    await harness.pass(0)
    expect(store.get(boardRef())?.metadata.finalizers).toEqual([])
  })

  test('should let go at last when the brokers stay away, naming what is left behind', async () => {
    const { store, kafka, events } = await started({ topics: [CREATE], deletionPolicy: 'Delete' })
    kafka.down = 'BrokerUnreachable'
    store.delete(boardRef())
    await harness.pass(0)
    expect(harness.condition(boardRef())).toMatchObject({ reason: 'Deleting' })
    await harness.pass(60_000)
    expect(store.get(boardRef())).toBeUndefined()
    expect(events.emitted.find(({ reason }) => reason === 'LeftBehind')?.message).toContain('"orders"')
  })

  test('should never delete what the connection does not allow', async () => {
    const { store, kafka } = await started({ topics: [CREATE], deletionPolicy: 'Delete' })
    store.put(aConnection({ allowedTopics: ['other.*'] }))
    store.delete(boardRef())
    await harness.pass(120_000)
    expect(store.get(boardRef())).toBeUndefined()
    expect(kafka.topics.has('orders')).toBe(true)
  })
})

describe('the operator', () => {
  test('should cost a few requests per cycle, however many resources and topics there are', async () => {
    const names = Array.from({ length: 200 }, (_, i) => `t${i}`)
    const { kafka } = await started(undefined, ({ kafka, store }) => {
      for (const name of names) kafka.addTopic(name, { configs: { 'retention.ms': '1000' } })
      for (const name of names) store.put(aBoard({ topics: [{ name, configs: { 'retention.ms': '1000' } }] }, name))
    })
    const before = new Map(kafka.requests)
    await harness.pass(300_000)
    const cost = (operation: string) => kafka.count(operation) - (before.get(operation) ?? 0)
    expect([cost('describeTopics'), cost('describeConfigs')]).toEqual([10, 10])
  })

  test('should do nothing while another one leads', async () => {
    const { kafka, store } = await started({ topics: [CREATE] }, undefined, { election: new FakeElection(false) })
    store.put(aBoard({ topics: [CREATE] }, 'two'))
    await harness.pass(120_000)
    expect(kafka.totalRequests).toBe(0)
    expect(store.writes).toEqual([])
    expect(harness.operator.health()).toEqual({ live: true, ready: true, leading: false, queued: 0 })
  })

  test('should stop writing and close its connections when it loses the lead', async () => {
    const { election, kafka, store } = await started({ topics: [CREATE] })
    election.lose()
    await harness.pass(0)
    expect(kafka.open).toBe(0)
    const requests = kafka.totalRequests
    store.put(aBoard({ topics: [{ ...CREATE, configs: { 'retention.ms': '5' } }] }))
    await harness.pass(120_000)
    expect(kafka.totalRequests).toBe(requests)
  })

  test('should not be live when its cache has gone stale', async () => {
    const { store } = await started(undefined)
    expect(harness.operator.health()).toMatchObject({ live: true, leading: true })
    store.isHealthy = false
    expect(harness.operator.health().live).toBe(false)
  })

  test('should plan without writing', async () => {
    harness = new OperatorHarness([connectionKind, boardKind])
    harness.store.put(aConnection())
    harness.store.put(aBoard({ topics: [CREATE, { ...CREATE, name: '__x' }] }))
    const report = await harness.operator.planOnly(boardRef())
    expect(report.changes).toEqual([
      { type: 'createTopic', topic: 'orders', partitions: 3, replicationFactor: 1, configs: { 'retention.ms': '1000' } },
    ])
    expect(report.problems).toMatchObject([{ reason: 'TopicNotAllowed' }])
    expect(harness.writes).toEqual([])
    await harness.operator.close()
    expect(harness.kafka.open).toBe(0)
  })

  test('should count what it does', async () => {
    await started({ topics: [CREATE] })
    const { body } = await harness.metrics.expose()
    expect(body).toMatch(/sluice_topics_changed_total\{type="createTopic"\} 1/)
    expect(body).toMatch(/sluice_kafka_requests_total\{operation="createTopics",outcome="success"\} 1/)
    expect(body).toMatch(/controller_runtime_reconcile_total\{controller="Board",result="success"\} [1-9]/)
    expect(body).toMatch(/controller_runtime_active_workers\{controller="Board"\} 0/)
    expect(body).toMatch(/workqueue_depth\{name="sluice"\} 0/)
  })
})
