/** Every reason that a condition or an Event may carry, with its meaning. `docs/conditions.md` lists the same; a test compares the two. */
export const REASONS = {
  // Ready and the like
  Ready: 'The resource is as its spec says.',
  Reconciling: 'The operator is bringing the resource in line with its spec.',
  Observed: 'Mode is Observe: differences are reported, nothing is written.',
  Suspended: 'spec.suspend is true: nothing is done until it is removed.',
  // the spec
  InvalidSpec: 'The spec breaks a rule of the schema.',
  NotImplemented: 'This version knows the kind or the field but cannot run it yet.',
  // the connection
  ConnectionNotFound: 'spec.connectionRef names a KafkaConnection that does not exist in this namespace.',
  ConnectionNotReady: 'The KafkaConnection is not ready; see its own conditions.',
  Connected: 'The brokers answer.',
  Probing: 'The first answer of the brokers is awaited.',
  SecretNotFound: 'A Secret or a key of it that the connection or the resource names is missing.',
  AuthenticationFailed: 'The brokers refused the credentials.',
  AuthorizationFailed: 'The brokers know us but an ACL is missing.',
  TlsFailed: 'The TLS handshake failed: wrong CA, wrong name, or a plaintext listener.',
  UnknownHost: 'No bootstrap server resolves.',
  BrokerUnreachable: 'No broker answers.',
  SubjectNotFound: 'The resource that this one is about, such as the pipeline of a redrive, does not exist in this namespace.',
  // redrives
  RedriveWaiting: 'Another redrive of the same pipeline runs; they run one after another.',
  RedriveFailed: 'The redrive cannot go on, and will not by itself; make another one.',
  RedriveRunning: 'Dead letters are being gone through; see status for how far it is.',
  // topics
  TopicNotAllowed: 'A topic is outside spec.allowedTopics of the connection.',
  TopicNotFound: 'A topic that must exist does not.',
  TopicFailed: 'The brokers refused to create or change a topic.',
  InvalidConfig: 'The brokers refused a config value.',
  PartitionsDecreased: 'Kafka cannot remove partitions; the spec asks for fewer than there are.',
  ReplicationFactorDiffers: 'An existing topic has another replication factor; Sluice does not move replicas.',
  PolicyConflict: 'Another policy of the same priority wants another value for the same key of the same topic; neither is applied.',
  NoTopicsMatched: 'The selector matches no topic.',
  Drifted: 'Topics differ from the policy.',
  RetentionDecreasing: 'A retention is being lowered in steps.',
  // calls
  BreakerOpen: 'The application fails: its records are held and it is probed until it answers; nothing is dead-lettered meanwhile.',
  CallsFailing: 'Every call to the application fails; its records are retried until their attempts are spent.',
  AddressForbidden: 'The URL leads to an address that workers must not call, such as that of a metadata service.',
  OrderingFull: 'Partitions wait for failed keys: as many records stand behind them as may.',
  // workers, alerts
  WorkersNotReady: 'Not every worker pod is ready on the current generation.',
  TaskStopped: 'A worker stopped working on a partition, since going on would lose or repeat messages; the message says what to do.',
  WorkersReady: 'Every worker runs the current generation.',
  PoolConflict: 'Resources of one pool want different pods; the oldest decides.',
  AlertsApplied: 'The alert rules are in place.',
  AlertsSkipped: 'The cluster has no PrometheusRule kind; alerts are skipped.',
  // deletion
  Draining: 'The resource was deleted; its workers go on until nothing waits in it any more.',
  Drained: 'Nothing waited in the deleted resource any more.',
  Deleting: 'The resource is being deleted.',
  LeftBehind: 'The resource is gone, but topics or undelivered messages that were to go before it may still be there.',
  TopicsDeleted: 'The topics of the resource were deleted as its deletionPolicy asks.',
  // changes, as Events
  TopicCreated: 'A topic was created.',
  PartitionsAdded: 'Partitions were added to a topic.',
  ConfigChanged: 'Configs of topics were changed.',
  DriftReverted: 'A change made by hand was reverted.',
  WorkersChanged: 'The workers were deployed or changed.',
  InternalError: 'The operator met a bug; see its log.',
} as const

export type Reason = keyof typeof REASONS
