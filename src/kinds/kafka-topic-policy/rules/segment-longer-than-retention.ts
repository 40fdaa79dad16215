import { formatDuration } from '../../../api/duration.ts'
import type { Rule } from './rule.ts'

/** Only closed segments are deleted, and the youngest record of a segment counts: a quiet topic keeps data for segment.ms on top. */
export const segmentLongerThanRetention: Rule = {
  code: 'SegmentLongerThanRetention',
  about: ['segment.ms', 'retention.ms'],
  needs: ['cleanup.policy'],
  judge: topic => {
    const segment = topic.number('segment.ms') ?? 0
    const retention = topic.number('retention.ms') ?? -1
    if (retention < 0 || segment <= retention || !topic.cleans('delete')) return undefined
    return `segment.ms ${formatDuration(segment)} is above retention.ms ${formatDuration(retention)}: a quiet topic keeps records for up to ${formatDuration(segment + retention)}; lower segment.ms`
  },
}
