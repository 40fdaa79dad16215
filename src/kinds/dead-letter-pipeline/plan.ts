import { parseDuration } from '../../api/duration.ts'
import { anyGlob } from '../../api/glob.ts'
import { isInternalTopic, topicName, topicNameProblem } from '../../api/topic-name.ts'
import type { Observed } from '../../operator/observed.ts'
import type { Interest, Plan, Problem, ReadingQuestion, TopicIntent, Waiting, WorkerIntent } from '../../operator/plan.ts'
import { waitingIn } from '../delay-queue/drain.ts'
import { podShape } from '../workers.ts'
import { alerts } from './alerts.ts'
import type { PipelineConfig } from './config.ts'
import { breakerState, callProblems, httpConfig, httpSecrets, sharedSources } from './http/plan.ts'
import type { DeadLetterPipeline } from './resource.ts'
import {
  allTopics,
  bookTopics,
  deadLetterRetentionMs,
  deadLetterTopics,
  pipelineTopics,
  taskTopics,
  tierPrefix,
  topicConfigs,
  waitingTopics,
} from './topics.ts'
import type { PipelineTopics } from './topics.ts'
import { DEFAULT_MAX_ATTEMPTS, backoffOf, longestWaitMs } from './waits.ts'
import { decodeNote, statusOf } from './watch/note.ts'

const DEFAULT_PARTITIONS = 6
const DEFAULT_REPLICAS = 1
/** How soon the status of a pipeline that makes calls shows how they go. */
const LOOK_AT_CALLS_MS = 10_000

/** Own topics, the source (for its partitions), and whatever stands below the prefix of the tiers. */
export function interest(pipeline: DeadLetterPipeline): Interest {
  const topics = pipelineTopics(pipeline)
  const names = new Set([...allTopics(topics), pipeline.spec.source.topic])
  const prefix = tierPrefix(pipeline)
  const configKeys = new Set([...topicConfigs(pipeline, topics).values()].flatMap(configs => Object.keys(configs)))
  return {
    topics: name => names.has(name) || name.startsWith(prefix),
    configKeys: [...configKeys, 'min.insync.replicas'],
    sizes: false,
  }
}

/** What the workers noted beside their offsets tells how the calls go, and which dead letters wait for somebody. */
export const readings = (pipeline: DeadLetterPipeline): ReadingQuestion => ({ group: groupOf(pipeline) })

export function plan(pipeline: DeadLetterPipeline, observed: Observed): Plan {
  const topics = pipelineTopics(pipeline, [...observed.topics.keys(), ...observed.vanishing])
  const partitions =
    observed.topics.get(topics.retry)?.partitions ?? observed.topics.get(pipeline.spec.source.topic)?.partitions ?? DEFAULT_PARTITIONS
  const sourcePartitions = observed.topics.get(pipeline.spec.source.topic)?.partitions ?? partitions
  const problems = problemsOf(pipeline, topics, partitions, observed)
  const breaker = breakerState(pipeline.spec, observed)
  const stalled = problems.some(problem => problem.severity === 'Stalled')
  return {
    topics: stalled ? [] : topicIntents(pipeline, topics, { partitions, sourcePartitions }, observed),
    ...(stalled ? {} : { workers: workerIntent(pipeline, topics, partitions), alerts: alerts(pipeline, { partitions, sourcePartitions }) }),
    problems,
    ...(pipeline.spec.delivery.http !== undefined && { requeueAfterMs: LOOK_AT_CALLS_MS }),
    status: {
      ...(breaker !== undefined && { breaker }),
      ...deadLettersSeen(topics, observed),
      topics: { retry: topics.retry, redelivery: topics.redelivery, deadLetter: topics.deadLetter },
      effective: {
        partitions,
        replicas: pipeline.spec.workers?.replicas ?? DEFAULT_REPLICAS,
        maxAttempts: pipeline.spec.retry?.maxAttempts ?? DEFAULT_MAX_ATTEMPTS,
        jitter: backoffOf(pipeline.spec).jitter,
      },
    },
    waiting: waiting(pipeline, topics, partitions),
  }
}

/** With HTTP delivery the workers are the application's consumers: its group is where people look for its lag, and where it was left off. */
const groupOf = ({ metadata, spec }: DeadLetterPipeline): string =>
  spec.delivery.http === undefined ? `sluice.${metadata.namespace}.${metadata.name}.dlp` : spec.source.group

const isDeleted = ({ metadata }: DeadLetterPipeline): boolean => metadata.deletionTimestamp !== undefined

