import { anyGlob } from '../../api/glob.ts'
import { isInternalTopic } from '../../api/topic-name.ts'
import type { Observed } from '../../operator/observed.ts'
import type { Interest, Plan, Problem, ReadingQuestion } from '../../operator/plan.ts'
import type { DeadLetterPipeline } from '../dead-letter-pipeline/resource.ts'
import { allTopics, deadLetterTopics, pipelineTopics } from '../dead-letter-pipeline/topics.ts'
import type { PipelineTopics } from '../dead-letter-pipeline/topics.ts'
import { alerts } from './alerts.ts'
import type { RedriveConfig } from './config.ts'
import { nothingYet, readProgress, total } from './progress.ts'
import type { Progress } from './progress.ts'
import type { DeadLetterRedrive } from './resource.ts'

export const DEFAULT_MAX_REDRIVES = 3
const LOOK_AGAIN_MS = 2_000
const WAIT_MS = 5_000
const MOST_HISTOGRAM = 20

/** As captured when the redrive began; kept in the status, so that they never move. */
interface Bounds {
  readonly topicId: string
  readonly partitions: readonly (readonly [from: number, to: number])[]
}

type Phase = NonNullable<NonNullable<DeadLetterRedrive['status']>['phase']>

/**
 * Consumer group of all redrives of a pipeline: Kafka gives a partition of the dead letters to one of them at a time, whoever started it, and the
 * next owner fences the last.
 */
export const redriveGroup = (namespace: string, pipeline: string): string => `sluice.${namespace}.${pipeline}.redrive`

export const isOver = ({ status }: DeadLetterRedrive): boolean => status?.phase === 'Completed' || status?.phase === 'Failed'

export function interest({ spec }: DeadLetterRedrive, pipeline: DeadLetterPipeline | undefined): Interest {
  const names = new Set(
    pipeline === undefined ? [] : [...allTopics(pipelineTopics(pipeline)), ...(spec.topic === undefined ? [] : [spec.topic])],
  )
  return { topics: name => names.has(name), configKeys: [], sizes: false }
}

/** Topics of the pipeline, with the dead letter topic that is meant. */
function topicsOf({ spec }: DeadLetterRedrive, pipeline: DeadLetterPipeline): PipelineTopics {
  const topics = pipelineTopics(pipeline)
  return { ...topics, deadLetter: spec.deadLetterTopic ?? topics.deadLetter }
}

/** The ends once, the positions as long as it runs. */
export function readings(redrive: DeadLetterRedrive, observed: Observed): ReadingQuestion | undefined {
  const pipeline = observed.subject as DeadLetterPipeline | undefined
  if (pipeline === undefined || isOver(redrive) || redrive.spec.suspend === true) return undefined
  const { deadLetter } = topicsOf(redrive, pipeline)
  const partitions = observed.topics.get(deadLetter)?.partitions
  if (boundsOf(redrive) === undefined) return partitions === undefined ? undefined : { ends: { topic: deadLetter, partitions } }
  return { group: redriveGroup(redrive.metadata.namespace, pipeline.metadata.name) }
}

export function plan(redrive: DeadLetterRedrive, observed: Observed): Plan {
  const pipeline = observed.subject as DeadLetterPipeline
  const topics = topicsOf(redrive, pipeline)
  const kept = keptOf(redrive)
  if (isOver(redrive)) return { topics: [], problems: redrive.status?.phase === 'Failed' ? [gone(topics)] : [], status: kept }
  if (redrive.spec.suspend === true) return resting('Suspended', kept, SUSPENDED)
  const problems = problemsOf(redrive, pipeline, topics, observed)
  if (problems.length > 0) return { topics: [], problems, status: { ...kept, phase: kept.phase ?? 'Pending' }, requeueAfterMs: WAIT_MS }
  const bounds = boundsOf(redrive)
  const seen = observed.topics.get(topics.deadLetter)
  if (bounds !== undefined && bounds.topicId !== seen?.id)
    return { topics: [], problems: [gone(topics)], status: { ...kept, phase: 'Failed' } }
  const other = ahead(redrive, observed)
  if (other !== undefined) return resting('Pending', kept, waitsFor(other))
  if (bounds === undefined) return begin(redrive, observed, topics)
  return run(redrive, observed, pipeline, topics, bounds)
}

const boundsOf = ({ status }: DeadLetterRedrive): Bounds | undefined => status?.bounds as Bounds | undefined

type Fields = Omit<NonNullable<DeadLetterRedrive['status']>, 'conditions' | 'observedGeneration' | 'workers' | 'eta'>

/** What the status keeps from one look to the next. */
function keptOf({ status }: DeadLetterRedrive): Fields {
  const { conditions: _, observedGeneration: __, workers: ___, eta: ____, ...kept } = status ?? {}
  return kept
}

const resting = (phase: Phase, kept: Fields, problem: Problem): Plan => ({
  topics: [],
  problems: [problem],
  status: { ...kept, phase },
  requeueAfterMs: WAIT_MS,
})

