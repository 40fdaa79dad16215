import { inspect } from 'node:util'
import type { Headers, Payload } from './client.ts'
import { Rejected, RetryAfter } from './errors.ts'

/** Brokers refuse records whose headers alone are too large; the pipeline keeps 8 KiB of a stack. */
const MOST_STACK_CHARACTERS = 8192
const MOST_MESSAGE_CHARACTERS = 4096
/** Of an earlier failure: none of it may outlive a new one. */
const REPLACED = new Set([
  'sluice-error-class',
  'sluice-error-message',
  'sluice-error-code',
  'sluice-error-stack',
  'sluice-error-fingerprint',
  'sluice-retry-after',
  'sluice-disposition',
])

/**
 * Headers of a failed record as the retry topic wants them: those it came with, this failure instead of the last one, and where it came from if it
 * is the first.
 * @param group consumer group of the application.
 */
export function failureHeaders({ topic, partition, message }: Payload, error: unknown, group: string): Headers {
  const headers: Headers = Object.fromEntries(Object.entries(message.headers ?? {}).filter(([name]) => !REPLACED.has(name)))
  if (headers['sluice-origin-topic'] === undefined || headers['sluice-origin-offset'] === undefined)
    Object.assign(headers, {
      'sluice-origin-topic': topic,
      'sluice-origin-partition': String(partition),
      'sluice-origin-offset': message.offset,
      'sluice-origin-timestamp': message.timestamp,
      'sluice-origin-group': group,
    })
  return Object.assign(headers, errorHeaders(error))
}

function errorHeaders(error: unknown): Headers {
  if (!(error instanceof Error)) return { 'sluice-error-class': typeof error, 'sluice-error-message': shown(error) }
  const { code } = error as { readonly code?: unknown }
  return {
    'sluice-error-class': error.name,
    'sluice-error-message': error.message.slice(0, MOST_MESSAGE_CHARACTERS),
    ...(typeof code === 'string' || typeof code === 'number' ? { 'sluice-error-code': String(code) } : {}),
    ...(error.stack === undefined ? {} : { 'sluice-error-stack': error.stack.slice(0, MOST_STACK_CHARACTERS) }),
    ...(error instanceof Rejected ? { 'sluice-disposition': 'rejected' } : {}),
    ...(error instanceof RetryAfter ? { 'sluice-retry-after': String(error.after) } : {}),
  }
}

const shown = (thrown: unknown): string => (typeof thrown === 'string' ? thrown : inspect(thrown)).slice(0, MOST_MESSAGE_CHARACTERS)
