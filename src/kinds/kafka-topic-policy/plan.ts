import type { EpochMs } from '../../api/resource.ts'
import type { Observed } from '../../operator/observed.ts'
import type { Interest, Plan, RetentionQuestion, TopicIntent } from '../../operator/plan.ts'
import { Audit } from './audit.ts'
import { claimOf } from './claim.ts'
import { rivalsOf, settle } from './conflicts.ts'
import { NOTICE_MS, notice, pendingDeletion, questionOf, underWayMs, wasTold } from './deletion.ts'
import type { Configs } from './desired.ts'
import { leftToOthers, matchedTopics } from './matching.ts'
import type { Matched } from './matching.ts'
import { conflictProblems, stepsLeft, topicProblems } from './problems.ts'
import type { KafkaTopicPolicy } from './resource.ts'
import { judgesKeys, keysFor, rulesAbout } from './rules/index.ts'
import { paceOf, paced } from './steps.ts'
import type { Pace } from './steps.ts'
import { judged, Warnings } from './warnings.ts'

/** Partitions of a new topic where the spec does not say. */
export const DEFAULT_PARTITIONS = 1

export function interest(policy: KafkaTopicPolicy): Interest {
  const { wish, selects } = claimOf(policy)
  return { topics: selects, configKeys: [...new Set([...wish.keys, ...keysFor(rulesAbout(wish.keys))])], sizes: true }
}

/** Only where a limit would fall: topics at rest are not asked about. */
export function questions(policy: KafkaTopicPolicy, observed: Observed): readonly RetentionQuestion[] {
  return matchedTopics(policy, observed).flatMap(({ view, decreases }) => questionOf(view.name, decreases) ?? [])
}

/** Whatever is compacted, or will be. */
export function samples(policy: KafkaTopicPolicy, observed: Observed): readonly string[] {
  if (!judgesKeys(rulesAbout(claimOf(policy).wish.keys))) return []
  return matchedTopics(policy, observed).flatMap(({ view, wanted }) =>
    judged(view, wanted, policy.spec).cleans('compact') ? [view.name] : [],
  )
}

export function plan(policy: KafkaTopicPolicy, observed: Observed): Plan {
  const { spec, status } = policy
  const lastStepAt = parseTime(status?.lastStepTime)
  const pace = paceOf(spec, lastStepAt, observed.now)
  const matched = matchedTopics(policy, observed)
  const created = newTopics(policy, observed)
  const audit = auditOf(policy, matched, created)
  const warnings = warningsOf(policy, matched, audit, observed)
  const observes = spec.mode === 'Observe'
  const deletion = deletionOf(policy, observed, matched, pace, lastStepAt)
  const holds = deletion.hold && !observes
  const decreasing = stepsLeft(matched, pace)
  return {
    topics: [...created, ...matched.map(topic => intentOf(policy, topic, pace))],
    problems: [
      ...topicProblems(policy, observed),
      ...conflictProblems(matched),
      ...(holds && deletion.pending !== undefined ? [notice(deletion.pending)] : []),
      ...(decreasing !== undefined && !observes && !holds ? [decreasing] : []),
    ],
    warnings,
    status: {
      topics: audit.counts(),
      drift: audit.drift(),
      warnings,
      ...(deletion.pending === undefined ? {} : { pendingDeletion: deletion.pending }),
      lastAuditTime: new Date(observed.now).toISOString(),
      effective: effectiveOf(policy, observed),
      ...lastStep(policy, observed.now, deletion.lowersNow && !holds && !observes),
    },
    ...(observes || holds ? { observeOnly: true } : {}),
    ...requeue([holds ? NOTICE_MS : undefined, decreasing === undefined ? undefined : waitOf(pace), deletion.againMs]),
  }
}

/** The defaults that hold where the spec leaves the choice to the operator. */
function effectiveOf({ spec, ...policy }: KafkaTopicPolicy, { connection }: Observed): Readonly<Record<string, unknown>> {
  const creates = (spec.topics ?? []).some(
    ({ partitions, replicationFactor }) => partitions === undefined || replicationFactor === undefined,
  )
  return {
    mode: spec.mode ?? 'Enforce',
    priority: claimOf({ spec, ...policy }).priority,
    ...(creates ? { partitions: DEFAULT_PARTITIONS, replicationFactor: connection.defaults.replicationFactor } : {}),
  }
}

function intentOf({ spec }: KafkaTopicPolicy, { view, wanted, decreases }: Matched, pace: Pace): TopicIntent {
  const asked = spec.topics?.find(({ name }) => name === view.name)
  return {
    name: view.name,
    ...(asked?.partitions === undefined ? {} : { partitions: asked.partitions }),
    configs: paced(pace, view, wanted, decreases),
    owned: asked !== undefined,
  }
}