const SUSPENDED: Problem = {
  severity: 'NotReady',
  reason: 'Suspended',
  message: 'spec.suspend is true: the worker is stopped; what was moved stays moved, and it goes on from there when suspend is removed.',
}

const waitsFor = ({ metadata }: DeadLetterRedrive): Problem => ({
  severity: 'NotReady',
  reason: 'RedriveWaiting',
  message: `DeadLetterRedrive ${metadata.name} of the same pipeline comes first: wait for it, suspend it, or delete it`,
})

const gone = ({ deadLetter }: PipelineTopics): Problem => ({
  severity: 'Stalled',
  reason: 'RedriveFailed',
  message: `topic ${deadLetter} was deleted and made again since the redrive began: its bounds mean nothing any more; make another DeadLetterRedrive`,
})

/** The ends are written down before anything is moved. */
function begin(redrive: DeadLetterRedrive, observed: Observed, topics: PipelineTopics): Plan {
  const captured = observed.readings?.bounds
  const topicId = observed.topics.get(topics.deadLetter)?.id
  if (captured === undefined || topicId === undefined) {
    const message = `the brokers do not tell where ${topics.deadLetter} ends: a partition has no leader; trying again`
    return resting('Pending', keptOf(redrive), { severity: 'NotReady', reason: 'Reconciling', message })
  }
  const bounds: Bounds = {
    topicId,
    partitions: captured.map(([from, to], partition) => (wanted(redrive, partition) ? [from, to] : [to, to])),
  }
  return {
    topics: [],
    problems: [RUNNING],
    status: { phase: 'Running', matched: 0, sent: 0, skipped: 0, failed: 0, startedAt: new Date(observed.now).toISOString(), bounds },
    requeueAfterMs: 1,
  }
}

const RUNNING: Problem = { severity: 'NotReady', reason: 'RedriveRunning', message: 'Dead letters are being gone through.' }

/** Partitions that no selector can select are not read. */
function wanted({ spec: { select } }: DeadLetterRedrive, partition: number): boolean {
  const listed = select.partitions?.includes(partition) ?? true
  return listed && (select.offsets?.some(range => range.partition === partition) ?? true)
}

function run(redrive: DeadLetterRedrive, observed: Observed, pipeline: DeadLetterPipeline, topics: PipelineTopics, bounds: Bounds): Plan {
  const config = configOf(redrive, pipeline, topics, bounds)
  const { parts, passed } = progressOf(config, topics.deadLetter, observed)
  const sum = total(config.run, parts)
  const status = { ...keptOf(redrive), ...shown(sum, config), phase: 'Running' as const }
  if (sum.done) {
    const completedAt = new Date(observed.now).toISOString()
    return { topics: [], problems: [], status: { ...status, phase: 'Completed', completedAt } }
  }
  const eta = etaOf(redrive, bounds, passed, observed.now)
  return {
    topics: [],
    // One worker: rate and limit belong to all partitions together.
    workers: { replicas: 1, group: redriveGroup(redrive.metadata.namespace, pipeline.metadata.name), config },
    alerts: alerts(config),
    problems: [{ ...RUNNING, message: `${passed} of ${lengthOf(bounds)} offsets were gone through.` }],
    status: { ...status, ...(eta !== undefined && { eta }) },
    requeueAfterMs: LOOK_AGAIN_MS,
  }
}

const lengthOf = ({ partitions }: Bounds): number => partitions.reduce((sum, [from, to]) => sum + to - from, 0)

function progressOf(
  config: RedriveConfig,
  topic: string,
  observed: Observed,
): { readonly parts: readonly Progress[]; readonly passed: number } {
  let passed = 0
  const parts = config.bounds.map(([from, to], partition): Progress => {
    const position = observed.readings?.positions.find(one => one.topic === topic && one.partition === partition)
    const progress = readProgress(position?.note, config.run)
    if (from >= to) return { ...nothingYet(config.run), done: true }
    if (progress === undefined) return nothingYet(config.run)
    passed += progress.done ? to - from : (position?.offset ?? from) - from
    return progress
  })
  return { parts, passed }
}

/** Fields of the status that count. */
export function shown(sum: Progress, config: RedriveConfig) {
  const target = config.topics.target
  const histogram = [...sum.fingerprints]
    .sort(([a, many], [b, more]) => more - many || a.localeCompare(b))
    .slice(0, MOST_HISTOGRAM)
    .map(([fingerprint, count]) => ({ ...(target !== undefined && { target }), fingerprint, count }))
  return { matched: sum.matched, sent: sum.sent, skipped: sum.handled + sum.parked, failed: sum.failed, histogram }
}

function etaOf({ status }: DeadLetterRedrive, bounds: Bounds, passed: number, now: number): string | undefined {
  const tookMs = now - Date.parse(status?.startedAt ?? '')
  if (passed === 0 || !(tookMs > 0)) return undefined
  const leftMs = (tookMs / passed) * (lengthOf(bounds) - passed)
  return new Date(Math.ceil((now + leftMs) / 1000) * 1000).toISOString()
}

