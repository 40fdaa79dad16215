import { afterEach, describe, expect, test } from '@jest/globals'
import { KafkaError } from '../kafka/errors.ts'
import type { Commit } from '../kafka/log.ts'
import { createLogger } from '../observability/logger.ts'
import { createMetrics } from '../observability/metrics.ts'
import type { Metrics } from '../observability/metrics.ts'
import { systemClock } from '../observability/system-clock.ts'
import { Cluster } from '../../test/support/model/cluster.ts'
import { modelLog } from '../../test/support/model/model-log.ts'
import type { Faults } from '../../test/support/model/model-log.ts'
import { copyKind } from '../../test/support/worker/copy-kind.ts'
import type { Contract } from './contract.ts'
import { runningGeneration, stoppedBecause } from './contract.ts'
import { decodeOwnership, encodeOwnership } from './metadata.ts'
import { idsOf } from './producer-pair.ts'
import type { Worker } from './runtime.ts'
import { encodeIds } from './topic-ids.ts'
import { startWorker } from './worker.ts'

const PARTITIONS = 2
const running: Worker[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map(worker => worker.stop()))
})

function aCluster(): Cluster {
  const cluster = new Cluster()
  for (const role of ['in', 'out', 'journal', 'dlq']) cluster.createTopic(`c.${role}`, PARTITIONS)
  return cluster
}

interface Started {
  readonly worker: Worker
  readonly metrics: Metrics
}

const ALONE: Contract = {
  version: 1,
  generation: 7,
  namespace: 'test',
  group: 'group',
  connection: { bootstrapServers: ['model'] },
  resources: [{ kind: 'Copy', name: 'copy', config: { prefix: 'c' } }],
  memoryBudgetBytes: 1024 * 1024,
}

async function start(cluster: Cluster, instanceId: string, faults: Faults = {}, contract = ALONE): Promise<Started> {
  const metrics = createMetrics()
  const worker = await startWorker({
    contract,
    kinds: [copyKind],
    log: modelLog(cluster, faults),
    clock: systemClock,
    logger: createLogger({ level: 'silent' }),
    metrics,
    instanceId,
  })
  running.push(worker)
  return { worker, metrics }
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 15_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`timed out waiting until ${what}`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

function write(cluster: Cluster, from: number, count: number): void {
  for (let i = from; i < from + count; i += 1) {
    cluster.log({ topic: 'c.in', partition: i % PARTITIONS }).append({ key: null, value: Buffer.from(String(i)), headers: [] })
  }
}

const copies = (cluster: Cluster, role = 'out'): number[] => cluster.visible(`c.${role}`).map(({ value }) => Number(value?.toString()))
const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b)
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
const arrived = (cluster: Cluster, count: number): Promise<void> => until(() => copies(cluster).length >= count, `${count} copies arrived`)
/** What stands beside the offset of the input of the ids of the topics. */
const noted = (cluster: Cluster): string => encodeIds(['c.in', 'c.journal'], cluster.topicIds(['c.in', 'c.journal']))
const offsetOf = (cluster: Cluster, partition: number): Commit | undefined => cluster.group('group').offset({ topic: 'c.in', partition })

test('should refuse a contract with a kind that it does not know', async () => {
  const options = {
    contract: { version: 1, generation: 1, namespace: 'n', group: 'g', connection: { bootstrapServers: [] }, memoryBudgetBytes: 1 },
  }
  const contract = { ...options.contract, version: 1 as const, resources: [{ kind: 'Novel', name: 'x', config: {} }] }
  const rest = {
    kinds: [copyKind],
    log: modelLog(aCluster()),
    clock: systemClock,
    logger: createLogger({ level: 'silent' }),
    instanceId: 'i',
  }
  await expect(startWorker({ ...rest, contract, metrics: createMetrics() })).rejects.toThrow('Novel "x"')
})

