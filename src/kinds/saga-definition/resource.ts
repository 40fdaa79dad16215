import type { ResourceDefinition } from '../../api/definition.ts'
import type { CommonStatus, Resource } from '../../api/resource.ts'
import {
  anyObject,
  anything,
  choice,
  deletionPolicy,
  duration,
  flag,
  immutable,
  integer,
  list,
  listBy,
  localRef,
  object,
  optional,
  set,
  suspend,
  text,
  topic,
  topicPrefix,
} from '../../api/schema.ts'
import type { Of } from '../../api/schema.ts'
import { backoff } from '../retry.ts'
import { workers, workersStatus } from '../workers.ts'

const MAX_STEPS = 64
const STEP_NAME = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'
const stepName = (description: string) => text(description, 63, STEP_NAME)
const cel = (description: string) => text(`${description} A CEL expression.`, 4096)

const retry = object('When to try again.', {
  attempts: optional(integer('Attempts, the first included.', 1, 10_000)),
  backoff: optional(backoff),
})

const trigger = object('Records that start a saga.', {
  topics: list('Topics to read.', topic('Topic.'), 16, [], { minItems: 1 }),
  startFrom: optional(choice('Where to begin when the saga is new; Latest by default.', 'Latest', 'Earliest')),
  sagaId: optional(cel('Id of the saga, from value, key and headers.')),
  filter: optional(cel('Which records start one.')),
  input: optional(anything('Input of the saga; its strings are CEL expressions.')),
})

const compensate = object('Details of the compensation.', {
  topic: optional(topic('Topic of its commands.')),
  payload: optional(anything('Body of its commands; its strings are CEL expressions.')),
  timeout: optional(duration('Longest wait for a reply.')),
  retry: optional(retry),
})

const step = object(
  'One step.',
  {
    name: stepName('Name, unique in the saga.'),
    service: text('Service that does it.', 128, '^[a-zA-Z0-9]([-a-zA-Z0-9._]*[a-zA-Z0-9])?$'),
    topic: optional(topic('Topic of its commands; <service>-commands by default.')),
    action: text('What the service shall do.', 128),
    compensation: optional(text('Action that undoes it; none, if nothing has to be undone.', 128)),
    compensate: optional(compensate),
    kind: optional(choice('Compensatable by default.', 'Compensatable', 'Pivot', 'Retriable')),
    after: optional(set('Steps to wait for; the previous one when absent, none when empty.', stepName('Name of a step.'), MAX_STEPS)),
    when: optional(cel('Whether to run the step.')),
    timeout: optional(duration('Longest wait for a reply; 30s by default.')),
    retry: optional(retry),
    optional: optional(flag('A failure of this step does not fail the saga.')),
    payload: optional(anything('Body of the commands; its strings are CEL expressions.')),
    output: optional(anything('What to keep of the reply; its strings are CEL expressions.')),
  },
  [
    {
      rule: "(has(self.kind) && self.kind != 'Compensatable') || has(self.compensation)",
      message: 'a Compensatable step needs compensation: the action that undoes it, or none',
    },
    {
      rule: "!has(self.compensation) || !has(self.kind) || self.kind != 'Retriable'",
      message: 'a Retriable step is never undone: remove compensation, or change kind',
      fieldPath: '.compensation',
    },
    {
      rule: "!has(self.compensate) || (has(self.compensation) && self.compensation != 'none')",
      message: 'compensate describes a compensation that this step does not have: remove it',
      fieldPath: '.compensate',
    },
    {
      rule: '!has(self.after) || !self.after.exists(name, name == self.name)',
      message: 'a step cannot wait for itself: remove its name from after',
      fieldPath: '.after',
    },
  ],
)

const spec = object(
  'Steps across services, and how to undo them.',
  {
    connectionRef: localRef('The KafkaConnection to use.'),
    mode: optional(choice('Orchestration by default.', 'Orchestration', 'Choreography')),
    trigger: optional(trigger),
    partitions: optional(integer('Partitions of the topics of the saga; cannot be changed.', 1, 1000)),
    timeout: optional(duration('Longest time for a whole saga.')),
    retention: optional(
      object('How long finished sagas are kept.', {
        completed: optional(duration('State of finished sagas.')),
        history: optional(duration('Events.')),
      }),
    ),
    delivery: optional(choice('ExactlyOnce by default.', 'ExactlyOnce', 'AtLeastOnce')),
    steps: listBy('name', 'The steps, in order.', step, MAX_STEPS, [
      { rule: 'size(self) > 0', message: 'a saga needs at least one step' },
      {
        rule: 'self.all(step, !has(step.after) || step.after.all(name, self.exists(other, other.name == name)))',
        message: 'after names a step that does not exist: correct the name or add the step',
      },
      { rule: "self.filter(step, has(step.kind) && step.kind == 'Pivot').size() <= 1", message: 'at most one step may be the Pivot' },
    ]),
    events: optional(object('Where events of the sagas go.', { topic: optional(topic('Topic; <namespace>.<name>.events by default.')) })),
    workers: optional(workers),
    topicPrefix: optional(topicPrefix),
    deletionPolicy: optional(deletionPolicy),
    suspend: optional(suspend),
  },
  [
    immutable('partitions', 'sagas are spread by it; make a new saga and let this one end'),
    immutable('topicPrefix', 'the topics are named by it; make a new saga and let this one end'),
  ],
)

const status = object('What the operator last saw.', {
  activeGeneration: optional(integer('Generation that new sagas start with.', 0, Number.MAX_SAFE_INTEGER)),
  generations: optional(list('Generations that sagas still run with.', anyObject('One generation.'), 64)),
  instances: optional(
    object('Sagas under way.', {
      running: optional(integer('Running.', 0, Number.MAX_SAFE_INTEGER)),
      compensating: optional(integer('Compensating.', 0, Number.MAX_SAFE_INTEGER)),
      stuck: optional(integer('Waiting for a person.', 0, Number.MAX_SAFE_INTEGER)),
    }),
  ),
  topics: optional(anyObject('Topics of the saga.')),
  workers: optional(workersStatus),
})

export type SagaDefinitionSpec = Of<typeof spec>
export type SagaDefinitionStatus = Of<typeof status> & CommonStatus
export type SagaDefinition = Resource<SagaDefinitionSpec, SagaDefinitionStatus>

export const definition: ResourceDefinition = {
  kind: 'SagaDefinition',
  plural: 'sagadefinitions',
  shortNames: ['saga'],
  description: 'A business transaction over several services: steps, their order, and how each is undone.',
  spec,
  status,
  printerColumns: [
    { name: 'Generation', type: 'integer', jsonPath: '.status.activeGeneration' },
    { name: 'Running', type: 'integer', jsonPath: '.status.instances.running' },
    { name: 'Stuck', type: 'integer', jsonPath: '.status.instances.stuck' },
    { name: 'Workers', type: 'integer', jsonPath: '.status.workers.ready' },
  ],
  scale: { specReplicasPath: '.spec.workers.replicas', statusReplicasPath: '.status.workers.ready' },
}
