import type { ResourceDefinition } from '../../api/definition.ts'
import type { CommonStatus, Resource } from '../../api/resource.ts'
import { choice, flag, glob, integer, list, object, optional, secretKeyRef, secretRef, suspend, text } from '../../api/schema.ts'
import type { Of } from '../../api/schema.ts'

const bootstrapServer = text('host:port of a broker.', 261, '^(\\[[0-9a-fA-F:.]+\\]|[a-zA-Z0-9._-]+):[0-9]{1,5}$', [
  { rule: "int('0' + self.find('[0-9]+$')) >= 1 && int('0' + self.find('[0-9]+$')) <= 65535", message: 'the port must be from 1 to 65535' },
])

const tls = object('Encrypt the connection; an empty object trusts the authorities of the system.', {
  caSecretRef: optional(secretKeyRef('PEM bundle of the authorities to trust instead of the system’s.')),
  clientCertificateSecretRef: optional(secretRef('Secret with tls.crt and tls.key: mutual TLS.')),
  insecureSkipVerify: optional(flag('Encrypt without verifying the broker. For tests only.')),
})

const oauth = object('Client credentials flow (RFC 6749, 4.4).', {
  tokenEndpoint: text('URL that issues tokens.', 2048, '^https?://[^\\s]+$'),
  clientIdSecretRef: secretKeyRef('Client id.'),
  clientSecretSecretRef: secretKeyRef('Client secret.'),
  scope: optional(text('Scope to ask for.', 1024)),
})

const sasl = object(
  'Authenticate with SASL.',
  {
    mechanism: choice('How to authenticate.', 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'),
    usernameSecretRef: optional(secretKeyRef('User name, for PLAIN and SCRAM.')),
    passwordSecretRef: optional(secretKeyRef('Password, for PLAIN and SCRAM.')),
    oauth: optional(oauth),
  },
  [
    {
      rule: "self.mechanism == 'OAUTHBEARER' || (has(self.usernameSecretRef) && has(self.passwordSecretRef))",
      message: 'PLAIN and SCRAM need usernameSecretRef and passwordSecretRef',
    },
    {
      rule: "self.mechanism == 'OAUTHBEARER' || !has(self.oauth)",
      message: 'oauth belongs to OAUTHBEARER: remove it or change the mechanism',
      fieldPath: '.oauth',
    },
    { rule: "self.mechanism != 'OAUTHBEARER' || has(self.oauth)", message: 'OAUTHBEARER needs oauth' },
    {
      rule: "self.mechanism != 'OAUTHBEARER' || (!has(self.usernameSecretRef) && !has(self.passwordSecretRef))",
      message: 'OAUTHBEARER takes its credentials from oauth: remove usernameSecretRef and passwordSecretRef',
    },
  ],
)

const defaults = object(
  'For topics that Sluice creates.',
  {
    replicationFactor: optional(integer('Replicas of each partition; 3 by default, fewer where there are fewer brokers.', 1, 100)),
    minInsyncReplicas: optional(integer('min.insync.replicas of new topics.', 1, 100)),
  },
  [
    {
      rule: '!has(self.replicationFactor) || !has(self.minInsyncReplicas) || self.minInsyncReplicas <= self.replicationFactor',
      message: 'minInsyncReplicas must not be above replicationFactor: nothing could be written',
      fieldPath: '.minInsyncReplicas',
    },
  ],
)

const spec = object('How to reach a Kafka cluster.', {
  bootstrapServers: list('Brokers to ask first.', bootstrapServer, 32, [], { minItems: 1 }),
  tls: optional(tls),
  sasl: optional(sasl),
  defaults: optional(defaults),
  allowedTopics: optional(
    list(
      'Topics that resources of this namespace may create, configure and write; every topic that is not internal when absent, none when empty.',
      glob('* is any run of characters, ? one.'),
      256,
    ),
  ),
  suspend: optional(suspend),
})

const status = object('What the operator last saw.', {
  clusterId: optional(text('Id that the cluster gave itself.', 128)),
  brokers: optional(integer('Brokers that the cluster reports.', 0, 100_000)),
  features: optional(list('What the cluster can do, such as transactions, share-groups.', text('Name of a feature.', 64), 32)),
})

export type KafkaConnectionSpec = Of<typeof spec>
export type KafkaConnectionStatus = Of<typeof status> & CommonStatus
export type KafkaConnection = Resource<KafkaConnectionSpec, KafkaConnectionStatus>

export const definition: ResourceDefinition = {
  kind: 'KafkaConnection',
  plural: 'kafkaconnections',
  shortNames: ['kconn'],
  description: 'How the resources of this namespace reach a Kafka cluster, and which topics they may touch.',
  spec,
  status,
  printerColumns: [
    { name: 'Brokers', type: 'integer', jsonPath: '.status.brokers' },
    { name: 'Cluster', type: 'string', jsonPath: '.status.clusterId', priority: 1 },
    { name: 'Bootstrap', type: 'string', jsonPath: '.spec.bootstrapServers[0]', priority: 1 },
  ],
}
