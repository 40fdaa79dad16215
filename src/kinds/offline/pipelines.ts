import { RE2JS } from 're2js'
import type { DeadLetterPipeline } from '../dead-letter-pipeline/resource.ts'
import { error, isKind } from './finding.ts'
import type { OfflineCheck } from './finding.ts'

/** Patterns run on RE2: no back references, no look-around, linear time. */
export const patternsCompile: OfflineCheck = resource => {
  if (!isKind(resource, 'DeadLetterPipeline')) return []
  return ((resource as DeadLetterPipeline).spec.rules ?? []).flatMap(({ match }, i) => {
    if (match.errorPattern === undefined) return []
    try {
      RE2JS.compile(match.errorPattern)
      return []
    } catch (cause) {
      return [error(resource, `spec.rules[${i}].match.errorPattern`, `is not a regular expression of RE2: ${(cause as Error).message}`)]
    }
  })
}