/**
 * What was handed to the pipeline; never the source, which is the application's own and keeps its position in it. What an application has not read of its
 * redeliveries counts only where it would be deleted.
 */
function waiting(pipeline: DeadLetterPipeline, { retry, redelivery, tiers }: PipelineTopics, partitions: number): Waiting {
  const { spec } = pipeline
  const own = waitingIn({ group: groupOf(pipeline), partitions, input: retry, fixed: [], tiers, maxDelayMs: longestWaitMs(spec) })
  if (spec.delivery.http !== undefined) return { ...own, sources: [...own.sources, { topic: redelivery, partitions }] }
  if (spec.deletionPolicy !== 'Delete') return own
  return { ...own, sources: [...own.sources, { topic: redelivery, partitions, readBy: spec.source.group }] }
}

function deadLettersSeen({ deadLetter }: PipelineTopics, { readings: seen }: Observed) {
  const notes = seen?.positions.filter(({ topic }) => topic === deadLetter).flatMap(({ note }) => decodeNote(note) ?? [])
  const deadLetters = statusOf(notes ?? [])
  return deadLetters && { deadLetters }
}

function topicIntents(
  pipeline: DeadLetterPipeline,
  topics: PipelineTopics,
  { partitions, sourcePartitions }: { readonly partitions: number; readonly sourcePartitions: number },
  observed: Observed,
): readonly TopicIntent[] {
  const { replicationFactor, minInsyncReplicas } = observed.connection.defaults
  const { deadLetter } = pipeline.spec
  const durable: Readonly<Record<string, string>> =
    minInsyncReplicas === undefined ? {} : { 'min.insync.replicas': String(minInsyncReplicas) }
  const own = new Set(taskTopics(topics))
  const books = new Set(bookTopics(topics))
  const waiting = new Set(waitingTopics(topics))
  const deadPartitions = Math.max(
    ...deadLetterTopics(topics).map(topic => observed.topics.get(topic)?.partitions ?? deadLetter?.partitions ?? partitions),
  )
  return [...topicConfigs(pipeline, topics)].map(([name, configs]) => ({
    name,
    create: own.has(name)
      ? { partitions, replicationFactor }
      : waiting.has(name)
        ? { partitions: sourcePartitions, replicationFactor }
        : {
            partitions: books.has(name) ? deadPartitions : (deadLetter?.partitions ?? partitions),
            replicationFactor: deadLetter?.replicationFactor ?? replicationFactor,
          },
    // What is written about a dead letter stands in the partition of the same number; a rule's topic may have more than the pipeline's own.
    ...(books.has(name) && { partitions: deadPartitions }),
    ...(waiting.has(name) && { partitions: sourcePartitions }),
    configs: { ...configs, ...durable },
    owned: own.has(name) || books.has(name) || waiting.has(name) || name === ownDeadLetter(pipeline),
  }))
}

const ownDeadLetter = ({ metadata, spec }: DeadLetterPipeline): string => topicName(metadata, spec.topicPrefix, 'dlq')

function workerIntent(pipeline: DeadLetterPipeline, topics: PipelineTopics, partitions: number): WorkerIntent {
  const { spec } = pipeline
  return {
    replicas: spec.workers?.replicas ?? DEFAULT_REPLICAS,
    group: groupOf(pipeline),
    config: configOf(pipeline, topics, partitions),
    ...(spec.delivery.http !== undefined && { secrets: httpSecrets(spec.delivery.http) }),
    ...podShape(spec.workers),
  }
}

function configOf(pipeline: DeadLetterPipeline, topics: PipelineTopics, partitions: number): PipelineConfig {
  const { spec } = pipeline
  const { retry, redelivery, tiers, journal, deadLetter } = topics
  return {
    partitions,
    maxDelayMs: longestWaitMs(spec),
    topics: { retry, redelivery, tiers: [...tiers], journal, deadLetter },
    group: spec.source.group,
    maxAttempts: spec.retry?.maxAttempts ?? DEFAULT_MAX_ATTEMPTS,
    backoff: backoffOf(spec),
    ...(spec.retry?.deadline !== undefined && { deadlineMs: parseDuration(spec.retry.deadline) }),
    rules: spec.rules ?? [],
    springHeaders: spec.deadLetter?.compatibility === 'Spring',
    ...(!isDeleted(pipeline) && { watch: { handled: topics.handled, retentionMs: deadLetterRetentionMs(spec) } }),
    ...(spec.delivery.http !== undefined && {
      http: { ...httpConfig(spec, spec.delivery.http, topics.waiting), ...(isDeleted(pipeline) && { sourceClosed: true }) },
    }),
  }
}

