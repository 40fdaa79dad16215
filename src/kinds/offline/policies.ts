import { parseDuration, parseDurationOrUnlimited } from '../../api/duration.ts'
import { matchesGlob } from '../../api/glob.ts'
import type { Resource } from '../../api/resource.ts'
import { parseSize } from '../../api/size.ts'
import { isInternalTopic } from '../../api/topic-name.ts'
import type { KafkaTopicPolicy } from '../kafka-topic-policy/resource.ts'
import { error, isKind, warning } from './finding.ts'
import type { Finding, OfflineCheck } from './finding.ts'

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