describe('running', () => {
  test('should copy each record once, and release what it owns when it stops', async () => {
    const cluster = aCluster()
    write(cluster, 0, 50)
    const { worker, metrics } = await start(cluster, 'a')
    await arrived(cluster, 50)
    expect(worker.ready()).toEqual({ ready: true, reasons: [] })
    write(cluster, 50, 50)
    await arrived(cluster, 100)
    await worker.stop()
    expect(await worker.ended).toBeUndefined()
    expect(sorted(copies(cluster))).toEqual(numbers(100))
    expect(decodeOwnership(offsetOf(cluster, 0)?.metadata ?? '')).toEqual({
      transactionalId: 'group.a.1',
      released: true,
      task: '50',
      generation: 7,
      ids: noted(cluster),
    })
    expect((await metrics.expose()).body).toContain('copied_total 100')
  })

  test('should claim its partitions before it writes anything', async () => {
    const cluster = aCluster()
    const claims: (string | undefined)[] = []
    await start(cluster, 'a', {
      afterCommit: () => {
        if (copies(cluster).length === 0) claims.push(offsetOf(cluster, 0)?.metadata, offsetOf(cluster, 1)?.metadata)
      },
    })
    await until(() => claims.filter(claim => claim !== undefined).length >= 2, 'both were claimed')
    const ids = noted(cluster)
    expect(claims).toContain(encodeOwnership({ transactionalId: 'group.a.1', released: false, task: '', generation: 7, ids }))
  })

  test('should share with a worker that joins, and take back what it leaves', async () => {
    const cluster = aCluster()
    const first = await start(cluster, 'a')
    write(cluster, 0, 40)
    await arrived(cluster, 40)
    const second = await start(cluster, 'b')
    await until(() => second.worker.tasks().some(({ state }) => state === 'running'), 'the second one runs a task')
    write(cluster, 40, 40)
    await arrived(cluster, 80)
    await first.worker.stop()
    write(cluster, 80, 40)
    await arrived(cluster, 120)
    expect(sorted(copies(cluster))).toEqual(numbers(120))
    expect((await second.metrics.expose()).body).toContain('sluice_worker_fences_total 0')
  })
})

