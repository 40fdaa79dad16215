import { parseDuration, parseDurationOrUnlimited } from '../../api/duration.ts'
import { anyGlob, matchesGlob } from '../../api/glob.ts'
import type { Resource } from '../../api/resource.ts'
import { parseSize } from '../../api/size.ts'
import { isInternalTopic } from '../../api/topic-name.ts'
import type { KafkaTopicPolicy, KafkaTopicPolicySpec } from '../kafka-topic-policy/resource.ts'
import { error, isKind, sameNamespace, warning } from './finding.ts'
import type { Finding, OfflineCheck } from './finding.ts'

const DEFAULT_PRIORITY = 100
const policies = (resources: readonly Resource[]): readonly KafkaTopicPolicy[] =>
  resources.filter(resource => isKind(resource, 'KafkaTopicPolicy')) as readonly KafkaTopicPolicy[]

/** What the selector cannot match, whatever topics there are. */
export const selectorCanMatch: OfflineCheck = resource => {
  const [policy] = policies([resource])
  const selector = policy?.spec.selector
  if (policy === undefined || selector === undefined) return []
  const findings: Finding[] = []
  const lists = { names: selector.names, prefixes: selector.prefixes, patterns: selector.patterns }
  for (const [list, words] of Object.entries(lists)) {
    words?.forEach((word, i) => {
      if (isInternalTopic(word)) {
        findings.push(
          warning(policy, `spec.selector.${list}[${i}]`, `${word} matches nothing: internal topics (__*) are never selected; remove it`),
        )
      } else if (
        selector.exclude?.some(pattern => pattern === word || pattern === '*' || (list === 'names' && matchesGlob(pattern, word)))
      ) {
        findings.push(
          warning(
            policy,
            `spec.selector.${list}[${i}]`,
            `${word} matches nothing: exclude takes all of it away again; remove one of the two`,
          ),
        )
      }
    })
  }
  const selectsNothing = selector.all !== true && Object.values(lists).every(words => words === undefined || words.length === 0)
  if (selectsNothing && !policy.spec.topics?.length)
    findings.push(warning(policy, 'spec.selector', 'selects nothing: name topics, or write all: true'))
  return findings
}

/** Kafka deletes closed segments only: one that is larger or longer than the retention keeps data far longer than the policy says. */
export const segmentFitsRetention: OfflineCheck = resource => {
  const [policy] = policies([resource])
  if (policy === undefined) return []
  const { retention, segment } = policy.spec
  const findings: Finding[] = []
  if (retention?.time !== undefined && segment?.time !== undefined) {
    const keepMs = parseDurationOrUnlimited(retention.time)
    if (keepMs >= 0 && parseDuration(segment.time) > keepMs) {
      findings.push(
        warning(
          policy,
          'spec.segment.time',
          `${segment.time} is longer than retention.time ${retention.time}: old data stays until a segment closes; lower it`,
        ),
      )
    }
  }
  if (retention?.sizePerPartition !== undefined && segment?.bytes !== undefined) {
    const keepBytes = parseSize(retention.sizePerPartition)
    if (keepBytes >= 0 && parseSize(segment.bytes) > keepBytes) {
      findings.push(
        warning(
          policy,
          'spec.segment.bytes',
          `${segment.bytes} is larger than retention.sizePerPartition ${retention.sizePerPartition}: nothing is deleted in time; lower it`,
        ),
      )
    }
  }
  return findings
}

/** With as many in-sync replicas required as there are replicas, one broker that restarts stops every producer. */
export const writesSurviveOneBroker: OfflineCheck = resource => {
  const [policy] = policies([resource])
  const required = Number(policy?.spec.config?.['min.insync.replicas'] ?? 0)
  if (policy === undefined || !Number.isInteger(required)) return []
  return (policy.spec.topics ?? []).flatMap((topic, i) => {
    const replicas = topic.replicationFactor
    if (replicas === undefined || required < replicas) return []
    if (required === 1) return []
    const [found, effect] = required > replicas ? [error, 'nothing could be written'] : [warning, 'no broker may ever be away']
    return [
      found(
        policy,
        `spec.topics[${i}].replicationFactor`,
        `${replicas} with min.insync.replicas ${required}: ${effect}; raise it or lower min.insync.replicas`,
      ),
    ]
  })
}

/** Of two policies of one priority that want different values for one key of one topic, neither is applied. */
export const policiesAgree: OfflineCheck = (resource, all) => {
  const [policy] = policies([resource])
  if (policy === undefined) return []
  const earlier = policies(all.slice(0, all.indexOf(resource)))
  return earlier.filter(other => compete(policy, other)).flatMap(other => conflicts(policy, other))
}

