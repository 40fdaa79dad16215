import { afterEach, describe, expect, test } from '@jest/globals'
import { createLogger } from '../../../src/observability/logger.ts'
import { createMetrics } from '../../../src/observability/metrics.ts'
import { systemClock } from '../../../src/observability/system-clock.ts'
import { FakeCaller } from '../../support/fakes/caller.ts'
import { Cluster } from '../../support/model/cluster.ts'
import { modelLog } from '../../support/model/model-log.ts'
import { aPipelineConfig } from '../../support/dead-letter-pipeline.ts'
import { worked } from '../../../src/kinds/dead-letter-pipeline/task-family.ts'
import type { Contract } from '../../../src/worker/contract.ts'
import type { Worker } from '../../../src/worker/runtime.ts'
import { startWorker } from '../../../src/worker/worker.ts'

const PARTITIONS = 2
const IN_FLIGHT = 8
const http = { source: 'orders', target: { url: 'http://app/', timeoutMs: 1_000, maxInFlight: IN_FLIGHT } }
const config = aPipelineConfig({ partitions: PARTITIONS, http, backoff: { initialMs: 20, factor: 1, maxMs: 1_000, jitter: 'None' } })

const running: Worker[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map(worker => worker.stop()))
})

function aCluster(): Cluster {
  const cluster = new Cluster()
  const { retry, redelivery, journal, deadLetter, tiers } = config.topics
  for (const topic of ['orders', retry, redelivery, journal, deadLetter, ...tiers.map(tier => tier.topic)])
    cluster.createTopic(topic, PARTITIONS)
  return cluster
}

async function start(cluster: Cluster, instanceId: string, caller: FakeCaller, more: Partial<Contract> = {}): Promise<Worker> {
  const contract: Contract = {
    version: 1,
    generation: 1,
    namespace: 'shop',
    group: 'billing',
    connection: { bootstrapServers: ['model'] },
    resources: [{ kind: 'DeadLetterPipeline', name: 'p', config }],
    memoryBudgetBytes: 1024 * 1024,
    ...more,
  }
  const worker = await startWorker({
    contract,
    kinds: [worked],
    log: modelLog(cluster),
    caller,
    clock: systemClock,
    logger: createLogger({ level: 'silent' }),
    metrics: createMetrics(),
    instanceId,
  })
  running.push(worker)
  return worker
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 15_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`timed out waiting until ${what}`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

function write(cluster: Cluster, from: number, to: number): void {
  for (let i = from; i < to; i++)
    cluster
      .log({ topic: 'orders', partition: i % PARTITIONS })
      .append({ key: Buffer.from(`k${i}`), value: Buffer.from(String(i)), headers: [] })
}

const committed = (cluster: Cluster): number[] =>
  Array.from({ length: PARTITIONS }, (_, partition) => cluster.group('billing').offset({ topic: 'orders', partition })?.offset ?? 0)
const numbers = (to: number): number[] => Array.from({ length: to }, (_, i) => i)
const sorted = (values: readonly string[]): number[] => values.map(Number).toSorted((a, b) => a - b)

describe('calls', () => {
  test('should be made once for each record, never more at once than allowed, and then be committed', async () => {
    const cluster = aCluster()
    write(cluster, 0, 100)
    const caller = new FakeCaller()
    await start(cluster, 'a', caller)
    await until(() => caller.waiting.length === IN_FLIGHT, 'all slots are taken')
    caller.answerAll(200)
    await until(() => committed(cluster).join() === '50,50', 'all are committed')
    expect(sorted(caller.bodies)).toEqual(numbers(100))
    expect(caller.mostAtOnce).toBe(IN_FLIGHT)
  })

  test('should end in any order, and be repeated by the next owner only where they had not ended', async () => {
    const cluster = aCluster()
    write(cluster, 0, 20)
    const caller = new FakeCaller()
    const worker = await start(cluster, 'a', caller)
    await until(() => caller.waiting.length === IN_FLIGHT, 'all slots are taken')
    const kept = caller.waiting.slice(0, 2).map(({ body }) => body)
    caller.answer = ({ body }) => (kept.includes(body) ? undefined : 200)
    caller.answerWaiting()
    await until(() => caller.bodies.length === 20, 'all others were called')
    await worker.stop()
    expect(caller.waiting).toEqual([])
    const second = new FakeCaller()
    second.answerAll(200)
    await start(cluster, 'b', second)
    await until(() => committed(cluster).join() === '10,10', 'all are committed')
    expect(sorted(second.bodies)).toEqual(sorted(kept))
  }, 20_000)

  test('should hand a failure over, and call again what comes back', async () => {
    const cluster = aCluster()
    const caller = new FakeCaller()
    let failures = 0
    caller.answer = ({ body }) => (body === '3' && failures++ < 2 ? 503 : 200)
    caller.answerWaiting()
    await start(cluster, 'a', caller)
    write(cluster, 0, 10)
    await until(() => caller.bodies.filter(body => body === '3').length === 3, 'it was called three times')
    await until(() => committed(cluster).join() === '5,5', 'all are committed')
    const calls = caller.calls
      .filter(({ body }) => body === '3')
      .map(({ headers }) => [headers['sluice-attempt'], headers['idempotency-key']])
    expect(calls).toEqual([
      ['1', 'orders-1-1'],
      ['2', 'orders-1-1'],
      ['3', 'orders-1-1'],
    ])
    expect(caller.calls).toHaveLength(12)
    expect(cluster.visible('p.dlq')).toEqual([])
  })

  test('should wait for calls in flight before their partitions move to another worker', async () => {
    const cluster = aCluster()
    write(cluster, 0, 40)
    const caller = new FakeCaller()
    await start(cluster, 'a', caller)
    await until(() => caller.waiting.length === IN_FLIGHT, 'all slots are taken')
    const joining = start(cluster, 'b', caller)
    // Ends what is in flight while the group takes partitions away.
    const answering = setInterval(() => {
      caller.answerAll(200)
    }, 5)
    await joining
    await until(() => committed(cluster).join() === '20,20', 'all are committed')
    clearInterval(answering)
    expect(sorted(caller.bodies)).toEqual(numbers(40))
  })

  test('should stop the task when the way to make them is not there', async () => {
    const cluster = aCluster()
    write(cluster, 0, 2)
    const caller = new FakeCaller()
    caller.refusal = new Error('cannot read the secret file /x')
    const worker = await start(cluster, 'a', caller)
    await until(() => worker.tasks().some(({ reason }) => reason === 'TaskFailed'), 'a task was stopped')
    expect(worker.ready().reasons.join()).toContain('cannot read the secret file /x')
  })
})
