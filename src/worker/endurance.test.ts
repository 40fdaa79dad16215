import { afterEach, expect, test } from '@jest/globals'
import type { Clock } from '../api/clock.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { GroupConsumer, KafkaLog, LogReader, ReadBatch, TransactionalProducer } from '../kafka/log.ts'
import { createLogger } from '../observability/logger.ts'
import { createMetrics } from '../observability/metrics.ts'
import { systemClock } from '../observability/system-clock.ts'
import { Cluster } from '../../test/support/model/cluster.ts'
import { modelLog } from '../../test/support/model/model-log.ts'
import { CopyTask, copyKind } from '../../test/support/worker/copy-kind.ts'
import { stoppedBecause } from './contract.ts'
import { Doorbell } from './doorbell.ts'
import { Hosted } from './hosted.ts'
import { WorkerMetrics } from './metrics.ts'
import { TopicRouting } from './routing.ts'
import { HungSession } from './runtime.ts'
import type { Worker } from './runtime.ts'
import type { Commit, WorkedKind } from './task.ts'
import { Transactions } from './transactions.ts'
import { startWorker } from './worker.ts'

const running: Worker[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map(worker => worker.stop()))
})

/** The system's clock, which can be put forward: whoever slept until then wakes. */
class ForwardClock implements Clock {
  #aheadMs = 0
  readonly #sleepers = new Set<{ readonly untilMs: number; readonly woken: AbortController }>()
  now = (): number => systemClock.now()
  monotonicMs = (): number => systemClock.monotonicMs() + this.#aheadMs

  sleep = async (delayMs: number, signal?: AbortSignal): Promise<void> => {
    const sleeper = { untilMs: this.monotonicMs() + delayMs, woken: new AbortController() }
    this.#sleepers.add(sleeper)
    await systemClock.sleep(delayMs, signal === undefined ? sleeper.woken.signal : AbortSignal.any([signal, sleeper.woken.signal]))
    this.#sleepers.delete(sleeper)
  }

