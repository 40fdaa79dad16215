import type { ResourceDefinition } from '../../api/definition.ts'
import type { CommonStatus, Resource } from '../../api/resource.ts'
import {
  choice,
  deletionPolicy,
  duration,
  effective,
  glob,
  immutable,
  integer,
  list,
  localRef,
  map,
  object,
  optional,
  set,
  suspend,
  text,
  topic,
  topicPrefix,
} from '../../api/schema.ts'
import type { Of } from '../../api/schema.ts'
import { notLongerCel } from '../../api/cel-text.ts'
import { poolIsImmutable, workers, workersStatus } from '../workers.ts'

const late = object(
  'What happens to a message that is overdue, for instance after an outage.',
  {
    policy: choice('Deliver it all the same, write it to the dead letter topic, or drop it.', 'Deliver', 'DeadLetter', 'Drop'),
    after: optional(duration('How much overdue a message must be.')),
  },
  [{ rule: "self.policy == 'Deliver' || has(self.after)", message: 'DeadLetter and Drop need after: how much overdue a message must be' }],
)

const spec = object(
  'What to delay, for how long, and where to.',
  {
    connectionRef: localRef('The KafkaConnection to use.'),
    partitions: optional(integer('Partitions of the topics of the queue; cannot be changed.', 1, 1000)),
    maxDelay: duration('Longest delay that a message may ask for.'),
    tiers: optional(set('Fixed delays, each with a topic of its own.', duration('A fixed delay.'), 16)),
    target: optional(object('Where due messages go.', { topic: topic('Topic; always allowed.') })),
    allowedTargets: optional(
      list('Topics that a message may name as its own target; none when absent or empty.', glob('* is any run of characters, ? one.'), 256),
    ),
    late: optional(late),
    deduplication: optional(object('Drop repeated messages of one sluice-id.', { window: duration('How long an id is remembered.') })),
    deadLetter: optional(
      object('Where messages go that cannot be delivered.', {
        topic: optional(topic('Topic; <namespace>.<name>.dlq by default.')),
        retention: optional(duration('How long they are kept.')),
      }),
    ),
    delivery: optional(choice('ExactlyOnce by default.', 'ExactlyOnce', 'AtLeastOnce')),
    maxFireRate: optional(integer('Messages a second for the whole queue: paces the catch-up after an outage.', 1, 10_000_000)),
    workers: optional(workers),
    topicPrefix: optional(topicPrefix),
    deletionPolicy: optional(deletionPolicy),
    suspend: optional(suspend),
  },
  [
    {
      rule: 'has(self.target) || has(self.allowedTargets)',
      message: 'a queue needs target or allowedTargets: due messages would have nowhere to go',
    },
    {
      rule: `!has(self.tiers) || self.tiers.all(tier, ${notLongerCel('tier', 'self.maxDelay')})`,
      message: 'a tier is above maxDelay: remove it or raise maxDelay',
      fieldPath: '.tiers',
    },
    immutable('partitions', 'records are spread by it; make a new queue and let this one run empty'),
    immutable('topicPrefix', 'the topics are named by it; make a new queue and let this one run empty'),
    poolIsImmutable,
  ],
)

const topicName = text('Topic.', 249)

const status = object('What the operator last saw.', {
  topics: optional(
    object('Topics to write to and to read from.', {
      input: optional(topicName),
      fixed: optional(map('Topic of each fixed delay.', topicName, 16)),
      deadLetter: optional(topicName),
    }),
  ),
  workers: optional(workersStatus),
  effective: optional(effective),
})

export type DelayQueueSpec = Of<typeof spec>
export type DelayQueueStatus = Of<typeof status> & CommonStatus
export type DelayQueue = Resource<DelayQueueSpec, DelayQueueStatus>

export const definition: ResourceDefinition = {
  kind: 'DelayQueue',
  plural: 'delayqueues',
  shortNames: ['dq'],
  description: 'Messages that are delivered later: at a time or after a delay that each of them names, or after a fixed one.',
  spec,
  status,
  printerColumns: [
    { name: 'Max Delay', type: 'string', jsonPath: '.spec.maxDelay' },
    { name: 'Input', type: 'string', jsonPath: '.status.topics.input', priority: 1 },
    { name: 'Target', type: 'string', jsonPath: '.spec.target.topic', priority: 1 },
    { name: 'Dead Letters', type: 'string', jsonPath: '.status.topics.deadLetter', priority: 1 },
    { name: 'Workers', type: 'integer', jsonPath: '.status.workers.ready' },
    { name: 'Desired', type: 'integer', jsonPath: '.status.workers.desired', priority: 1 },
  ],
  scale: { specReplicasPath: '.spec.workers.replicas', statusReplicasPath: '.status.workers.ready' },
}
