/** The headers that carry a failure from one delivery to the next; each stands once on what Sluice writes. */
export const HEADER = {
  attempt: 'sluice-attempt',
  maxAttempts: 'sluice-max-attempts',
  firstFailureAt: 'sluice-first-failure-at',
  lastFailureAt: 'sluice-last-failure-at',
  deadline: 'sluice-retry-deadline',
  retryAfter: 'sluice-retry-after',
  disposition: 'sluice-disposition',
  errorClass: 'sluice-error-class',
  errorMessage: 'sluice-error-message',
  errorCode: 'sluice-error-code',
  errorStack: 'sluice-error-stack',
  fingerprint: 'sluice-error-fingerprint',
  originTopic: 'sluice-origin-topic',
  originPartition: 'sluice-origin-partition',
  originOffset: 'sluice-origin-offset',
  originTimestamp: 'sluice-origin-timestamp',
  originGroup: 'sluice-origin-group',
} as const

export type ContextHeader = (typeof HEADER)[keyof typeof HEADER]

type Encoding = 'text' | 'binary'
export interface Alias {
  readonly name: string
  /** Spring writes numbers as big-endian bytes, everybody else as decimal text. */
  readonly encoding: Encoding
}
const text = (...names: readonly string[]): readonly Alias[] => names.map(name => ({ name, encoding: 'text' }))
const binary = (name: string): Alias => ({ name, encoding: 'binary' })

/**
 * Where other systems say the same, in the order in which they are asked: Spring Kafka, Kafka Connect, Kafka Streams (KIP-1034), share groups
 * (KIP-1191), and the `error_msg` of hand-made consumers.
 */
export const ALIASES: Readonly<Partial<Record<ContextHeader, readonly Alias[]>>> = {
  [HEADER.errorClass]: text(
    'kafka_dlt-exception-cause-fqcn',
    'kafka_dlt-exception-fqcn',
    '__connect.errors.exception.class.name',
    '__streams.errors.exception',
  ),
  [HEADER.errorMessage]: text(
    'kafka_dlt-exception-message',
    '__connect.errors.exception.message',
    '__streams.errors.message',
    '__dlq.errors.message',
    'error_msg',
  ),
  [HEADER.errorStack]: text('kafka_dlt-exception-stacktrace', '__connect.errors.exception.stacktrace', '__streams.errors.stacktrace'),
  [HEADER.originTopic]: text('kafka_dlt-original-topic', '__connect.errors.topic', '__streams.errors.topic', '__dlq.errors.topic'),
  [HEADER.originPartition]: [
    binary('kafka_dlt-original-partition'),
    ...text('__connect.errors.partition', '__streams.errors.partition', '__dlq.errors.partition'),
  ],
  [HEADER.originOffset]: [
    binary('kafka_dlt-original-offset'),
    ...text('__connect.errors.offset', '__streams.errors.offset', '__dlq.errors.offset'),
  ],
  [HEADER.originTimestamp]: [binary('kafka_dlt-original-timestamp')],
  [HEADER.originGroup]: text('kafka_dlt-original-consumer-group', '__dlq.errors.group'),
}
