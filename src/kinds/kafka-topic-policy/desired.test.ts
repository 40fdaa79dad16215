import { expect, test } from '@jest/globals'
import { wishOf } from './desired.ts'
import type { KafkaTopicPolicySpec } from './resource.ts'

const wish = (rest: Omit<KafkaTopicPolicySpec, 'connectionRef'>) => wishOf({ connectionRef: { name: 'main' }, ...rest })

test('should translate every typed field and let free configs through', () => {
  const configs = wish({
    retention: { time: '7d', sizePerPartition: '1Gi' },
    cleanup: 'CompactAndDelete',
    compaction: { minDirtyRatio: '0.3', minLag: '1h', maxLag: '24h', tombstoneRetention: '2h' },
    segment: { time: '1d', bytes: 1048576 },
    config: { 'max.message.bytes': '2097152', 'min.insync.replicas': null },
  }).for(3)
  expect(configs).toEqual({
    'retention.ms': '604800000',
    'retention.bytes': '1073741824',
    'cleanup.policy': 'compact,delete',
    'min.cleanable.dirty.ratio': '0.3',
    'min.compaction.lag.ms': '3600000',
    'max.compaction.lag.ms': '86400000',
    'delete.retention.ms': '7200000',
    'segment.ms': '86400000',
    'segment.bytes': '1048576',
    'max.message.bytes': '2097152',
  })
})

test.each([
  { total: '12Gi', partitions: 12, want: '1073741824' },
  { total: 100, partitions: 3, want: '33' },
  { total: 2, partitions: 3, want: '1' },
  { total: -1, partitions: 3, want: '-1' },
])('should divide a total of $total by $partitions partitions to $want', ({ total, partitions, want }) => {
  expect(wish({ retention: { sizeTotal: total } }).for(partitions)).toEqual({ 'retention.bytes': want })
})

test('should know no limit for time and size', () => {
  expect(wish({ retention: { time: -1, sizePerPartition: '-1' } }).for(1)).toEqual({ 'retention.ms': '-1', 'retention.bytes': '-1' })
})

test('should hand the same object to topics of the same size, so that thousands share it', () => {
  const fixed = wish({ retention: { time: '1h' } })
  expect(fixed.for(1)).toBe(fixed.for(2))
  const total = wish({ retention: { sizeTotal: 100 } })
  expect(total.for(2)).toBe(total.for(2))
  expect(total.keys).toEqual(['retention.bytes'])
})
