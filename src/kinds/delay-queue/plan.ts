import { parseDuration } from '../../api/duration.ts'
import { anyGlob } from '../../api/glob.ts'
import { isInternalTopic, topicName, topicNameProblem } from '../../api/topic-name.ts'
import type { Observed } from '../../operator/observed.ts'
import type { Interest, Plan, PoolWish, Problem, TopicIntent, Waiting, WorkerIntent } from '../../operator/plan.ts'
import { podShape, poolGroup, poolWish } from '../workers.ts'
import { alerts } from './alerts.ts'
import type { QueueConfig } from './config.ts'
import { waitingIn } from './drain.ts'
import type { DelayQueue } from './resource.ts'
import { ownTopics, queueTopics, topicConfigs } from './topics.ts'
import type { QueueTopics } from './topics.ts'

export const DEFAULT_PARTITIONS = 6
export const DEFAULT_REPLICAS = 1

/** Own topics, the target, and whatever stands below the prefixes of fixed delays and tiers: those may have left the spec. */
export function interest(queue: DelayQueue): Interest {
  const topics = queueTopics(queue)
  const names = new Set(ownTopics(topics))
  if (queue.spec.target) names.add(queue.spec.target.topic)
  const prefixes = ['.fixed.', '.tier.'].map(part => topics.input.replace(/\.in$/, part))
  const configKeys = new Set([...topicConfigs(queue, topics).values()].flatMap(configs => Object.keys(configs)))
  return {
    topics: name => names.has(name) || prefixes.some(prefix => name.startsWith(prefix)),
    configKeys: [...configKeys, 'min.insync.replicas'],
    sizes: false,
  }
}

/** Shared workers, if it names a pool. */
export const poolOf = ({ spec }: DelayQueue): PoolWish | undefined => poolWish(spec.workers, DEFAULT_REPLICAS)

export function plan(queue: DelayQueue, observed: Observed): Plan {
  const topics = queueTopics(queue, [...observed.topics.keys(), ...observed.vanishing])
  const partitions = queue.spec.partitions ?? observed.topics.get(topics.input)?.partitions ?? DEFAULT_PARTITIONS
  const problems = problemsOf(queue, topics, partitions, observed)
  const stalled = problems.some(problem => problem.severity === 'Stalled')
  return {
    topics: stalled ? [] : topicIntents(queue, topics, partitions, observed),
    workers: workerIntent(queue, topics, partitions, observed),
    alerts: alerts(queue, partitions),
    problems,
    status: statusOf(queue, topics, partitions),
    waiting: waiting(queue, topics, partitions),
  }
}

const groupOf = ({ spec, metadata }: DelayQueue): string =>
  spec.workers?.pool === undefined ? `sluice.${metadata.namespace}.${metadata.name}.dq` : poolGroup(metadata.namespace, spec.workers.pool)

const waiting = (queue: DelayQueue, { input, fixed, tiers }: QueueTopics, partitions: number): Waiting =>
  waitingIn({ group: groupOf(queue), partitions, input, fixed, tiers, maxDelayMs: parseDuration(queue.spec.maxDelay) })

function topicIntents(queue: DelayQueue, topics: QueueTopics, partitions: number, observed: Observed): readonly TopicIntent[] {
  const { replicationFactor, minInsyncReplicas } = observed.connection.defaults
  const durable: Readonly<Record<string, string>> =
    minInsyncReplicas === undefined ? {} : { 'min.insync.replicas': String(minInsyncReplicas) }
  return [...topicConfigs(queue, topics)].map(([name, configs]) => ({
    name,
    create: { partitions, replicationFactor },
    configs: { ...configs, ...durable },
    owned: true,
  }))
}

function workerIntent(queue: DelayQueue, topics: QueueTopics, partitions: number, observed: Observed): WorkerIntent {
  const { spec } = queue
  const pool = spec.workers?.pool
  return {
    replicas: spec.workers?.replicas ?? DEFAULT_REPLICAS,
    group: groupOf(queue),
    ...(pool !== undefined && { pool: { name: pool, input: { topic: topics.input, partitions } } }),
    config: configOf(queue, topics, partitions, observed),
    ...podShape(spec.workers),
  }
}

function configOf(queue: DelayQueue, topics: QueueTopics, partitions: number, observed: Observed): QueueConfig {
  const { spec } = queue
  const { allowedTopics } = observed.connection
  const late = spec.late
  return {
    partitions,
    maxDelayMs: parseDuration(spec.maxDelay),
    topics: { ...topics, fixed: [...topics.fixed], tiers: [...topics.tiers] },
    allowedTargets: [...(spec.allowedTargets ?? [])],
    ...(spec.target && { target: spec.target.topic }),
    ...(allowedTopics && { allowedTopics: [...allowedTopics] }),
    ...(late && late.policy !== 'Deliver' && { late: { policy: late.policy, afterMs: parseDuration(late.after ?? '1ms') } }),
    ...(spec.deduplication && { deduplicationMs: parseDuration(spec.deduplication.window) }),
    ...(spec.maxFireRate !== undefined && { maxFireRate: spec.maxFireRate }),
  }
}

