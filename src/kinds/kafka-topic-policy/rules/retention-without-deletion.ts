import type { Rule } from './rule.ts'

/** Compaction alone keeps the last value of every key for ever, whatever the retention says. */
export const retentionWithoutDeletion: Rule = {
  code: 'RetentionWithoutDeletion',
  about: ['retention.ms', 'retention.bytes'],
  needs: ['cleanup.policy'],
  judge: topic =>
    topic.cleans('compact') &&
    !topic.cleans('delete') &&
    [topic.number('retention.ms'), topic.number('retention.bytes')].some(limit => (limit ?? -1) >= 0)
      ? 'cleanup.policy is compact alone: retention has no effect; choose CompactAndDelete, or exclude the topic'
      : undefined,
}