/** Topics to create: named under `topics`, not there, and not merely missing from one listing. */
function newTopics({ spec, ...policy }: KafkaTopicPolicy, observed: Observed): readonly TopicIntent[] {
  const absent = (spec.topics ?? []).filter(({ name }) => !observed.topics.has(name) && !observed.vanishing.has(name))
  if (absent.length === 0) return []
  const own = claimOf({ spec, ...policy })
  const rivals = rivalsOf(own, observed.siblings.map(claimOf))
  const { defaults } = observed.connection
  return absent.map(({ name, partitions = DEFAULT_PARTITIONS, replicationFactor = defaults.replicationFactor }) => {
    const { configs } = settle(own, rivals, name, partitions, own.wish.for(partitions))
    const durable: Configs =
      defaults.minInsyncReplicas === undefined || spec.config?.['min.insync.replicas'] !== undefined
        ? {}
        : { 'min.insync.replicas': String(defaults.minInsyncReplicas) }
    return { name, create: { partitions, replicationFactor }, configs: { ...durable, ...configs }, owned: true }
  })
}

function auditOf({ spec }: KafkaTopicPolicy, matched: readonly Matched[], created: readonly TopicIntent[]): Audit {
  const audit = new Audit()
  const asked = new Map((spec.topics ?? []).map(({ name, partitions }) => [name, partitions]))
  for (const { name, create } of created) audit.missing(name, create?.partitions ?? DEFAULT_PARTITIONS)
  // Limits that fall come first: each of their steps must show, and the list is short.
  for (const falling of [true, false])
    for (const { view, wanted, decreases } of matched) if (decreases.length > 0 === falling) audit.topic(view, wanted, asked.get(view.name))
  return audit
}

function warningsOf(
  { spec, ...policy }: KafkaTopicPolicy,
  matched: readonly Matched[],
  audit: Audit,
  observed: Observed,
): ReturnType<Warnings['list']> {
  const warnings = new Warnings(rulesAbout(claimOf({ spec, ...policy }).wish.keys), spec, observed.keys)
  for (const { view, wanted } of matched) warnings.judge(view, wanted)
  for (const [topic, owner] of leftToOthers({ spec, ...policy }, observed))
    warnings.add('SetUpByAnother', topic, `${owner} sets it up and keeps in it what waits: left alone; spec.selector.exclude says so aloud`)
  if (audit.matched === 0) warnings.add('NoTopicsMatched', '', 'the selector matches no topic of the cluster yet')
  return warnings.list()
}

interface Deletion {
  readonly pending: ReturnType<typeof pendingDeletion>
  /** Tell first, lower at the next look. */
  readonly hold: boolean
  readonly lowersNow: boolean
  readonly againMs: number | undefined
}

/** What a lower limit will delete is in the stored status before the limit falls, and stays there while the brokers delete. */
function deletionOf(
  { status }: KafkaTopicPolicy,
  observed: Observed,
  matched: readonly Matched[],
  pace: Pace,
  lastStepAt: EpochMs | undefined,
): Deletion {
  const falling = matched.some(({ decreases }) => decreases.length > 0)
  const pending = pendingDeletion(observed.answers)
  if (falling) {
    const lowersNow = pace.type !== 'Wait'
    return {
      pending,
      hold: lowersNow && pending !== undefined && !wasTold(pending, status?.pendingDeletion),
      lowersNow,
      againMs: undefined,
    }
  }
  const leftMs = status?.pendingDeletion === undefined ? undefined : underWayMs(lastStepAt, observed.now)
  return { pending: leftMs === undefined ? undefined : status?.pendingDeletion, hold: false, lowersNow: false, againMs: leftMs }
}

const waitOf = (pace: Pace): number | undefined =>
  pace.type === 'Wait' ? pace.untilNextMs : pace.type === 'Step' ? pace.intervalMs : undefined

function lastStep({ status }: KafkaTopicPolicy, now: EpochMs, lowered: boolean): { readonly lastStepTime?: string } {
  if (lowered) return { lastStepTime: new Date(now).toISOString() }
  return status?.lastStepTime === undefined ? {} : { lastStepTime: status.lastStepTime }
}

const parseTime = (text: string | undefined): EpochMs | undefined => {
  const time = Date.parse(text ?? '')
  return Number.isNaN(time) ? undefined : time
}

function requeue(waits: readonly (number | undefined)[]): { readonly requeueAfterMs?: number } {
  const wanted = waits.filter(wait => wait !== undefined)
  return wanted.length === 0 ? {} : { requeueAfterMs: Math.min(...wanted) }
}
