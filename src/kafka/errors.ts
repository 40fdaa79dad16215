/** Why a Kafka operation failed, in our words. The adapters map every vendor error to one of these, once. */
export type KafkaErrorCode =
  | 'AuthenticationFailed' // the broker refused our credentials, or offers no mechanism that we speak
  | 'TlsFailed' // certificate, host name or handshake; a plaintext listener behind `tls`
  | 'BrokerUnreachable' // refused, reset, timed out, unknown host
  | 'UnknownHost' // no bootstrap server resolves
  | 'AuthorizationFailed' // authenticated, but an ACL is missing
  | 'UnknownTopic'
  | 'TopicExists'
  | 'InvalidTopic'
  | 'InvalidPartitions'
  | 'InvalidReplicationFactor'
  | 'InvalidConfig'
  | 'PolicyViolation' // a policy plug-in of the broker refused
  | 'GroupActive' // the consumer group has members
  | 'UnknownGroup'
  | 'OffsetOutOfRange'
  | 'MessageTooLarge'
  | 'Fenced' // another producer took our transactional id: this process is a zombie for it
  | 'RebalanceInProgress' // generation or member is no longer current: abort and go on
  | 'UnstableOffsets' // a transaction that commits these offsets is still open
  | 'Unsupported' // the broker lacks the feature
  | 'Timeout'
  | 'Unexpected'

/** The one error type that leaves an adapter. `retriable` says whether the same call may succeed later without a change by a human. */
export class KafkaError extends Error {
  override readonly name = 'KafkaError'
  readonly code: KafkaErrorCode
  readonly retriable: boolean

  constructor(code: KafkaErrorCode, message: string, options: { readonly retriable: boolean; readonly cause?: unknown }) {
    super(message, { cause: options.cause })
    this.code = code
    this.retriable = options.retriable
  }
}