const stalled = (reason: Problem['reason'], message: string): Problem => ({ severity: 'Stalled', reason, message })

function problemsOf(pipeline: DeadLetterPipeline, topics: PipelineTopics, partitions: number, observed: Observed): readonly Problem[] {
  return [
    ...nameProblems(topics),
    ...circles(pipeline, topics),
    ...sharedTopics(topics, observed),
    ...notAllowed(pipeline, topics, observed),
    ...sourceProblems(pipeline, observed),
    ...partitionProblems(topics, partitions, observed),
    ...sharedSources(pipeline, observed),
    ...callProblems(pipeline, observed),
  ]
}

const nameProblems = (topics: PipelineTopics): readonly Problem[] =>
  allTopics(topics).flatMap(topic => {
    const problem = topicNameProblem(topic)
    return problem === undefined ? [] : [stalled('InvalidSpec', `${problem}: choose a shorter name or set spec.topicPrefix`)]
  })

/** A topic that feeds itself would never come to rest. */
function circles({ spec }: DeadLetterPipeline, topics: PipelineTopics): readonly Problem[] {
  const own = [...taskTopics(topics), ...bookTopics(topics), ...waitingTopics(topics)]
  const problems: Problem[] = []
  if (own.includes(spec.source.topic))
    problems.push(stalled('InvalidSpec', `spec.source.topic: ${spec.source.topic} is a topic of the pipeline itself`))
  for (const topic of [topics.deadLetter, ...topics.ruled]) {
    if (own.includes(topic))
      problems.push(stalled('InvalidSpec', `dead letters cannot go to ${topic}: it is a topic of the pipeline itself`))
    if (topics.ruled.includes(topic) && topic === spec.source.topic)
      problems.push(stalled('InvalidSpec', `spec.rules: deadLetterTopic ${topic} is the source; its dead letters would be read again`))
  }
  return problems
}

/** Two pipelines on one retry topic would each redeliver every failure. */
function sharedTopics(topics: PipelineTopics, observed: Observed): readonly Problem[] {
  return observed.siblings.flatMap(sibling => {
    const { spec, metadata } = sibling as DeadLetterPipeline
    if (topicName(metadata, spec.topicPrefix, 'retry') !== topics.retry) return []
    const other = `DeadLetterPipeline ${metadata.namespace}/${metadata.name}`
    return [stalled('InvalidSpec', `topic ${topics.retry} also belongs to ${other}: give one of them another spec.topicPrefix`)]
  })
}

function notAllowed({ spec }: DeadLetterPipeline, topics: PipelineTopics, observed: Observed): readonly Problem[] {
  const { allowedTopics } = observed.connection
  const allowed = allowedTopics === undefined ? () => true : anyGlob(allowedTopics)
  const named = [...(spec.deadLetter?.topic === undefined ? [] : [topics.deadLetter]), ...topics.ruled]
  return named
    .filter(topic => isInternalTopic(topic) || !allowed(topic))
    .map(topic => stalled('TopicNotAllowed', `dead letter topic ${topic} is outside spec.allowedTopics of the connection`))
}

/** Not in the way of anything: the application may come before its topic. With HTTP delivery there is nothing to do without it. */
function sourceProblems({ spec }: DeadLetterPipeline, observed: Observed): readonly Problem[] {
  const { topic } = spec.source
  if (observed.topics.has(topic) || observed.vanishing.has(topic)) return []
  const severity = spec.delivery.http === undefined ? 'Warning' : 'NotReady'
  return [{ severity, reason: 'TopicNotFound', message: `spec.source.topic: ${topic} does not exist` }]
}

/** A record and the journal about it are found by partition number: topics of unlike counts would part them. */
function partitionProblems(topics: PipelineTopics, partitions: number, observed: Observed): readonly Problem[] {
  return taskTopics(topics).flatMap(topic => {
    const seen = observed.topics.get(topic)?.partitions
    if (seen === undefined || seen === partitions) return []
    const message =
      `topic ${topic} has ${seen} partitions but ${topics.retry} has ${partitions}: all topics of a pipeline need the same number. ` +
      (seen > partitions
        ? 'Kafka cannot remove partitions: make a new pipeline and let this one run empty'
        : 'Delete the topic if it holds nothing, or make a new pipeline')
    return [stalled('InvalidSpec', message)]
  })
}