describe('failures', () => {
  test('should propose the same again after an abort', async () => {
    const cluster = aCluster()
    let failures = 3
    write(cluster, 0, 20)
    await start(cluster, 'a', {
      beforeCommit: () => {
        if (offsetOf(cluster, 0) === undefined || offsetOf(cluster, 1) === undefined || failures === 0) return
        failures -= 1
        throw new KafkaError('Timeout', 'not now', { retriable: true })
      },
    })
    await arrived(cluster, 20)
    expect(failures).toBe(0)
    expect(sorted(copies(cluster))).toEqual(numbers(20))
  })

  test('should begin anew from what was committed when the outcome of a commit is unknown', async () => {
    const cluster = aCluster()
    let lost = 0
    write(cluster, 0, 20)
    const { metrics } = await start(cluster, 'a', {
      afterCommit: () => {
        if (copies(cluster).length === 0 || lost > 0) return
        lost += 1
        throw new KafkaError('Timeout', 'the answer was lost', { retriable: false })
      },
    })
    await until(() => lost === 1, 'an answer was lost')
    write(cluster, 20, 20)
    await arrived(cluster, 40)
    expect(sorted(copies(cluster))).toEqual(numbers(40))
    expect((await metrics.expose()).body).toContain('sluice_worker_sessions_total 2')
  })

  test('should fence an owner that vanished with an open transaction', async () => {
    const cluster = aCluster()
    write(cluster, 0, 20)
    let frozen = false
    const thawed = Promise.withResolvers<undefined>()
    const first = await start(cluster, 'a', {
      beforeCommit: async () => {
        if (copies(cluster).length === 0 || frozen) return
        frozen = true
        await thawed.promise
      },
    })
    await arrived(cluster, 1)
    write(cluster, 20, 20)
    await until(() => frozen, 'the first worker hangs before a commit')
    const group = cluster.group('group')
    const [member] = group.members
    group.expel(member!)
    const second = await start(cluster, 'b')
    await arrived(cluster, 40)
    thawed.resolve(undefined)
    write(cluster, 40, 20)
    await arrived(cluster, 60)
    expect(sorted(copies(cluster))).toEqual(numbers(60))
    expect((await second.metrics.expose()).body).toMatch(/sluice_worker_fences_total [1-9]/)
    expect(first.worker.live()).toBe(true)
  })

  test('should not be ended again by whoever fences what an earlier session of it left', async () => {
    const cluster = aCluster()
    const { metrics } = await start(cluster, 'a')
    const fenceTheFirst = async (): Promise<void> => {
      for (const id of idsOf('group.a.1')) {
        const producer = await modelLog(cluster).producer({ transactionalId: id, transactionTimeoutMs: 10_000 })
        await producer.initTransactions(10_000)
      }
    }
    write(cluster, 0, 50)
    await arrived(cluster, 50)
    await fenceTheFirst()
    write(cluster, 50, 50)
    await arrived(cluster, 100)
    await fenceTheFirst()
    write(cluster, 100, 50)
    await arrived(cluster, 150)
    expect(sorted(copies(cluster))).toEqual(numbers(150))
    expect((await metrics.expose()).body).toContain('sluice_worker_sessions_total 2')
  })

  test('should find the one record that brokers refuse', async () => {
    const cluster = aCluster()
    write(cluster, 0, 100)
    await start(cluster, 'a', {
      refuses: ({ topic, value }) => (topic === 'c.out' && value?.toString() === '42' ? 'MessageTooLarge' : undefined),
    })
    await arrived(cluster, 99)
    await until(() => cluster.visible('c.dlq').length === 1, 'the refused one is dead-lettered')
    expect(sorted(copies(cluster))).toEqual(numbers(100).filter(value => value !== 42))
    expect(cluster.visible('c.dlq').map(({ value }) => value?.toString())).toEqual(['MessageTooLarge'])
  })

  test('should stop the one task whose records were deleted unread, and say so', async () => {
    const cluster = aCluster()
    write(cluster, 0, 20)
    cluster.log({ topic: 'c.in', partition: 1 }).low = 4
    const { worker, metrics } = await start(cluster, 'a')
    await arrived(cluster, 10)
    await until(() => worker.tasks().some(({ state }) => state === 'stopped'), 'a task was stopped')
    expect(sorted(copies(cluster))).toEqual(numbers(20).filter(value => value % 2 === 0))
    expect(worker.ready().reasons).toEqual([
      expect.stringContaining('Copy/test/copy[1] OffsetOutOfRange: c.in[1] was read up to 0, but its log starts at 4'),
    ])
    expect((await metrics.expose()).body).toContain('reason="OffsetOutOfRange"} 1')
    expect(worker.live()).toBe(true)
  })

  test('should note beside the offset why it stopped, for the operator to read, and leave the offset as it is', async () => {
    const cluster = aCluster()
    write(cluster, 0, 20)
    const first = await start(cluster, 'a')
    await arrived(cluster, 20)
    await first.worker.stop()
    const before = offsetOf(cluster, 1)
    write(cluster, 20, 20)
    cluster.log({ topic: 'c.in', partition: 1 }).low = 14
    const { worker } = await start(cluster, 'b')
    await until(() => stoppedBecause(offsetOf(cluster, 1)?.metadata ?? '') !== undefined, 'the reason was noted')
    const after = offsetOf(cluster, 1)
    expect(stoppedBecause(after?.metadata ?? '')).toEqual({
      reason: 'OffsetOutOfRange',
      message: expect.stringMatching(
        /4 offsets were deleted unread\. .*`sluice offsets reset --group \S+ --topic c\.in:1 --to earliest --execute`/,
      ),
    })
    expect(after?.offset).toBe(before?.offset)
    expect(decodeOwnership(after?.metadata ?? '')?.task).toBe(decodeOwnership(before?.metadata ?? '')?.task)
    expect(runningGeneration(after?.metadata ?? '')).toBeUndefined()
    expect(worker.tasks().map(({ state }) => state)).toEqual(['running', 'stopped'])
  })

  test('should wait for what is missing now, say what it is, and go on', async () => {
    const cluster = new Cluster()
    for (const role of ['in', 'out', 'dlq']) cluster.createTopic(`c.${role}`, PARTITIONS)
    write(cluster, 0, 20)
    const { worker } = await start(cluster, 'a')
    await until(() => worker.ready().reasons.some(reason => reason.includes('c.journal[1]')), 'the missing topic is named')
    expect(worker.ready().ready).toBe(false)
    cluster.createTopic('c.journal', PARTITIONS)
    await arrived(cluster, 20)
    expect(worker.ready().ready).toBe(true)
  })

  test('should stop the tasks of a topic that was made again, although their offsets fit, until somebody moves them', async () => {
    const cluster = aCluster()
    write(cluster, 0, 20)
    const first = await start(cluster, 'a')
    await arrived(cluster, 20)
    await first.worker.stop()
    const { ids } = decodeOwnership(offsetOf(cluster, 0)?.metadata ?? '') ?? {}
    cluster.createTopic('c.in', PARTITIONS)
    write(cluster, 20, 40)
    const { worker, metrics } = await start(cluster, 'b')
    await until(() => stoppedBecause(offsetOf(cluster, 1)?.metadata ?? '') !== undefined, 'the reason was noted')
    const id = cluster.topicIds(['c.in']).get('c.in') ?? ''
    expect(stoppedBecause(offsetOf(cluster, 1)?.metadata ?? '')).toEqual({
      reason: 'TopicRecreated',
      message: expect.stringMatching(`c.in\\[1\\] was deleted and made again: the id of the topic began with topic-1_ and is ${id} now`),
    })
    expect(worker.tasks()[0]?.message).toContain('sluice offsets reset --group group --topic c.in --to earliest --execute')
    expect(worker.ready()).toMatchObject({ ready: false, reasons: [expect.stringContaining('TopicRecreated'), expect.anything()] })
    expect((await metrics.expose()).body).toMatch(/sluice_worker_task_stopped\{[^}]*partition="0",reason="TopicRecreated"\} 1/)
    await worker.stop()
    // A restart changes nothing: the ids of the old topic stay noted.
    expect(decodeOwnership(offsetOf(cluster, 0)?.metadata ?? '')?.ids).toBe(ids)
    const second = await start(cluster, 'c')
    await until(() => second.worker.tasks().filter(({ reason }) => reason === 'TopicRecreated').length === PARTITIONS, 'both were stopped')
    expect(sorted(copies(cluster))).toEqual(numbers(20))
  })

  test('should take a topic as it is whose offset a person has moved', async () => {
    const cluster = aCluster()
    write(cluster, 0, 20)
    const first = await start(cluster, 'a')
    await arrived(cluster, 20)
    await first.worker.stop()
    cluster.createTopic('c.in', PARTITIONS)
    cluster.createTopic('c.journal', PARTITIONS)
    write(cluster, 20, 20)
    for (let partition = 0; partition < PARTITIONS; partition++) cluster.group('group').move({ topic: 'c.in', partition }, 0)
    await start(cluster, 'b')
    await arrived(cluster, 40)
    expect(sorted(copies(cluster))).toEqual(numbers(40))
    await until(() => decodeOwnership(offsetOf(cluster, 0)?.metadata ?? '')?.ids === noted(cluster), 'the new ids were noted')
  })

  test('should stop a task when the state knows less than the last commit', async () => {
    const cluster = aCluster()
    write(cluster, 0, 20)
    const first = await start(cluster, 'a')
    await arrived(cluster, 20)
    await first.worker.stop()
    cluster.createTopic('c.journal', PARTITIONS)
    const { worker } = await start(cluster, 'b')
    await until(() => worker.tasks().filter(({ state }) => state === 'stopped').length === PARTITIONS, 'both were stopped')
    expect(worker.tasks()[0]).toMatchObject({
      reason: 'TopicRecreated',
      message: expect.stringMatching(/c\.journal\[0\] was deleted and made again.*--topic c\.in --to shift-by 0/),
    })
    expect(sorted(copies(cluster))).toEqual(numbers(20))
  })
})

