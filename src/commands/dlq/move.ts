import { randomBytes } from 'node:crypto'
import { hostname, userInfo } from 'node:os'
import { movedIn, rehearse } from '../../dead-letters/rehearsal.ts'
import type { CommittedOffset, KafkaAdmin } from '../../kafka/admin.ts'
import { KafkaError } from '../../kafka/errors.ts'
import type { RedriveConfig } from '../../kinds/dead-letter-redrive/config.ts'
import { DEFAULT_MAX_REDRIVES, redriveGroup, shown } from '../../kinds/dead-letter-redrive/plan.ts'
import { nothingYet, readProgress, total } from '../../kinds/dead-letter-redrive/progress.ts'
import type { Progress } from '../../kinds/dead-letter-redrive/progress.ts'
import type { Select } from '../../kinds/dead-letter-redrive/resource.ts'
import { worked } from '../../kinds/dead-letter-redrive/task-family.ts'
import { createLogger } from '../../observability/logger.ts'
import { createMetrics } from '../../observability/metrics.ts'
import { noteOf } from '../../worker/contract.ts'
import type { Contract } from '../../worker/contract.ts'
import { startWorker } from '../../worker/worker.ts'
import type { Answer } from '../output.ts'
import type { CommandDesk } from './open.ts'

export interface MoveOptions {
  readonly action: 'Redrive' | 'Discard'
  readonly select: Select
  readonly topic?: string
  readonly rate?: number
  readonly max?: number
  readonly maxRedrives?: number
  readonly execute: boolean
}

const MEMORY_BUDGET_BYTES = 64 * 2 ** 20
const LOOK_AGAIN_MS = 300
/** Another redrive of the pipeline may have taken partitions: what is done is marked, and the rest is for another try. */
const STALLED_AFTER_MS = 60_000

/** `sluice dlq redrive` and `discard`: tells what they would do, and with --execute does it with the code that workers run. */
export async function move(desk: CommandDesk, options: MoveOptions): Promise<Answer> {
  const config = configOf(desk, options)
  const target = config.topics.target
  if (target !== undefined) await checkTarget(desk, target)
  const progress = options.execute ? await execute(desk, config) : await rehearse(desk, config)
  const fields = shown(progress, config)
  const verb = options.action === 'Redrive' ? `redriven to ${target ?? ''}` : 'discarded: marked as handled, deleted by retention only'
  const rest = `; ${progress.matched} matched, ${progress.handled} handled before, ${progress.parked} redriven too often, ${progress.failed} refused by the target`
  const remark = options.execute
    ? `${progress.sent} dead letters were ${verb}${rest}`
    : `dry run: nothing was written; ${movedIn(progress)} dead letters would be ${verb}${rest}; --execute does it`
  const table = {
    columns: [{ heading: 'TARGET' }, { heading: 'FINGERPRINT' }, { heading: 'COUNT', align: 'right' as const }],
    rows: fields.histogram.map(({ fingerprint, count }) => [target, fingerprint, count]),
  }
  const data = {
    pipeline: config.pipeline,
    action: options.action,
    executed: options.execute,
    ...(options.execute && { run: config.run, by: config.by }),
    ...fields,
  }
  return { data, text: [table, remark] }
}

function configOf(desk: CommandDesk, { action, select, topic, rate, max, maxRedrives }: MoveOptions): RedriveConfig {
  const { namespace, name, topics, topicId, ranges } = desk
  const at = new Date(desk.clock.now()).toISOString()
  return {
    run: `${namespace}/cli-${randomBytes(4).toString('hex')}/${at}`,
    by: `${userInfo().username}@${hostname()}`,
    pipeline: `${namespace}/${name}`,
    action,
    topics: {
      deadLetter: topics.deadLetter,
      handled: topics.handled,
      audit: topics.audit,
      ...(action === 'Redrive' && { target: topic ?? topics.redelivery }),
    },
    topicId,
    bounds: ranges.map(({ from, to }) => [from, to]),
    select,
    ...(rate !== undefined && { ratePerSecond: rate }),
    ...(max !== undefined && { maxMessages: max }),
    dryRun: false,
    maxRedrives: maxRedrives ?? DEFAULT_MAX_REDRIVES,
    setHeaders: {},
    removeHeaders: [],
  }
}

