import { Type } from 'typebox'
import type { ResourceDefinition } from '../../api/definition.ts'
import type { CommonStatus, Resource } from '../../api/resource.ts'
import {
  choice,
  deletionPolicy,
  duration,
  durationOrUnlimited,
  effective,
  flag,
  glob,
  integer,
  list,
  listBy,
  localRef,
  map,
  object,
  optional,
  ratio,
  size,
  suspend,
  text,
  topic,
} from '../../api/schema.ts'
import type { Of, Rule } from '../../api/schema.ts'
import { notLongerCel } from '../../api/cel-text.ts'

const NAMES = 'Patterns in which * is any run of characters and ? is one.'

const selector = object(
  'Topics that the policy applies to. Internal topics (__*) never match.',
  {
    all: optional(flag('Every topic that is not internal.')),
    names: optional(list('Exact names.', topic('Name of a topic.'), 1000)),
    prefixes: optional(list('Beginnings of names.', text('Beginning of a name.', 249, '^[a-zA-Z0-9._-]+$'), 256)),
    patterns: optional(list(NAMES, glob(NAMES), 256)),
    exclude: optional(list(`Topics to leave out. ${NAMES}`, glob(NAMES), 256)),
  },
  [
    {
      rule: 'has(self.all) || has(self.names) || has(self.prefixes) || has(self.patterns)',
      message: 'a selector needs names, prefixes or patterns; write all: true to select every topic',
    },
    {
      rule: '!has(self.all) || !self.all || (!has(self.names) && !has(self.prefixes) && !has(self.patterns))',
      message: 'all: true selects every topic: remove names, prefixes and patterns, or all',
      fieldPath: '.all',
    },
  ],
)

const wantedTopic = object(
  'A topic to create if it is missing.',
  {
    name: topic('Name of the topic.'),
    partitions: optional(integer('Partitions, at least; more are added, none is ever removed.', 1, 100_000)),
    replicationFactor: optional(integer('Replicas of each partition, when the topic is created.', 1, 100)),
  },
  [
    {
      rule: '!has(self.partitions) || !has(oldSelf.partitions) || self.partitions >= oldSelf.partitions',
      message: 'partitions can only grow: Kafka cannot remove them; keep the old number, or make a new topic and move the data',
      fieldPath: '.partitions',
    },
  ],
)

const retention = object(
  'How long and how much to keep; where both are given, whichever is reached first applies.',
  {
    time: optional(durationOrUnlimited('retention.ms.')),
    sizePerPartition: optional(size('retention.bytes, which Kafka counts per partition.', -1, Number.MAX_SAFE_INTEGER)),
    sizeTotal: optional(size('Size of a whole topic: divided by the partitions of each.', -1, Number.MAX_SAFE_INTEGER)),
  },
  [
    {
      rule: '!(has(self.sizePerPartition) && has(self.sizeTotal))',
      message: 'sizeTotal and sizePerPartition exclude each other: keep one',
      fieldPath: '.sizeTotal',
    },
  ],
)

const compaction = object(
  'How a compacted topic is cleaned.',
  {
    minDirtyRatio: optional(ratio('min.cleanable.dirty.ratio.')),
    minLag: optional(duration('min.compaction.lag.ms.')),
    maxLag: optional(duration('max.compaction.lag.ms.')),
    tombstoneRetention: optional(duration('delete.retention.ms.')),
  },
  [
    {
      rule: `!has(self.minLag) || !has(self.maxLag) || ${notLongerCel('self.minLag', 'self.maxLag')}`,
      message: 'minLag must not be above maxLag',
      fieldPath: '.minLag',
    },
  ],
)

const segment = object('Files of the log: only closed ones are deleted or compacted.', {
  time: optional(duration('segment.ms.')),
  bytes: optional(size('segment.bytes.', 14, 2 ** 31 - 1)),
})

const retentionDecrease = object('Lower a retention in steps instead of at once.', {
  maxStep: text('Largest share of the current value to take off in one step, such as 50%.', 4, '^([1-9][0-9]?|100)%$'),
  interval: duration('Time between two steps.'),
})

/** Which config key each typed field sets; setting both leaves open who wins. */
const TYPED_KEYS: readonly (readonly [field: string, present: string, key: string])[] = [
  ['retention.time', 'has(self.retention) && has(self.retention.time)', 'retention.ms'],
  [
    'retention.sizePerPartition or sizeTotal',
    'has(self.retention) && (has(self.retention.sizePerPartition) || has(self.retention.sizeTotal))',
    'retention.bytes',
  ],
  ['cleanup', 'has(self.cleanup)', 'cleanup.policy'],
  ['compaction.minDirtyRatio', 'has(self.compaction) && has(self.compaction.minDirtyRatio)', 'min.cleanable.dirty.ratio'],
  ['compaction.minLag', 'has(self.compaction) && has(self.compaction.minLag)', 'min.compaction.lag.ms'],
  ['compaction.maxLag', 'has(self.compaction) && has(self.compaction.maxLag)', 'max.compaction.lag.ms'],
  ['compaction.tombstoneRetention', 'has(self.compaction) && has(self.compaction.tombstoneRetention)', 'delete.retention.ms'],
  ['segment.time', 'has(self.segment) && has(self.segment.time)', 'segment.ms'],
  ['segment.bytes', 'has(self.segment) && has(self.segment.bytes)', 'segment.bytes'],
]