describe('a pool', () => {
  const topicsOf = (cluster: Cluster, prefix: string): void => {
    for (const role of ['in', 'out', 'journal', 'dlq']) cluster.createTopic(`${prefix}.${role}`, PARTITIONS)
  }
  const pooled = (generation: number, ...prefixes: readonly string[]): Contract => ({
    version: 1,
    generation,
    namespace: 'test',
    group: 'group',
    pool: 'small',
    connection: { bootstrapServers: ['model'] },
    resources: prefixes.map(prefix => ({ kind: 'Copy', name: prefix, generation: 1, config: { prefix } })),
    memoryBudgetBytes: 1024 * 1024,
  })
  const put = (cluster: Cluster, prefix: string, from: number, count: number): void => {
    for (let i = from; i < from + count; i += 1)
      cluster.log({ topic: `${prefix}.in`, partition: i % PARTITIONS }).append({ key: null, value: Buffer.from(String(i)), headers: [] })
  }
  const copied = (cluster: Cluster, prefix: string): number => cluster.visible(`${prefix}.out`).length
  const names = (worker: Worker): readonly string[] => [...new Set(worker.tasks().map(({ name }) => name))].toSorted()

  test('should take up a resource that comes and let go of one that goes, and leave the tasks of the others alone', async () => {
    const cluster = aCluster()
    topicsOf(cluster, 'd')
    const { worker } = await start(cluster, 'a', {}, pooled(1, 'c'))
    put(cluster, 'c', 0, 10)
    await until(() => copied(cluster, 'c') === 10, 'the first resource was worked on')
    await worker.follow(pooled(2, 'c', 'd'))
    put(cluster, 'd', 0, 10)
    put(cluster, 'c', 10, 10)
    await until(() => copied(cluster, 'd') === 10 && copied(cluster, 'c') === 20, 'both were worked on')
    expect(worker.contract.generation).toBe(2)
    await worker.follow(pooled(3, 'd'))
    expect(names(worker)).toEqual(['d'])
    expect(decodeOwnership(offsetOf(cluster, 0)?.metadata ?? '')).toMatchObject({ released: true, generation: 1 })
    put(cluster, 'd', 10, 10)
    await until(() => copied(cluster, 'd') === 20, 'the second went on')
    expect(copied(cluster, 'c')).toBe(20)
  })

  test('should begin a changed resource anew under its generation, and lose and double nothing', async () => {
    const cluster = aCluster()
    const { worker } = await start(cluster, 'a', {}, pooled(1, 'c'))
    put(cluster, 'c', 0, 50)
    const [resource] = pooled(2, 'c').resources
    const changed: Contract = { ...pooled(2, 'c'), resources: resource ? [{ ...resource, generation: 2 }] : [] }
    await worker.follow(changed)
    put(cluster, 'c', 50, 50)
    await arrived(cluster, 100)
    expect(sorted(copies(cluster))).toEqual(numbers(100))
    expect(decodeOwnership(offsetOf(cluster, 0)?.metadata ?? '')).toMatchObject({ released: false, generation: 2 })
  })

  test('should take a resource back that went and came before the group had noticed', async () => {
    const cluster = aCluster()
    topicsOf(cluster, 'd')
    const { worker } = await start(cluster, 'a', {}, pooled(1, 'c', 'd'))
    await until(() => worker.tasks().filter(({ state }) => state === 'running').length === 4, 'all tasks run')
    void worker.follow(pooled(2, 'c'))
    await worker.follow(pooled(3, 'c', 'd'))
    put(cluster, 'd', 0, 10)
    await until(() => copied(cluster, 'd') === 10, 'it was worked on again')
  })

  test('should stay ready for the others while one resource cannot be restored, and say which', async () => {
    const cluster = aCluster()
    for (const role of ['in', 'out', 'dlq']) cluster.createTopic(`d.${role}`, PARTITIONS)
    const { worker } = await start(cluster, 'a', {}, pooled(1, 'c', 'd'))
    await until(() => worker.tasks().length === 4 && worker.ready().ready, 'the worker was ready')
    expect(worker.ready().reasons.join()).toContain('Copy/test/d[0]')
    put(cluster, 'c', 0, 10)
    await until(() => copied(cluster, 'c') === 10, 'the other was worked on')
    await worker.follow(pooled(2, 'd'))
    expect(worker.ready().ready).toBe(false)
  })

  test('should run what it knows of a contract that also has a kind that it does not', async () => {
    const cluster = aCluster()
    const contract = pooled(1, 'c')
    const { worker } = await start(
      cluster,
      'a',
      {},
      { ...contract, resources: [...contract.resources, { kind: 'Novel', name: 'x', config: {} }] },
    )
    put(cluster, 'c', 0, 10)
    await until(() => copied(cluster, 'c') === 10 && worker.ready().ready, 'the known kind was worked on')
    expect(worker.ready().reasons).toEqual([expect.stringContaining('Novel/test/x: the contract has a Novel "x"')])
  })
})
