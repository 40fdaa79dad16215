import type { ResourceDefinition } from '../../api/definition.ts'
import type { CommonStatus, Resource } from '../../api/resource.ts'
import {
  choice,
  deletionPolicy,
  duration,
  effective,
  flag,
  immutable,
  intOrString,
  integer,
  list,
  localRef,
  object,
  optional,
  ratio,
  secretKeyRef,
  secretRef,
  suspend,
  text,
  topic,
  topicPrefix,
} from '../../api/schema.ts'
import type { Of } from '../../api/schema.ts'
import { backoff } from '../retry.ts'
import { workers, workersStatus } from '../workers.ts'

const http = object('Sluice reads the source and calls the application: CloudEvents over HTTP.', {
  url: text('URL of the application; without user, password and fragment.', 2048, '^https?://[^\\s/?#@]+([/?][^\\s#]*)?$'),
  timeout: optional(duration('Longest wait for an answer.')),
  maxInFlight: optional(integer('Calls under way at once, for each worker.', 1, 10_000)),
  headersSecretRef: optional(secretRef('Secret whose keys are header names and whose values are sent with every call.')),
  tls: optional(
    object('Trust for https.', {
      caSecretRef: optional(secretKeyRef('PEM bundle of the authorities to trust instead of the system’s.')),
      clientCertificateSecretRef: optional(secretRef('Secret with tls.crt and tls.key: mutual TLS.')),
      insecureSkipVerify: optional(flag('Encrypt without verifying the application. For tests only.')),
    }),
  ),
})

const delivery = object(
  'How a message reaches the application.',
  {
    topic: optional(object('The application reads the source itself and hands failures over.', {})),
    http: optional(http),
  },
  [{ rule: 'has(self.topic) != has(self.http)', message: 'delivery needs exactly one of topic and http' }],
)

const retry = object('When to try again.', {
  maxAttempts: optional(integer('Deliveries in all, the first included.', 1, 1000)),
  backoff: optional(backoff),
  deadline: optional(duration('Longest time since the first failure.')),
})

const match = object(
  'What a failure must be like: every field that is given must match.',
  {
    status: optional(
      list(
        'HTTP statuses, or ranges such as "500-599".',
        intOrString('Status or range.', '^[1-5][0-9]{2}(-[1-5][0-9]{2})?$', 7, [
          { rule: 'type(self) == string || (int(self) >= 100 && int(self) <= 599)', message: 'must be an HTTP status from 100 to 599' },
        ]),
        32,
      ),
    ),
    errorClass: optional(list('Classes of errors.', text('Class.', 512), 64)),
    errorPattern: optional(text('Regular expression (RE2) that the message of the error matches.', 512)),
    header: optional(
      object('A header of the failed record.', {
        name: text('Name of the header.', 249),
        value: optional(text('Its value as text; any when absent.', 1024)),
      }),
    ),
  },
  [
    {
      rule: 'has(self.status) || has(self.errorClass) || has(self.errorPattern) || has(self.header)',
      message: 'match needs status, errorClass, errorPattern or header',
    },
  ],
)

const rule = object(
  'What to do with some failures; the first rule that matches applies.',
  {
    match,
    action: choice('What to do.', 'Retry', 'DeadLetter', 'Drop'),
    retryAfterMax: optional(duration('Longest Retry-After of the application that is honoured.')),
    deadLetterTopic: optional(topic('Dead letter topic for these failures.')),
  },
  [
    {
      rule: "!has(self.deadLetterTopic) || self.action != 'Drop'",
      message: 'Drop writes to no topic: remove deadLetterTopic',
      fieldPath: '.deadLetterTopic',
    },
    {
      rule: "!has(self.retryAfterMax) || self.action == 'Retry'",
      message: 'retryAfterMax belongs to action Retry',
      fieldPath: '.retryAfterMax',
    },
  ],
)

const breaker = object('Stop calling an application that fails: hold, probe, dead-letter nothing.', {
  failureRatio: optional(ratio('Share of failures that opens the breaker.')),
  consecutiveFailures: optional(integer('Failures in a row that open the breaker, whatever the ratio; minimum by default.', 1, 1_000_000)),
  minimum: optional(integer('Calls in the window before the ratio counts.', 1, 1_000_000)),
  window: optional(duration('Time over which failures are counted.')),
  probeInterval: optional(duration('Time between two probes while open.')),
})

const deadLetter = object('Where messages go whose attempts are spent.', {
  topic: optional(topic('Topic; <namespace>.<name>.dlq by default.')),
  partitions: optional(integer('Partitions of the topic.', 1, 1000)),
  retention: optional(duration('How long they are kept.')),
  replicationFactor: optional(integer('Replicas of each partition.', 1, 100)),
  compatibility: optional(choice('Write the headers of another system as well: Spring for kafka_dlt-*.', 'None', 'Spring')),
})