  forward(byMs: number): void {
    this.#aheadMs += byMs
    for (const { untilMs, woken } of this.#sleepers) if (untilMs <= this.monotonicMs()) woken.abort()
  }
}

function aCluster(): Cluster {
  const cluster = new Cluster()
  for (const role of ['in', 'out', 'journal', 'dlq']) cluster.createTopic(`c.${role}`, 1)
  return cluster
}

async function start(log: KafkaLog, clock: Clock = systemClock, kind: WorkedKind = copyKind): Promise<Worker> {
  const worker = await startWorker({
    contract: {
      version: 1,
      generation: 1,
      namespace: 'test',
      group: 'group',
      connection: { bootstrapServers: ['model'] },
      resources: [{ kind: 'Copy', name: 'copy', config: { prefix: 'c' } }],
      memoryBudgetBytes: 1024 * 1024,
    },
    kinds: [kind],
    log,
    clock,
    logger: createLogger({ level: 'silent' }),
    metrics: createMetrics(),
    instanceId: 'a',
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

const input = { topic: 'c.in', partition: 0 }
const journal = { topic: 'c.journal', partition: 0 }
function write(cluster: Cluster, count: number): void {
  for (let i = 0; i < count; i += 1) cluster.log(input).append({ key: null, value: Buffer.from(String(i)), headers: [] })
}
const copied = (cluster: Cluster): number => cluster.visible('c.out').length

/** A log whose readers are changed by a test. */
const withReader = (log: KafkaLog, change: (reader: LogReader) => LogReader): KafkaLog => ({
  groupConsumer: options => log.groupConsumer(options),
  producer: options => log.producer(options),
  reader: async () => change(await log.reader()),
})

function changed(reader: LogReader, parts: Partial<LogReader>): LogReader {
  return {
    assign: partitions => reader.assign(partitions),
    unassign: partitions => reader.unassign(partitions),
    pause: partitions => {
      reader.pause(partitions)
    },
    resume: partitions => reader.resume(partitions),
    poll: (max, waitMs) => reader.poll(max, waitMs),
    positions: partitions => reader.positions(partitions),
    watermarks: partitions => reader.watermarks(partitions),
    topicIds: topics => reader.topicIds(topics),
    close: () => reader.close(),
    ...parts,
  }
}

test('should write offsets that do not move again, before brokers forget them', async () => {
  const cluster = aCluster()
  const clock = new ForwardClock()
  write(cluster, 5)
  await start(modelLog(cluster), clock)
  const group = cluster.group('group')
  await until(() => group.offset(input)?.offset === 5, 'all was copied')
  group.forget(input)
  clock.forward(3_600_000)
  await until(() => group.offset(input)?.offset === 5, 'the offset was written again')
  write(cluster, 5)
  await until(() => copied(cluster) === 10, 'the rest was copied')
})

test('should notice that a topic was made again while it was read, although its offsets fit', async () => {
  const cluster = aCluster()
  const clock = new ForwardClock()
  write(cluster, 5)
  const worker = await start(modelLog(cluster), clock)
  await until(() => copied(cluster) === 5, 'all was copied')
  cluster.createTopic('c.in', 1)
  write(cluster, 5)
  clock.forward(60_000)
  await until(() => worker.tasks()[0]?.state === 'stopped', 'it was stopped')
  expect(worker.tasks()).toMatchObject([{ reason: 'TopicRecreated', message: expect.stringContaining('c.in[0] was deleted') }])
})

test('should tell a task that holds nothing how far it has come, soon after it has read on', async () => {
  const ends: number[] = []
  class Empty extends CopyTask {
    override get bytes(): number {
      return 0
    }

    override caughtUp(topic: string, offset: number): void {
      ends.push(offset)
      super.caughtUp(topic, offset)
    }
  }
  const empty: WorkedKind = {
    kind: 'Copy',
    tasks: (resource, namespace) => ({ ...copyKind.tasks(resource, namespace), create: partition => new Empty('c', partition) }),
  }
  const cluster = aCluster()
  write(cluster, 5)
  await start(modelLog(cluster), systemClock, empty)
  await until(() => ends.includes(5), 'the end was told')
  write(cluster, 5)
  await until(() => ends.includes(10), 'the next end was told, though nobody asks about idle tasks yet')
})

/** Its journal does not tell where it was. */
class Forgetful extends CopyTask {
  override loadState(): void {
    // Nothing that would help.
  }

  override started(committed: ReadonlyMap<string, Commit>): ReadonlyMap<string, number> {
    return committed.has(input.topic)
      ? super.started(committed)
      : (new Map([[input.topic, 'unknown']]) as unknown as ReadonlyMap<string, number>)
  }
}
const forgetful: WorkedKind = {
  kind: 'Copy',
  tasks: (resource, namespace) => ({ ...copyKind.tasks(resource, namespace), create: partition => new Forgetful('c', partition) }),
}

test('should stop when brokers forgot the offsets and the journal is not whole, again and again, until somebody sets them', async () => {
  const cluster = aCluster()
  const group = cluster.group('group')
  write(cluster, 5)
  const first = await start(modelLog(cluster), systemClock, forgetful)
  await until(() => copied(cluster) === 5, 'all was copied')
  await first.stop()
  group.forget(input)
  cluster.log(journal).low = cluster.log(journal).high
  for (let times = 0; times < 2; times++) {
    const worker = await start(modelLog(cluster), systemClock, forgetful)
    await until(() => stoppedBecause(group.offset(input)?.metadata ?? '') !== undefined, 'the reason was noted')
    expect(stoppedBecause(group.offset(input)?.metadata ?? '')).toEqual({
      reason: 'OffsetsExpired',
      message: expect.stringMatching(
        /no offset of c\.in\[0\].*c\.journal no longer tells.*sluice offsets reset --group group --topic c\.in/,
      ),
    })
    await until(() => worker.tasks()[0]?.state === 'stopped', 'it was stopped')
    await worker.stop()
  }
  group.move(input, 3)
  await start(modelLog(cluster), systemClock, forgetful)
  await until(() => copied(cluster) === 7, 'what is above was copied')
})

test('should begin at the start when there is no offset and a whole journal says that nothing was done', async () => {
  const cluster = aCluster()
  write(cluster, 5)
  await start(modelLog(cluster), systemClock, forgetful)
  await until(() => copied(cluster) === 5, 'all was copied')
})

test('should read a state again from its new start when retention overtakes the restore, and not run with a part of it', async () => {
  const cluster = aCluster()
  write(cluster, 5)
  const first = await start(modelLog(cluster))
  await until(() => copied(cluster) === 5, 'all was copied')
  await first.stop()
  cluster.log(journal).append({ key: null, value: Buffer.from('5'), headers: [] })
  const end = cluster.log(journal).high
  let overtaken = false
  const log = withReader(modelLog(cluster), reader =>
    changed(reader, {
      assign: partitions => {
        if (partitions.some(({ topic }) => topic === journal.topic) && !overtaken) {
          overtaken = true
          cluster.log(journal).low = end - 1
        }
        return reader.assign(partitions)
      },
    }),
  )
  const second = await start(log)
  await until(() => second.tasks()[0]?.state !== 'restoring' && overtaken, 'the second one has restored')
  expect(second.tasks()).toMatchObject([{ state: 'running' }])
  write(cluster, 5)
  await until(() => copied(cluster) === 10, 'the rest was copied')
})

test('should name a restore that stalls as such', async () => {
  const cluster = aCluster()
  const clock = new ForwardClock()
  cluster.log(journal).append({ key: null, value: Buffer.from('0'), headers: [] }, { state: 'open' })
  const worker = await start(modelLog(cluster), clock)
  let polls = 0
  await until(() => (polls += 1) > 50 && worker.tasks()[0]?.state === 'restoring', 'it restores')
  clock.forward(200_000)
  await until(() => worker.tasks()[0]?.state === 'stopped', 'it gave up')
  expect(worker.tasks()).toMatchObject([{ reason: 'RestoreStalled', message: expect.stringContaining('c.journal[0] at 0 of 1') }])
})

test('should give up as hung when a session that failed does not close', async () => {
  const clock = new ForwardClock()
  let closing = false
  const log = withReader(modelLog(aCluster()), reader =>
    changed(reader, {
      poll: () => Promise.reject(new KafkaError('Unexpected', 'the client is broken', { retriable: false })),
      close: () => {
        closing = true
        return new Promise(() => undefined)
      },
    }),
  )
  const worker = await start(log, clock)
  running.pop()
  await until(() => closing, 'it closes its clients')
  clock.forward(31_000)
  expect(await worker.ended).toBeInstanceOf(HungSession)
})

test('should give a task each record once when a batch of a source arrives behind its resumption', async () => {
  const cluster = aCluster()
  write(cluster, 20)
  const log = withReader(modelLog(cluster), reader => {
    let last: ReadBatch | undefined
    return changed(reader, {
      poll: async (max, waitMs) => {
        const batch = await reader.poll(max, waitMs)
        const again = last?.records ?? []
        last = batch
        return { ...batch, records: [...again, ...batch.records] }
      },
    })
  })
  const worker = await start(log)
  await until(() => copied(cluster) >= 20, 'all was copied')
  write(cluster, 20)
  await until(() => copied(cluster) >= 40 || worker.tasks()[0]?.state === 'stopped', 'the rest was copied')
  expect(worker.tasks()).toMatchObject([{ state: 'running' }])
  expect(copied(cluster)).toBe(40)
})

test('should not count failures of long ago: idle in between, the session goes on', async () => {
  const clock = new ForwardClock()
  const hosted = new Hosted(copyKind.tasks({ kind: 'Copy', name: 'copy', config: { prefix: 'c' } }, 'test'), 0)
  Object.assign(hosted, { claimed: true, state: 'running' })
  hosted.task.accept([{ ...input, offset: 0, timestampMs: 0, key: null, value: Buffer.from('v'), headers: [] }], 0)
  let tasks = [hosted]
  let commits = 0
  const producer = {
    begin: () => Promise.resolve(),
    send: () => undefined,
    sendOffsets: () => Promise.resolve(),
    abort: () => Promise.resolve(),
    refusals: () => [],
    commit: () => {
      commits += 1
      // As when the partition moves away: what failed is not tried again.
      if (commits === 1) tasks = []
      return commits <= 3 ? Promise.reject(new KafkaError('Timeout', 'not now', { retriable: true })) : Promise.resolve()
    },
  }
  const failures: Error[] = []
  const bell = new Doorbell(clock)
  const transactions = new Transactions({
    producer: producer as unknown as TransactionalProducer,
    transactionalId: 'a',
    member: () => ({}) as GroupConsumer,
    tasks: () => tasks,
    routing: new TopicRouting(producer as unknown as TransactionalProducer, clock, () => undefined),
    bell,
    clock,
    metrics: new WorkerMetrics(createMetrics(), [hosted.family], clock),
    logger: createLogger({ level: 'silent' }),
    advanced: () => undefined,
    stop: (_, error) => failures.push(error as Error),
    failed: error => failures.push(error),
  })
  const run = transactions.run()
  await until(() => commits === 1, 'a transaction failed')
  clock.forward(300_000)
  tasks = [hosted]
  bell.ring()
  await until(() => commits === 4 || failures.length > 0, 'it was tried again')
  await transactions.stop()
  await run
  expect(failures).toEqual([])
})

test('should not take a topic for missing because it was so long ago', async () => {
  const clock = new ForwardClock()
  const topic: { partitions: number | undefined } = { partitions: undefined }
  const producer = { partitionsOf: () => Promise.resolve(topic.partitions) } as unknown as TransactionalProducer
  let learned = 0
  const routing = new TopicRouting(producer, clock, () => (learned += 1))
  expect(routing.partitions('late')).toBeUndefined()
  await until(() => learned === 1, 'it was asked')
  expect(routing.partitions('late')).toBe('missing')
  topic.partitions = 3
  clock.forward(3_600_000)
  expect(routing.partitions('late')).toBeUndefined()
  await until(() => learned === 2, 'it was asked again')
  expect(routing.partitions('late')).toBe(3)
})