const setOnce: readonly Rule[] = TYPED_KEYS.map(([field, present, key]) => ({
  rule: `!has(self.config) || !('${key}' in self.config) || !(${present})`,
  message: `config sets ${key}, which ${field} sets as well: keep one of them`,
  fieldPath: '.config',
}))

const configValue = Type.Unsafe<string | null>({
  type: 'string',
  nullable: true,
  maxLength: 4096,
  description: 'Value as Kafka writes it; null leaves this key alone.',
})

const spec = object(
  'Which topics, and what they should be like.',
  {
    connectionRef: localRef('The KafkaConnection to use.'),
    mode: optional(
      choice('Enforce brings topics in line; Observe reports differences and writes nothing. Enforce by default.', 'Enforce', 'Observe'),
    ),
    priority: optional(integer('Where several policies set one key of one topic, the highest wins; 100 by default.', 0, 1_000_000)),
    selector: optional(selector),
    topics: optional(listBy('name', 'Topics to create if missing; the policy applies to them.', wantedTopic, 1000)),
    retention: optional(retention),
    cleanup: optional(choice('cleanup.policy.', 'Delete', 'Compact', 'CompactAndDelete')),
    compaction: optional(compaction),
    segment: optional(segment),
    config: optional(
      map('Any other config of the topics, by Kafka’s own keys.', configValue, 128, [
        {
          rule: "self.all(key, size(key) <= 128 && key.find('^[a-z0-9._]+$') != '')",
          message: 'keys must be config names of Kafka, such as max.message.bytes',
        },
      ]),
    ),
    retentionDecrease: optional(retentionDecrease),
    deletionPolicy: optional(deletionPolicy),
    suspend: optional(suspend),
  },
  [
    { rule: 'has(self.selector) || has(self.topics)', message: 'a policy needs selector or topics: it would apply to nothing' },
    {
      rule: "!has(self.compaction) || !has(self.cleanup) || self.cleanup != 'Delete'",
      message: 'compaction has no effect with cleanup Delete: remove it, or choose Compact or CompactAndDelete',
      fieldPath: '.compaction',
    },
    ...setOnce,
  ],
)

const topicName = text('Topic.', 249)

const status = object('What the operator last saw.', {
  topics: optional(
    object('Topics of the policy.', {
      matched: optional(integer('Topics that the policy applies to.', 0, 10_000_000)),
      compliant: optional(integer('Topics that are as they should be.', 0, 10_000_000)),
      drifted: optional(integer('Topics that differ.', 0, 10_000_000)),
      bytes: optional(integer('Bytes on disk, one replica of each partition, where known.', 0, Number.MAX_SAFE_INTEGER)),
    }),
  ),
  drift: optional(
    list(
      'Differences, the first twenty.',
      object('One difference.', {
        topic: topicName,
        key: text('Config key, or partitions.', 128),
        desired: optional(Type.Unsafe<string>({ type: 'string', maxLength: 4096, description: 'Value wanted.' })),
        actual: optional(Type.Unsafe<string>({ type: 'string', maxLength: 4096, description: 'Value found.' })),
      }),
      20,
    ),
  ),
  warnings: optional(
    list(
      'What is allowed but probably not meant, the first twenty.',
      object('One warning.', { code: text('Stable code.', 64), topic: optional(topicName), message: text('What and why.', 1024) }),
      20,
    ),
  ),
  pendingDeletion: optional(
    object('Estimate of the data that a shorter retention will remove.', {
      bytes: integer('Bytes, one replica of each partition.', 0, Number.MAX_SAFE_INTEGER),
      topics: integer('Topics that lose data.', 0, 10_000_000),
    }),
  ),
  lastAuditTime: optional(text('When the topics were last compared, RFC 3339.', 40)),
  lastStepTime: optional(text('When a retention was last lowered by a step, RFC 3339.', 40)),
  effective: optional(effective),
})

export type KafkaTopicPolicySpec = Of<typeof spec>
export type KafkaTopicPolicyStatus = Of<typeof status> & CommonStatus
export type KafkaTopicPolicy = Resource<KafkaTopicPolicySpec, KafkaTopicPolicyStatus>

export const definition: ResourceDefinition = {
  kind: 'KafkaTopicPolicy',
  plural: 'kafkatopicpolicies',
  shortNames: ['ktp'],
  description: 'Retention, cleanup and any other settings of a set of topics: enforced, or watched.',
  spec,
  status,
  printerColumns: [
    { name: 'Mode', type: 'string', jsonPath: '.spec.mode' },
    { name: 'Topics', type: 'integer', jsonPath: '.status.topics.matched' },
    { name: 'Drifted', type: 'integer', jsonPath: '.status.topics.drifted' },
    { name: 'Bytes', type: 'integer', jsonPath: '.status.topics.bytes', priority: 1 },
    { name: 'Connection', type: 'string', jsonPath: '.spec.connectionRef.name', priority: 1 },
  ],
}