/** When it began tells a run from that of an earlier resource of the same name. */
const runOf = ({ metadata, status }: DeadLetterRedrive): string => `${metadata.namespace}/${metadata.name}/${status?.startedAt ?? ''}`

/** Annotation of a redrive: who asked for it. */
export const REQUESTED_BY = 'sluice.dev/requested-by'

export function configOf(
  { spec, metadata, status }: DeadLetterRedrive,
  pipeline: DeadLetterPipeline,
  topics: PipelineTopics,
  bounds: Bounds,
): RedriveConfig {
  const { deadLetter, handled, audit, redelivery } = topics
  return {
    run: runOf({ metadata, status } as DeadLetterRedrive),
    by:
      metadata.annotations?.[REQUESTED_BY] ??
      `DeadLetterRedrive ${metadata.namespace}/${metadata.name}${metadata.uid === undefined ? '' : ` (uid ${metadata.uid})`}`,
    pipeline: `${pipeline.metadata.namespace}/${pipeline.metadata.name}`,
    action: 'Redrive',
    topics: { deadLetter, handled, audit, target: spec.topic ?? redelivery },
    topicId: bounds.topicId,
    bounds: bounds.partitions.map(([from, to]) => [from, to]),
    select: spec.select,
    ...(spec.ratePerSecond !== undefined && { ratePerSecond: spec.ratePerSecond }),
    ...(spec.maxMessages !== undefined && { maxMessages: spec.maxMessages }),
    dryRun: spec.dryRun === true,
    maxRedrives: spec.maxRedrives ?? DEFAULT_MAX_REDRIVES,
    setHeaders: { ...spec.transform?.setHeaders },
    removeHeaders: [...(spec.transform?.removeHeaders ?? [])],
  }
}

/** The redrive of the same pipeline that this one waits for: the one that runs, else the oldest. */
function ahead(redrive: DeadLetterRedrive, { siblings }: Observed): DeadLetterRedrive | undefined {
  if (redrive.status?.phase === 'Running') return undefined
  const others = (siblings as readonly DeadLetterRedrive[]).filter(
    other =>
      other.metadata.namespace === redrive.metadata.namespace &&
      other.spec.pipelineRef.name === redrive.spec.pipelineRef.name &&
      !isOver(other) &&
      !isStalled(other),
  )
  return others.find(({ status }) => status?.phase === 'Running') ?? others.find(other => age(other) < age(redrive))
}

/** It will not run before somebody changes something: nobody waits for that. */
const isStalled = ({ status }: DeadLetterRedrive): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Stalled' && is === 'True') === true

const age = ({ metadata }: DeadLetterRedrive): string => `${metadata.creationTimestamp ?? ''} ${metadata.name}`

function problemsOf(
  redrive: DeadLetterRedrive,
  pipeline: DeadLetterPipeline,
  topics: PipelineTopics,
  observed: Observed,
): readonly Problem[] {
  const { topic } = redrive.spec
  const own = allTopics(pipelineTopics(pipeline))
  const dead = deadLetterTopics(pipelineTopics(pipeline))
  if (!dead.includes(topics.deadLetter)) {
    const message = `spec.deadLetterTopic: ${topics.deadLetter} is no dead letter topic of DeadLetterPipeline ${pipeline.metadata.name}; there are ${dead.join(', ')}`
    return [{ severity: 'Stalled', reason: 'InvalidSpec', message }]
  }
  if (topic !== undefined && own.includes(topic)) {
    const message = `spec.topic: ${topic} is a topic of DeadLetterPipeline ${pipeline.metadata.name} itself: choose another, or to: Application`
    return [{ severity: 'Stalled', reason: 'InvalidSpec', message }]
  }
  const { allowedTopics } = observed.connection
  if (topic !== undefined && (isInternalTopic(topic) || (allowedTopics !== undefined && !anyGlob(allowedTopics)(topic)))) {
    return [
      { severity: 'Stalled', reason: 'TopicNotAllowed', message: `spec.topic: ${topic} is outside spec.allowedTopics of the connection` },
    ]
  }
  const needed = [topics.deadLetter, topics.handled, topics.audit, topic ?? topics.redelivery]
  const missing = needed
    .filter(name => !observed.topics.has(name))
    .map(name => ({
      severity: 'NotReady' as const,
      reason: 'TopicNotFound' as const,
      message: `topic ${name} does not exist: is DeadLetterPipeline ${pipeline.metadata.name} ready?`,
    }))
  return missing.length > 0 ? missing : bookProblems(topics, observed)
}

/** What is written about a dead letter stands in the partition of the same number. */
function bookProblems({ deadLetter, handled, audit }: PipelineTopics, { topics }: Observed): readonly Problem[] {
  const partitions = topics.get(deadLetter)?.partitions ?? 0
  return [handled, audit]
    .filter(name => (topics.get(name)?.partitions ?? 0) < partitions)
    .map(name => ({
      severity: 'NotReady',
      reason: 'Reconciling',
      message: `topic ${name} has fewer partitions than ${deadLetter}: its DeadLetterPipeline adds them`,
    }))
}
