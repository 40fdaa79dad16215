import type { Rule } from './rule.ts'

/**
 * Compaction keeps the newest record of every key: one without a key is refused when it is written, with an error that stops many producers, and deleted where it
 * was there before. Judged by the newest records, read from the topic.
 */
export const compactionOnKeylessTopic: Rule = {
  code: 'CompactionOnKeylessTopic',
  about: ['cleanup.policy', 'min.cleanable.dirty.ratio', 'min.compaction.lag.ms', 'max.compaction.lag.ms', 'delete.retention.ms'],
  needs: ['cleanup.policy'],
  judge: topic => {
    if (!topic.cleans('compact') || topic.keys === undefined || topic.keys.withoutKey === 0) return undefined
    // No figures: they would be others at every look, and a status at rest must not be written.
    const share = topic.keys.withoutKey === topic.keys.records ? 'the newest records have no key' : 'some of the newest records have no key'
    return `${share}: compaction deletes them, and brokers refuse new ones (INVALID_RECORD); give every record a key, or choose cleanup Delete`
  },
}