const spec = object(
  'Which failures to retry, how, and where the rest goes.',
  {
    connectionRef: localRef('The KafkaConnection to use.'),
    source: object('What the application reads.', { topic: topic('Topic.'), group: text('Consumer group of the application.', 249) }),
    delivery,
    retry: optional(retry),
    rules: optional(list('Exceptions to the retries.', rule, 64)),
    ordering: optional(choice('Key: later records of a failed key wait behind it.', 'None', 'Key')),
    breaker: optional(breaker),
    deadLetter: optional(deadLetter),
    workers: optional(workers),
    topicPrefix: optional(topicPrefix),
    deletionPolicy: optional(deletionPolicy),
    suspend: optional(suspend),
  },
  [
    {
      rule: "!has(self.ordering) || self.ordering == 'None' || has(self.delivery.http)",
      message: 'ordering Key needs delivery.http: with delivery.topic the application reads the source itself',
      fieldPath: '.ordering',
    },
    {
      rule: '!has(self.breaker) || has(self.delivery.http)',
      message: 'breaker needs delivery.http: with delivery.topic Sluice makes no calls',
      fieldPath: '.breaker',
    },
    {
      rule: 'has(self.delivery.http) || !has(self.rules) || self.rules.all(rule, !has(rule.match.status))',
      message: 'rules that match an HTTP status need delivery.http',
      fieldPath: '.rules',
    },
    {
      rule: '!has(self.deadLetter) || !has(self.deadLetter.topic) || self.deadLetter.topic != self.source.topic',
      message: 'deadLetter.topic is the source: dead letters would be read again; choose another topic',
      fieldPath: '.deadLetter',
    },
    {
      rule: 'has(self.delivery.http) == has(oldSelf.delivery.http)',
      message:
        'delivery cannot be changed between topic and http: the position in the topics belongs to another group; make a new pipeline and let this one run empty',
      fieldPath: '.delivery',
    },
    {
      rule: '!has(self.delivery.http) || self.source.group == oldSelf.source.group',
      message:
        'source.group cannot be changed with delivery.http: the position in the topics belongs to it; make a new pipeline and let this one run empty',
      fieldPath: '.source.group',
    },
    immutable('topicPrefix', 'the topics are named by it; make a new pipeline and let this one run empty'),
  ],
)

const topicName = text('Topic.', 249)

const status = object('What the operator last saw.', {
  topics: optional(
    object('Topics of the pipeline.', { retry: optional(topicName), redelivery: optional(topicName), deadLetter: optional(topicName) }),
  ),
  deadLetters: optional(
    object('Dead letters of the pipeline’s own topic that were neither redriven nor discarded.', {
      count: integer('How many.', 0, Number.MAX_SAFE_INTEGER),
      oldest: optional(text('When the oldest of them died.', 35)),
      byFingerprint: list(
        'The most frequent failures among them.',
        object('A failure.', { fingerprint: text('Fingerprint.', 128), count: integer('How many.', 0, Number.MAX_SAFE_INTEGER) }),
        10,
      ),
    }),
  ),
  breaker: optional(choice('State of the breaker: Open when that of any worker is.', 'Closed', 'Open')),
  workers: optional(workersStatus),
  effective: optional(effective),
})

export type DeadLetterPipelineSpec = Of<typeof spec>
export type DeadLetterPipelineStatus = Of<typeof status> & CommonStatus
export type DeadLetterPipeline = Resource<DeadLetterPipelineSpec, DeadLetterPipelineStatus>

export const definition: ResourceDefinition = {
  kind: 'DeadLetterPipeline',
  plural: 'deadletterpipelines',
  shortNames: ['dlp'],
  description: 'Retries with back-off for the failures of an application, and a dead letter topic for the rest.',
  spec,
  status,
  printerColumns: [
    { name: 'Source', type: 'string', jsonPath: '.spec.source.topic' },
    { name: 'Group', type: 'string', jsonPath: '.spec.source.group' },
    { name: 'Retry', type: 'string', jsonPath: '.status.topics.retry', priority: 1 },
    { name: 'Dead Letters', type: 'string', jsonPath: '.status.topics.deadLetter', priority: 1 },
    { name: 'Unhandled', type: 'integer', jsonPath: '.status.deadLetters.count' },
    { name: 'Workers', type: 'integer', jsonPath: '.status.workers.ready' },
  ],
  scale: { specReplicasPath: '.spec.workers.replicas', statusReplicasPath: '.status.workers.ready' },
}