function statusOf(queue: DelayQueue, topics: QueueTopics, partitions: number): Readonly<Record<string, unknown>> {
  const declared = new Set((queue.spec.tiers ?? []).map(parseDuration))
  const fixed = topics.fixed.filter(({ delayMs }) => declared.has(delayMs)).map(({ topic }) => topic)
  return {
    topics: {
      input: topics.input,
      ...(fixed.length > 0 && { fixed: Object.fromEntries(fixed.map(topic => [topic.slice(topic.lastIndexOf('.') + 1), topic])) }),
      deadLetter: topics.deadLetter,
    },
    effective: { partitions, replicas: queue.spec.workers?.replicas ?? DEFAULT_REPLICAS },
  }
}

const stalled = (reason: Problem['reason'], message: string): Problem => ({ severity: 'Stalled', reason, message })

function problemsOf(queue: DelayQueue, topics: QueueTopics, partitions: number, observed: Observed): readonly Problem[] {
  return [
    ...notImplemented(queue),
    ...nameProblems(topics),
    ...sharedTopics(queue, topics, observed),
    ...targetProblems(queue, topics, observed),
    ...partitionProblems(topics, partitions, observed),
  ]
}

function notImplemented({ spec }: DelayQueue): readonly Problem[] {
  const problems: Problem[] = []
  if (spec.delivery === 'AtLeastOnce')
    problems.push(
      stalled('NotImplemented', 'spec.delivery: AtLeastOnce is not implemented in this version; remove the field to deliver exactly once'),
    )
  return problems
}

const nameProblems = (topics: QueueTopics): readonly Problem[] =>
  ownTopics(topics).flatMap(topic => {
    const problem = topicNameProblem(topic)
    return problem === undefined ? [] : [stalled('InvalidSpec', `${problem}: choose a shorter name or set spec.topicPrefix`)]
  })

/** Two queues on one input would each deliver every message. */
function sharedTopics(queue: DelayQueue, topics: QueueTopics, observed: Observed): readonly Problem[] {
  return observed.siblings.flatMap(sibling => {
    const { spec, metadata } = sibling as DelayQueue
    const { namespace, name } = metadata
    const input = topicName(metadata, spec.topicPrefix, 'in')
    if (input !== topics.input) return []
    return [
      stalled(
        'InvalidSpec',
        `topic ${input} also belongs to DelayQueue ${namespace}/${name}: give ${queue.metadata.name} another spec.topicPrefix`,
      ),
    ]
  })
}

function targetProblems(queue: DelayQueue, topics: QueueTopics, observed: Observed): readonly Problem[] {
  const target = queue.spec.target?.topic
  if (target === undefined) return []
  if (ownTopics(topics).includes(target))
    return [
      stalled('InvalidSpec', `spec.target.topic: ${target} is a topic of the queue itself; name the topic that your application reads`),
    ]
  const { allowedTopics } = observed.connection
  if (isInternalTopic(target) || (allowedTopics && !anyGlob(allowedTopics)(target)))
    return [stalled('TopicNotAllowed', `spec.target.topic: ${target} is outside spec.allowedTopics of the connection`)]
  if (observed.topics.has(target) || observed.vanishing.has(target)) return []
  const message = `spec.target.topic: ${target} does not exist; create it, for instance with a KafkaTopicPolicy: until then due messages become dead letters`
  return [{ severity: 'NotReady', reason: 'TopicNotFound', message }]
}

/** A record and the state about it are found by partition number: topics of unlike counts would part them. */
function partitionProblems(topics: QueueTopics, partitions: number, observed: Observed): readonly Problem[] {
  return ownTopics(topics).flatMap(topic => {
    const seen = observed.topics.get(topic)?.partitions
    if (seen === undefined || seen === partitions || topic === topics.deadLetter) return []
    const message =
      `topic ${topic} has ${seen} partitions but the queue has ${partitions}: all topics of a queue need the same number. ` +
      (seen > partitions
        ? 'Kafka cannot remove partitions: make a new queue and let this one run empty'
        : 'Delete the topic if it holds nothing, or make a new queue')
    return [stalled(seen > partitions ? 'PartitionsDecreased' : 'InvalidSpec', message)]
  })
}
