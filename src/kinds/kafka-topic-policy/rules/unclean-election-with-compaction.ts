import type { Rule } from './rule.ts'

/** A compacted topic is a table: a leader elected from behind loses the newest value of some keys for ever and leaves older ones standing. */
export const uncleanElectionWithCompaction: Rule = {
  code: 'UncleanElectionWithCompaction',
  about: ['unclean.leader.election.enable', 'cleanup.policy'],
  needs: [],
  judge: topic =>
    topic.text('unclean.leader.election.enable') === 'true' && topic.cleans('compact')
      ? 'unclean.leader.election.enable is true on a compacted topic: an election may bring old values of keys back; set it to false'
      : undefined,
}
