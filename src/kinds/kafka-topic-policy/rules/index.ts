import { compactionOnKeylessTopic } from './compaction-on-keyless-topic.ts'
import { messageLargerThanSegment } from './message-larger-than-segment.ts'
import { minIsrNotBelowReplication } from './min-isr-not-below-replication.ts'
import { retentionBytesIsPerPartition } from './retention-bytes-is-per-partition.ts'
import { retentionWithoutDeletion } from './retention-without-deletion.ts'
import type { Rule } from './rule.ts'
import { segmentLargerThanRetention } from './segment-larger-than-retention.ts'
import { segmentLongerThanRetention } from './segment-longer-than-retention.ts'
import { uncleanElectionWithCompaction } from './unclean-election-with-compaction.ts'

/** Every rule. A policy warns only about what it sets: a platform's old sins are not the news of whoever touches one key. */
export const rules: readonly Rule[] = [
  segmentLargerThanRetention,
  segmentLongerThanRetention,
  messageLargerThanSegment,
  minIsrNotBelowReplication,
  retentionBytesIsPerPartition,
  uncleanElectionWithCompaction,
  retentionWithoutDeletion,
  compactionOnKeylessTopic,
]

/** The one rule that needs records to be read. */
export const judgesKeys = (chosen: readonly Rule[]): boolean => chosen.includes(compactionOnKeylessTopic)

export const rulesAbout = (keys: readonly string[]): readonly Rule[] => rules.filter(({ about }) => about.some(key => keys.includes(key)))

/** The keys to look at for these rules: asking for few keys keeps a cycle over thousands of topics cheap. */
export const keysFor = (chosen: readonly Rule[]): readonly string[] => [
  ...new Set(chosen.flatMap(({ about, needs }) => [...about, ...needs])),
]
