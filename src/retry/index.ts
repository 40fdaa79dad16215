/**
 * `sluice/retry`: the application's side of a DeadLetterPipeline with topic delivery. It hands what failed to the pipeline and reads what comes back.
 * For kafkajs and for the KafkaJS interface of @confluentinc/kafka-javascript; docs/guides/retries.md has the headers for other languages.
 */
export { Rejected, RetryAfter } from './errors.ts'
export { failureHeaders } from './failure-headers.ts'
export { retrying } from './retrying.ts'
export type { Delivery, Retrying, RetryingOptions } from './retrying.ts'
export type { HeaderValue, Headers, Message, Payload, Producer } from './client.ts'
