import { describe, expect, test } from '@jest/globals'
import { keysFor, rules, rulesAbout } from './index.ts'
import type { KeySample } from '../../../operator/observed.ts'
import type { JudgedTopic, Rule } from './rule.ts'

interface Given {
  readonly partitions?: number
  readonly replicationFactor?: number
  readonly free?: readonly string[]
  readonly configs?: Readonly<Record<string, string>>
  readonly keys?: KeySample
}
const aTopic = ({ partitions = 1, replicationFactor = 3, free = [], configs = {}, keys }: Given): JudgedTopic => ({
  name: 'orders',
  partitions,
  replicationFactor,
  text: key => configs[key],
  number: key => (configs[key] === undefined ? undefined : Number(configs[key])),
  cleans: how => (configs['cleanup.policy'] ?? 'delete').split(',').includes(how),
  keys,
  isFreeConfig: key => free.includes(key),
})
const rule = (code: string): Rule => rules.find(one => one.code === code)!
const configs = (text: string): Given => ({ configs: Object.fromEntries(text.split(' ').map(pair => pair.split('=') as [string, string])) })

const TABLE: Readonly<Record<string, readonly (readonly [Given, string | undefined])[]>> = {
  SegmentLargerThanRetention: [
    [configs('segment.bytes=1024 retention.bytes=512'), 'lower segment.bytes'],
    [configs('segment.bytes=512 retention.bytes=512'), undefined],
    [configs('segment.bytes=1024 retention.bytes=-1'), undefined],
    [configs('segment.bytes=1024 retention.bytes=512 cleanup.policy=compact'), undefined],
    [configs('segment.bytes=1024 retention.bytes=512 cleanup.policy=compact,delete'), 'a whole segment'],
    [{}, undefined],
  ],
  SegmentLongerThanRetention: [
    [configs('segment.ms=7200000 retention.ms=3600000'), 'for up to 3h'],
    [configs('segment.ms=3600000 retention.ms=3600000'), undefined],
    [configs('segment.ms=7200000 retention.ms=-1'), undefined],
    [configs('segment.ms=7200000 retention.ms=3600000 cleanup.policy=compact'), undefined],
  ],
  MessageLargerThanSegment: [
    [configs('max.message.bytes=2097152 segment.bytes=1048576'), 'raise segment.bytes'],
    [configs('max.message.bytes=1048576 segment.bytes=1048576'), undefined],
    [configs('max.message.bytes=1048576'), undefined],
  ],
  MinIsrNotBelowReplication: [
    [{ ...configs('min.insync.replicas=3'), replicationFactor: 3 }, 'no broker may ever be away'],
    [{ ...configs('min.insync.replicas=4'), replicationFactor: 3 }, 'nothing can be written'],
    [{ ...configs('min.insync.replicas=2'), replicationFactor: 3 }, undefined],
    [{ ...configs('min.insync.replicas=1'), replicationFactor: 1 }, undefined],
    [{ ...configs('min.insync.replicas=2'), replicationFactor: 1 }, 'nothing can be written'],
  ],
  RetentionBytesIsPerPartition: [
    [{ ...configs('retention.bytes=1048576'), partitions: 12, free: ['retention.bytes'] }, '12 partitions keep up to 12Mi'],
    [{ ...configs('retention.bytes=1048576'), partitions: 1, free: ['retention.bytes'] }, undefined],
    [{ ...configs('retention.bytes=1048576'), partitions: 12 }, undefined],
    [{ ...configs('retention.bytes=-1'), partitions: 12, free: ['retention.bytes'] }, undefined],
  ],
  UncleanElectionWithCompaction: [
    [configs('unclean.leader.election.enable=true cleanup.policy=compact'), 'set it to false'],
    [configs('unclean.leader.election.enable=true cleanup.policy=compact,delete'), 'set it to false'],
    [configs('unclean.leader.election.enable=true cleanup.policy=delete'), undefined],
    [configs('unclean.leader.election.enable=false cleanup.policy=compact'), undefined],
  ],
  RetentionWithoutDeletion: [
    [configs('retention.ms=1000 cleanup.policy=compact'), 'no effect'],
    [configs('retention.bytes=1000 cleanup.policy=compact'), 'no effect'],
    [configs('retention.ms=-1 cleanup.policy=compact'), undefined],
    [configs('retention.ms=1000 cleanup.policy=compact,delete'), undefined],
    [configs('retention.ms=1000 cleanup.policy=delete'), undefined],
  ],
  CompactionOnKeylessTopic: [
    [{ ...configs('cleanup.policy=compact'), keys: { records: 9, withoutKey: 9 } }, 'the newest records have no key: compaction deletes'],
    [{ ...configs('cleanup.policy=compact,delete'), keys: { records: 9, withoutKey: 1 } }, 'some of the newest records have no key'],
    [{ ...configs('cleanup.policy=compact'), keys: { records: 9, withoutKey: 0 } }, undefined],
    [{ ...configs('cleanup.policy=delete'), keys: { records: 9, withoutKey: 9 } }, undefined],
    [configs('cleanup.policy=compact'), undefined],
  ],
}

describe.each(Object.entries(TABLE))('%s', (code, rows) => {
  test.each(rows)('should judge %j: %s', (given, want) => {
    const message = rule(code).judge(aTopic(given))
    if (want === undefined) expect(message).toBeUndefined()
    else expect(message).toContain(want)
  })
})

describe('choice of rules', () => {
  test('should have a table for every rule and a code of its own for each', () => {
    expect(rules.map(({ code }) => code).sort()).toEqual(Object.keys(TABLE).sort())
  })

  test('should judge only what the policy sets and ask for no other keys', () => {
    const chosen = rulesAbout(['retention.ms'])
    expect(chosen.map(({ code }) => code)).toEqual(['SegmentLongerThanRetention', 'RetentionWithoutDeletion'])
    expect([...keysFor(chosen)].sort()).toEqual(['cleanup.policy', 'retention.bytes', 'retention.ms', 'segment.ms'])
    expect(rulesAbout(['compression.type'])).toEqual([])
  })
})
