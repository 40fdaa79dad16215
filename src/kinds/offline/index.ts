import { refKey, refOf } from '../../api/resource.ts'
import type { Resource } from '../../api/resource.ts'
import { connectionExists, topicsAreAllowed } from './connections.ts'
import { error } from './finding.ts'
import type { Finding, OfflineCheck } from './finding.ts'
import { patternsCompile } from './pipelines.ts'
import { policiesAgree } from './policy-conflicts.ts'
import { segmentFitsRetention, selectorCanMatch, writesSurviveOneBroker } from './policies.ts'
import { queueLeavesItself, queuesKeepApart } from './queues.ts'
import { expressionsParse, nothingIsUndoneBehindThePivot, stepsCanStart } from './sagas.ts'

export type { Finding } from './finding.ts'

const isThereOnce: OfflineCheck = (resource, all) => {
  const twin = all.slice(0, all.indexOf(resource)).find(other => refKey(refOf(other)) === refKey(refOf(resource)))
  return twin === undefined ? [] : [error(resource, 'metadata.name', 'is there twice in these files: remove one, or rename it')]
}

const CHECKS: readonly OfflineCheck[] = [
  isThereOnce,
  connectionExists,
  topicsAreAllowed,
  selectorCanMatch,
  segmentFitsRetention,
  writesSurviveOneBroker,
  policiesAgree,
  queueLeavesItself,
  queuesKeepApart,
  patternsCompile,
  stepsCanStart,
  nothingIsUndoneBehindThePivot,
  expressionsParse,
]

/** What shows only when valid resources are read together, in the order of the resources. */
export const offlineFindings = (resources: readonly Resource[]): readonly Finding[] =>
  resources.flatMap(resource => CHECKS.flatMap(check => check(resource, resources)))