async function checkTarget({ admin, topics }: CommandDesk, target: string): Promise<void> {
  if ([topics.deadLetter, topics.handled, topics.audit].includes(target))
    throw new Error(`--topic: ${target} is a topic of the pipeline itself: what is redriven would be dead again; choose another`)
  const needed = [target, topics.handled, topics.audit]
  const found = await admin.describeTopics(needed)
  const missing = needed.filter(topic => !found.has(topic))
  if (missing.length > 0)
    throw new Error(`${missing.join(', ')} does not exist on this cluster: the operator creates the topics of a pipeline`)
}

async function execute(desk: CommandDesk, config: RedriveConfig): Promise<Progress> {
  const group = redriveGroup(desk.namespace, desk.name)
  await refuseCompany(desk, group)
  const { confluentLog } = await import('../../kafka/confluent-log.ts')
  const contract: Contract = {
    version: 1,
    generation: 1,
    namespace: desk.namespace,
    group,
    connection: { bootstrapServers: desk.settings.bootstrapServers },
    resources: [{ kind: worked.kind, name: desk.name, config }],
    memoryBudgetBytes: MEMORY_BUDGET_BYTES,
  }
  const worker = await startWorker({
    contract,
    kinds: [worked],
    log: confluentLog(desk.settings, { clientId: 'sluice-cli' }),
    clock: desk.clock,
    logger: createLogger({ level: 'error' }, { write: line => process.stderr.write(line) }),
    metrics: createMetrics(),
    instanceId: `cli-${randomBytes(8).toString('hex')}`,
  })
  const stop = (): void => void worker.stop()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  let ended = false
  void worker.ended.then(() => (ended = true))
  try {
    return await untilDone(desk, config, group, () => ended)
  } finally {
    await worker.stop()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop)
  }
}

/** A member that was killed is one until its session ends, after 6 s. */
const COMPANY_LEAVES_MS = 10_000

/** Kafka shares the partitions of a group among its members: two redrives at once would each wait for the partitions of the other. */
async function refuseCompany({ admin, clock }: CommandDesk, group: string): Promise<void> {
  const untilMs = clock.monotonicMs() + COMPANY_LEAVES_MS
  for (;;) {
    const members = await membersOf(admin, group)
    if (members === 0) return
    if (clock.monotonicMs() > untilMs && members instanceof KafkaError) throw members
    if (clock.monotonicMs() > untilMs)
      throw new Error(`a redrive of this pipeline runs (consumer group ${group}): wait for it, or suspend it`)
    await clock.sleep(LOOK_AGAIN_MS)
  }
}

/** Or why it is not known yet: the first group of a cluster has no coordinator for a second. */
const membersOf = (admin: KafkaAdmin, group: string): Promise<number | KafkaError> =>
  admin.describeGroup(group).then(
    ({ members }) => members.length,
    (error: unknown) => {
      if (!(error instanceof KafkaError)) throw error
      if (error.code === 'UnknownGroup') return 0
      if (error.retriable) return error
      throw error
    },
  )

/** A coordinator that moves is asked again; what does not come back is told by nothing moving. */
const positionsOf = (admin: KafkaAdmin, group: string): Promise<readonly CommittedOffset[]> =>
  admin.groupOffsets(group).catch((error: unknown) => {
    if (error instanceof KafkaError && error.retriable) return []
    throw error
  })

async function untilDone({ admin, clock }: CommandDesk, config: RedriveConfig, group: string, ended: () => boolean): Promise<Progress> {
  let last = ''
  let movedAtMs = clock.monotonicMs()
  for (;;) {
    const positions = await positionsOf(admin, group)
    const parts = config.bounds.map(([from, to], partition): Progress => {
      const position = positions.find(one => one.topic === config.topics.deadLetter && one.partition === partition)
      const progress = readProgress(noteOf(position?.metadata ?? ''), config.run) ?? nothingYet(config.run)
      return from >= to ? { ...progress, done: true } : progress
    })
    const progress = total(config.run, parts)
    if (progress.done) return progress
    const told = JSON.stringify(positions.map(({ offset }) => String(offset)))
    if (told !== last) movedAtMs = clock.monotonicMs()
    last = told
    const again = `${progress.sent} dead letters were handled and are marked; run the command again for the rest`
    if (ended()) throw new Error(`stopped before the end: ${again}`)
    if (clock.monotonicMs() - movedAtMs > STALLED_AFTER_MS)
      throw new Error(`nothing moved for ${STALLED_AFTER_MS / 1000} s: ${again}. Did another redrive of the pipeline begin meanwhile?`)
    await clock.sleep(LOOK_AGAIN_MS)
  }
}
