import type { LibrdKafkaError } from '@confluentinc/kafka-javascript'
import { KafkaError } from '../errors.ts'
import type { KafkaErrorCode } from '../errors.ts'

/** librdkafka's numbers (negative: raised by the client itself) that mean something to us. All others are `Unexpected`. */
const CODES = new Map<number, KafkaErrorCode>([
  [-195, 'BrokerUnreachable'],
  [-193, 'UnknownHost'],
  [-192, 'Timeout'],
  [-190, 'UnknownTopic'],
  [-188, 'UnknownTopic'],
  [-187, 'BrokerUnreachable'],
  [-185, 'Timeout'],
  [-181, 'TlsFailed'],
  [-169, 'AuthenticationFailed'],
  [-144, 'Fenced'],
  [-142, 'RebalanceInProgress'],
  [-140, 'OffsetOutOfRange'],
  [1, 'OffsetOutOfRange'],
  [3, 'UnknownTopic'],
  // No leader or coordinator at this moment: passes by itself.
  [5, 'BrokerUnreachable'],
  [6, 'BrokerUnreachable'],
  [7, 'Timeout'],
  [13, 'BrokerUnreachable'],
  [14, 'BrokerUnreachable'],
  [15, 'BrokerUnreachable'],
  [16, 'BrokerUnreachable'],
  [10, 'MessageTooLarge'],
  [18, 'MessageTooLarge'],
  [22, 'RebalanceInProgress'],
  [25, 'RebalanceInProgress'],
  [27, 'RebalanceInProgress'],
  [29, 'AuthorizationFailed'],
  [30, 'AuthorizationFailed'],
  [31, 'AuthorizationFailed'],
  [33, 'AuthenticationFailed'],
  [35, 'Unsupported'],
  [47, 'Fenced'],
  [53, 'AuthorizationFailed'],
  [58, 'AuthenticationFailed'],
  [88, 'UnstableOffsets'],
  [90, 'Fenced'],
])

const PASSING: readonly KafkaErrorCode[] = ['BrokerUnreachable', 'UnknownHost', 'Timeout', 'RebalanceInProgress', 'UnstableOffsets']

export const codeOf = (vendorCode: number): KafkaErrorCode => CODES.get(vendorCode) ?? 'Unexpected'

const isVendorError = (error: unknown): error is LibrdKafkaError =>
  typeof error === 'object' && error !== null && typeof (error as { code?: unknown }).code === 'number'

/** The binding's errors are not always instances of this realm's Error. */
export const textOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error)

/** Wraps what the binding threw or answered. `doing` opens the message: "commit a transaction". */
export function kafkaError(error: unknown, doing: string, options: { readonly retriable?: boolean } = {}): KafkaError {
  if (error instanceof KafkaError) return error
  const code = isVendorError(error) ? codeOf(error.code) : 'Unexpected'
  return new KafkaError(code, `could not ${doing}: ${textOf(error)}`, {
    retriable: options.retriable ?? PASSING.includes(code),
    cause: error,
  })
}

/** Runs a callback-style call of the binding; rejects with `KafkaError`. */
export function call<Answer>(doing: string, start: (done: (error: unknown, answer?: Answer) => void) => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    try {
      start((error, answer) => {
        if (error !== null && error !== undefined) reject(kafkaError(error, doing))
        else resolve(answer as Answer)
      })
    } catch (error) {
      reject(kafkaError(error, doing))
    }
  })
}