const compete = (a: KafkaTopicPolicy, b: KafkaTopicPolicy): boolean =>
  sameNamespace(a, b) &&
  a.spec.connectionRef.name === b.spec.connectionRef.name &&
  (a.spec.priority ?? DEFAULT_PRIORITY) === (b.spec.priority ?? DEFAULT_PRIORITY)

function conflicts(policy: KafkaTopicPolicy, other: KafkaTopicPolicy): readonly Finding[] {
  const shared = sharedTopics(policy.spec, other.spec)
  if (shared === undefined) return []
  const theirs = wantedValues(other.spec)
  return [...wantedValues(policy.spec)]
    .filter(([key, { value }]) => theirs.has(key) && theirs.get(key)?.value !== value)
    .map(([key, { field, value }]) =>
      error(
        policy,
        field,
        `wants ${key}=${value} for ${shared}, KafkaTopicPolicy ${other.metadata.name} of the same priority wants ${theirs.get(key)?.value ?? ''}: neither would apply; give one a higher priority`,
      ),
    )
}

/** A topic, or a set of topics, that both select as far as can be told without a cluster. */
function sharedTopics(a: KafkaTopicPolicySpec, b: KafkaTopicPolicySpec): string | undefined {
  const name = names(a).find(topic => selects(b, topic)) ?? names(b).find(topic => selects(a, topic))
  if (name !== undefined) return `topic ${name}`
  if (a.selector?.all && b.selector?.all) return 'all topics'
  const pattern = a.selector?.patterns?.find(own => b.selector?.patterns?.includes(own))
  if (pattern !== undefined) return `topics ${pattern}`
  const prefix = a.selector?.prefixes?.find(own => b.selector?.prefixes?.some(theirs => own.startsWith(theirs) || theirs.startsWith(own)))
  return prefix === undefined ? undefined : `topics ${prefix}*`
}

const names = (spec: KafkaTopicPolicySpec): readonly string[] => [
  ...(spec.topics ?? []).map(topic => topic.name),
  ...(spec.selector?.names ?? []),
]

function selects({ selector, topics }: KafkaTopicPolicySpec, topic: string): boolean {
  if (topics?.some(({ name }) => name === topic)) return true
  if (selector === undefined || isInternalTopic(topic) || anyGlob(selector.exclude ?? [])(topic)) return false
  const { all = false, names: exact = [], prefixes = [], patterns = [] } = selector
  return all || exact.includes(topic) || prefixes.some(prefix => topic.startsWith(prefix)) || anyGlob(patterns)(topic)
}

interface Wanted {
  readonly field: string
  readonly value: string
}

/** What the spec asks for by key of Kafka, in one notation, so that `1d` and `86400000` are the same. */
function wantedValues(spec: KafkaTopicPolicySpec): ReadonlyMap<string, Wanted> {
  const wanted = new Map<string, Wanted>()
  const ask = (key: string, field: string, value: string | number | undefined) => {
    if (value !== undefined) wanted.set(key, { field: `spec.${field}`, value: String(value) })
  }
  const ms = (text: string | undefined) => (text === undefined ? undefined : parseDuration(text))
  const bytes = (size: string | number | undefined) => (size === undefined ? undefined : parseSize(size))
  const { retention, compaction, segment } = spec
  ask('retention.ms', 'retention.time', retention?.time === undefined ? undefined : parseDurationOrUnlimited(retention.time))
  ask('retention.bytes', 'retention.sizePerPartition', bytes(retention?.sizePerPartition))
  ask('cleanup.policy', 'cleanup', spec.cleanup)
  ask('min.cleanable.dirty.ratio', 'compaction.minDirtyRatio', compaction?.minDirtyRatio)
  ask('min.compaction.lag.ms', 'compaction.minLag', ms(compaction?.minLag))
  ask('max.compaction.lag.ms', 'compaction.maxLag', ms(compaction?.maxLag))
  ask('delete.retention.ms', 'compaction.tombstoneRetention', ms(compaction?.tombstoneRetention))
  ask('segment.ms', 'segment.time', ms(segment?.time))
  ask('segment.bytes', 'segment.bytes', bytes(segment?.bytes))
  for (const [key, value] of Object.entries(spec.config ?? {})) if (value !== null) ask(key, `config.${key}`, value)
  return wanted
}
