import type { ResourceDefinition } from '../../api/definition.ts'
import type { CommonStatus, Resource } from '../../api/resource.ts'
import {
  anyObject,
  choice,
  effective,
  flag,
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
} from '../../api/schema.ts'
import type { Of } from '../../api/schema.ts'
import { workersStatus } from '../workers.ts'

const MOST_OFFSET = Number.MAX_SAFE_INTEGER
const INSTANT_PATTERN =
  '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$'
const instant = (description: string) => text(`${description} RFC 3339, such as 2026-03-01T12:00:00Z.`, 35, INSTANT_PATTERN)

const offsets = object(
  'Offsets of one partition, the first and the last included.',
  {
    partition: integer('Partition of the dead letter topic.', 0, 100_000),
    from: integer('First offset.', 0, MOST_OFFSET),
    to: integer('Last offset.', 0, MOST_OFFSET),
  },
  [{ rule: 'self.from <= self.to', message: 'from must not be above to', fieldPath: '.from' }],
)

const SELECTORS = ['fingerprint', 'errorClass', 'key', 'from', 'to', 'partitions', 'offsets', 'header'] as const
const anySelector = SELECTORS.map(name => `has(self.${name})`).join(' || ')

const select = object(
  'Which dead letters: every selector that is given must match.',
  {
    all: optional(flag('All of them.')),
    fingerprint: optional(text('The failure, as sluice dlq groups shows it.', 128)),
    errorClass: optional(text('Class of the error.', 512)),
    key: optional(text('Key of the record, as text.', 1024)),
    from: optional(instant('Dead since then, by the append time of the dead letter.')),
    to: optional(instant('Dead before then.')),
    partitions: optional(set('Partitions of the dead letter topic.', integer('Partition.', 0, 100_000), 1000)),
    offsets: optional(list('Ranges of offsets.', offsets, 256)),
    header: optional(
      object('A header of the dead letter.', {
        name: text('Name of the header.', 249),
        value: optional(text('Its value as text; any when absent.', 1024)),
      }),
    ),
  },
  [
    { rule: '!has(self.all) || self.all', message: 'all is true or absent: say what to select instead', fieldPath: '.all' },
    { rule: `has(self.all) != (${anySelector})`, message: `select needs either all: true or some of ${SELECTORS.join(', ')}` },
  ],
)

const OURS = 'headers that begin with sluice- are written by Sluice: choose another name'
const transform = object(
  'Changes to the headers of what is moved; key and value are never touched.',
  {
    setHeaders: optional(map('Headers to set, as text; one of the same name is replaced.', text('Value.', 1024), 32)),
    removeHeaders: optional(set('Headers to remove.', text('Name.', 249), 64)),
  },
  [
    {
      rule: "!has(self.setHeaders) || self.setHeaders.all(name, name != '' && !name.startsWith('sluice-'))",
      message: OURS,
      fieldPath: '.setHeaders',
    },
    {
      rule: "!has(self.removeHeaders) || self.removeHeaders.all(name, !name.startsWith('sluice-'))",
      message: OURS,
      fieldPath: '.removeHeaders',
    },
  ],
)

const WAY_OUT = 'what was moved is moved; make another DeadLetterRedrive'

const spec = object(
  'Which dead letters to deliver again, where, and how fast.',
  {
    pipelineRef: localRef('The DeadLetterPipeline whose dead letters are meant.'),
    deadLetterTopic: optional(topic('The dead letter topic to read: the pipeline’s own, or one that its rules name; its own when absent.')),
    select,
    to: optional(
      choice(
        'Application (the default): delivered again to the application of the pipeline and to nobody else. Topic: written to spec.topic.',
        'Application',
        'Topic',
      ),
    ),
    topic: optional(topic('Where to write with to: Topic; within allowedTopics of the connection.')),
    ratePerSecond: optional(integer('Records a second over all partitions; as fast as possible when absent.', 1, 1_000_000)),
    maxMessages: optional(integer('At most so many.', 1, 1_000_000_000)),
    dryRun: optional(flag('Write nothing; status tells what would be moved.')),
    maxRedrives: optional(integer('A record that was redriven so often stays where it is; 3 by default.', 1, 1000)),
    transform: optional(transform),
    suspend: optional(suspend),
  },
  [
    {
      rule: "has(self.topic) == (has(self.to) && self.to == 'Topic')",
      message: 'topic belongs to to: Topic, which needs it',
      fieldPath: '.topic',
    },
    ...['pipelineRef', 'deadLetterTopic', 'select', 'to', 'topic', 'maxMessages', 'dryRun', 'maxRedrives', 'transform'].map(field =>
      immutable(field, WAY_OUT),
    ),
  ],
)

const most = (description: string) => optional(integer(description, 0, Number.MAX_SAFE_INTEGER))

const status = object('What the operator last saw.', {
  phase: optional(choice('How far it is.', 'Pending', 'Running', 'Suspended', 'Completed', 'Failed')),
  matched: most('Dead letters that the selectors select, so far.'),
  sent: most('Moved.'),
  skipped: most('Left where they are: handled before, or redriven too often.'),
  failed: most('Left where they are: the target refused them.'),
  startedAt: optional(text('When the bounds were captured.', 35)),
  completedAt: optional(text('When nothing was left to do.', 35)),
  eta: optional(text('When it will be done at the present pace.', 35)),
  histogram: optional(
    list(
      'What was moved, or would be in a dry run: the most frequent fingerprints.',
      object('A target and a fingerprint.', {
        target: optional(text('Topic.', 249)),
        fingerprint: text('Fingerprint.', 128),
        count: integer('Dead letters.', 0, Number.MAX_SAFE_INTEGER),
      }),
      20,
    ),
  ),
  bounds: optional(anyObject('The dead letter topic, and first offset and end of each partition, as captured when it began.')),
  workers: optional(workersStatus),
  effective: optional(effective),
})

export type Select = Of<typeof select>
export type DeadLetterRedriveSpec = Of<typeof spec>
export type DeadLetterRedriveStatus = Of<typeof status> & CommonStatus
export type DeadLetterRedrive = Resource<DeadLetterRedriveSpec, DeadLetterRedriveStatus>

export const definition: ResourceDefinition = {
  kind: 'DeadLetterRedrive',
  plural: 'deadletterredrives',
  shortNames: ['redrive'],
  description: 'Delivers dead letters of a pipeline again: those that are selected, once, at a rate.',
  spec,
  status,
  printerColumns: [
    { name: 'Pipeline', type: 'string', jsonPath: '.spec.pipelineRef.name' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    { name: 'Matched', type: 'integer', jsonPath: '.status.matched' },
    { name: 'Sent', type: 'integer', jsonPath: '.status.sent' },
    { name: 'Skipped', type: 'integer', jsonPath: '.status.skipped', priority: 1 },
    { name: 'Failed', type: 'integer', jsonPath: '.status.failed', priority: 1 },
    { name: 'ETA', type: 'string', jsonPath: '.status.eta', priority: 1 },
  ],
}
