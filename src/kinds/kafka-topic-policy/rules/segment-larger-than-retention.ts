import { formatSize } from '../../../api/size.ts'
import type { Rule } from './rule.ts'

/** Only closed segments are deleted: one larger than the retention keeps far more data than promised. */
export const segmentLargerThanRetention: Rule = {
  code: 'SegmentLargerThanRetention',
  about: ['segment.bytes', 'retention.bytes'],
  needs: ['cleanup.policy'],
  judge: topic => {
    const segment = topic.number('segment.bytes') ?? 0
    const retention = topic.number('retention.bytes') ?? -1
    if (retention < 0 || segment <= retention || !topic.cleans('delete')) return undefined
    return `segment.bytes ${formatSize(segment)} is above retention.bytes ${formatSize(retention)}: a partition keeps at least a whole segment; lower segment.bytes`
  },
}
