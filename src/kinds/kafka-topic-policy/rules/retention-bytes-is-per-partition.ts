import { formatSize } from '../../../api/size.ts'
import type { Rule } from './rule.ts'

/** The typed fields say what they count; the bare key does not, and is the classic surprise when a disk fills. */
export const retentionBytesIsPerPartition: Rule = {
  code: 'RetentionBytesIsPerPartition',
  about: ['retention.bytes'],
  needs: [],
  judge: topic => {
    const retention = topic.number('retention.bytes') ?? -1
    if (retention < 0 || topic.partitions < 2 || !topic.isFreeConfig('retention.bytes')) return undefined
    return `retention.bytes ${formatSize(retention)} counts per partition: ${topic.partitions} partitions keep up to ${formatSize(retention * topic.partitions)}; say retention.sizePerPartition or retention.sizeTotal`
  },
}
