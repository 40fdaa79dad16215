import type { ConfigChange, KafkaAdmin, Outcomes } from '../kafka/admin.ts'
import { KafkaError, type KafkaErrorCode } from '../kafka/errors.ts'
import { topicOf } from './diff.ts'
import type { Change, Problem } from './plan.ts'

export interface Failure {
  readonly change: Change
  readonly error: KafkaError
}

export interface Applied {
  readonly done: readonly Change[]
  readonly failed: readonly Failure[]
  /** Topics that turned out to be otherwise than observed (made or gone meanwhile): look again before judging. */
  readonly surprising: readonly string[]
}

/**
 * Executes the changes to topics, each kind of change as one batch: creations, partitions, configs, deletions. One refused topic never hides
 * the others. Rejects with `KafkaError` only when the brokers cannot be reached; everything before that is done and found by the next look.
 */
export async function applyChanges(admin: KafkaAdmin, changes: readonly Change[]): Promise<Applied> {
  const outcomes = new Map<Change, KafkaError | undefined>()
  const record = (of: readonly Change[], answers: Outcomes) => {
    for (const change of of) outcomes.set(change, outcomeOf(change, answers))
  }

  const created = changes.filter(change => change.type === 'createTopic')
  if (created.length > 0)
    record(created, await admin.createTopics(created.map(({ type: _, topic, ...rest }) => ({ name: topic, ...rest }))))

  const grown = changes.filter(change => change.type === 'addPartitions')
  if (grown.length > 0) record(grown, await admin.createPartitions(grown.map(({ topic, to }) => ({ name: topic, count: to }))))

  const configured = changes.filter(change => change.type === 'setConfig' || change.type === 'deleteConfig')
  if (configured.length > 0) record(configured, await admin.alterConfigs(configChanges(configured)))

  const deleted = changes.filter(change => change.type === 'deleteTopic')
  if (deleted.length > 0) record(deleted, await admin.deleteTopics(deleted.map(({ topic }) => topic)))

  return sort(outcomes)
}

function configChanges(changes: readonly Extract<Change, { type: 'setConfig' | 'deleteConfig' }>[]): readonly ConfigChange[] {
  const byTopic = new Map<string, { topic: string; set: Record<string, string>; remove: string[] }>()
  for (const change of changes) {
    const config = byTopic.get(change.topic) ?? { topic: change.topic, set: {}, remove: [] }
    byTopic.set(change.topic, config)
    if (change.type === 'setConfig') config.set[change.key] = change.to
    else config.remove.push(change.key)
  }
  return [...byTopic.values()]
}

/** A topic without an answer was not handled: saying nothing must not read as success. */
function outcomeOf(change: Change, answers: Outcomes): KafkaError | undefined {
  const topic = topicOf(change) ?? ''
  if (answers.has(topic)) return answers.get(topic)
  return new KafkaError('Unexpected', `the brokers gave no answer for topic "${topic}"`, { retriable: true })
}

function sort(outcomes: ReadonlyMap<Change, KafkaError | undefined>): Applied {
  const done: Change[] = []
  const failed: Failure[] = []
  const surprising: string[] = []
  for (const [change, error] of outcomes) {
    if (error === undefined) done.push(change)
    else if (isSurprise(change, error)) surprising.push(topicOf(change) ?? '')
    else failed.push({ change, error })
  }
  return { done, failed, surprising }
}

/** The world moved between looking and writing; or the metadata lags behind. Neither is a failure. */
function isSurprise(change: Change, error: KafkaError): boolean {
  return change.type === 'createTopic' ? error.code === 'TopicExists' : error.code === 'UnknownTopic'
}

const NEXT_STEPS: Partial<Readonly<Record<KafkaErrorCode, Pick<Problem, 'severity' | 'reason'> & { readonly next: string }>>> = {
  InvalidConfig: { severity: 'Stalled', reason: 'InvalidConfig', next: 'correct the value in the spec' },
  PolicyViolation: { severity: 'Stalled', reason: 'TopicFailed', next: 'change the spec or the rule of the cluster' },
  InvalidTopic: { severity: 'Stalled', reason: 'TopicFailed', next: 'change the name in the spec' },
  InvalidPartitions: { severity: 'Stalled', reason: 'TopicFailed', next: 'change the partitions in the spec' },
  // More brokers may join, so this one can heal without a change of the spec.
  InvalidReplicationFactor: { severity: 'NotReady', reason: 'TopicFailed', next: 'lower the replication factor or add brokers' },
  AuthorizationFailed: { severity: 'NotReady', reason: 'AuthorizationFailed', next: "grant the operator's principal the missing ACL" },
}

/** What the refusal of one topic's changes means for the resource: who must act, and on what. */
export function failureProblem(changes: readonly Change[], error: KafkaError): Problem {
  const { severity, reason, next } = NEXT_STEPS[error.code] ?? { severity: 'NotReady', reason: 'TopicFailed', next: 'trying again' }
  return { severity, reason, message: `cannot ${describeAttempt(changes)}: ${error.message}; ${next}` }
}

function describeAttempt(changes: readonly Change[]): string {
  const settings = changes.flatMap(change =>
    change.type === 'setConfig' ? [`${change.key}=${change.to}`] : change.type === 'deleteConfig' ? [`${change.key}=<default>`] : [],
  )
  if (settings.length > 0) return `set ${settings.join(', ')} on topic "${topicOf(changes[0]) ?? ''}"`
  return changes.map(describeChange).join(', ')
}

function describeChange(change: Change): string {
  switch (change.type) {
    case 'createTopic':
      return `create topic "${change.topic}" (${change.partitions} partitions, replication factor ${change.replicationFactor})`
    case 'addPartitions':
      return `grow topic "${change.topic}" from ${change.from} to ${change.to} partitions`
    case 'setConfig':
    case 'deleteConfig':
      return `set ${change.key} on topic "${change.topic}"`
    case 'deleteTopic':
      return `delete topic "${change.topic}"`
    case 'applyObject':
    case 'deleteObject':
      return `change ${change.object}`
  }
}
