import { expect, test } from '@jest/globals'
import { sameConfigValue } from './config-value.ts'

test.each([
  { key: 'retention.ms', a: '604800000', b: '604800000', same: true },
  { key: 'retention.ms', a: '604800000', b: ' 0604800000 ', same: true },
  { key: 'retention.ms', a: '9223372036854775807', b: '9223372036854775806', same: false },
  { key: 'retention.ms', a: '-1', b: '1', same: false },
  { key: 'min.cleanable.dirty.ratio', a: '0.5', b: '0.50', same: true },
  { key: 'min.cleanable.dirty.ratio', a: '.5', b: '5e-1', same: true },
  { key: 'min.cleanable.dirty.ratio', a: '0.5', b: '0.51', same: false },
  { key: 'unclean.leader.election.enable', a: 'True', b: 'true', same: true },
  { key: 'cleanup.policy', a: 'compact,delete', b: 'delete, compact', same: true },
  { key: 'cleanup.policy', a: 'compact', b: 'compact,delete', same: false },
  { key: 'compression.type', a: 'LZ4', b: 'lz4', same: false },
  { key: 'compression.type', a: null, b: 'lz4', same: false },
  { key: 'compression.type', a: null, b: null, same: true },
])('should judge $key: $a and $b the same: $same', ({ key, a, b, same }) => {
  expect(sameConfigValue(key, a, b)).toBe(same)
  expect(sameConfigValue(key, b, a)).toBe(same)
})
