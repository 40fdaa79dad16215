import { protocolErrorsCodesById } from '@platformatic/kafka'
import { KafkaError } from '../errors.ts'
import type { KafkaErrorCode } from '../errors.ts'

interface Meaning {
  readonly code: KafkaErrorCode
  readonly retriable: boolean
}
const lasting = (code: KafkaErrorCode): Meaning => ({ code, retriable: false })
const passing = (code: KafkaErrorCode): Meaning => ({ code, retriable: true })

/** Error codes of the Kafka protocol that mean something to us; any other is `Unexpected`. */
const MEANINGS: ReadonlyMap<number, Meaning> = new Map([
  [1, lasting('OffsetOutOfRange')],
  [3, passing('UnknownTopic')],
  [5, passing('BrokerUnreachable')], // leader not available
  [6, passing('BrokerUnreachable')], // not leader or follower
  [7, passing('Timeout')],
  [10, lasting('MessageTooLarge')],
  [14, passing('BrokerUnreachable')], // coordinator loading
  [15, passing('BrokerUnreachable')], // coordinator not available
  [16, passing('BrokerUnreachable')], // not coordinator
  [17, lasting('InvalidTopic')],
  [22, passing('RebalanceInProgress')],
  [25, passing('GroupActive')], // an unknown member: the group has members and we are none of them
  [27, passing('RebalanceInProgress')],
  [29, lasting('AuthorizationFailed')],
  [30, lasting('AuthorizationFailed')],
  [31, lasting('AuthorizationFailed')],
  [33, lasting('AuthenticationFailed')],
  [34, lasting('AuthenticationFailed')],
  [35, lasting('Unsupported')],
  [36, lasting('TopicExists')],
  [37, lasting('InvalidPartitions')],
  [38, passing('InvalidReplicationFactor')], // brokers may be missing for a while
  [40, lasting('InvalidConfig')],
  [41, passing('BrokerUnreachable')], // not controller
  [44, lasting('PolicyViolation')],
  [53, lasting('AuthorizationFailed')],
  [58, lasting('AuthenticationFailed')],
  [60, passing('Unexpected')], // reassignment in progress
  [68, passing('GroupActive')],
  [69, lasting('UnknownGroup')],
  [72, passing('BrokerUnreachable')], // listener not found
  [78, passing('BrokerUnreachable')], // offset not available
  [88, passing('UnstableOffsets')],
  [89, passing('Timeout')], // throttled by quota
])

/** The error of one item of a response; `undefined` for code 0. `about` names the item: `topic "orders"`. */
export function itemError(about: string, errorCode: number, serverMessage?: string | null): KafkaError | undefined {
  if (errorCode === 0) return undefined
  const { code, retriable } = MEANINGS.get(errorCode) ?? lasting('Unexpected')
  const name = protocolErrorsCodesById[errorCode] ?? `error ${errorCode}`
  return new KafkaError(
    code,
    `${about}: ${serverMessage === null || serverMessage === undefined || serverMessage === '' ? name : `${serverMessage} (${name})`}`,
    {
      retriable,
    },
  )
}

/** Not `instanceof`: errors of Node's own modules belong to another realm under a test runner. */
const isError = (value: unknown): value is Error => Object.prototype.toString.call(value) === '[object Error]'

/** Every error below `error`: the library nests them in `errors` and in `cause`, and its own search forgets the latter. */
function* causes(error: unknown): Generator<Error> {
  if (!isError(error)) return
  yield error
  const errors: unknown = Reflect.get(error, 'errors')
  if (Array.isArray(errors)) for (const inner of errors) yield* causes(inner)
  yield* causes(error.cause)
}

const text = (error: Error, property: string): string => {
  const value: unknown = Reflect.get(error, property)
  return typeof value === 'string' ? value : ''
}

const TLS_CODE = /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|EPROTO$)/

function meaningOf(error: Error): Meaning | undefined {
  const code = text(error, 'code')
  const apiCode: unknown = Reflect.get(error, 'apiCode')
  if (typeof apiCode === 'number') return MEANINGS.get(apiCode)
  if (TLS_CODE.test(code) || /^(TLS handshake failed|Broker requires TLS)/.test(error.message)) return lasting('TlsFailed')
  if (code === 'PLT_KFK_AUTHENTICATION') return lasting('AuthenticationFailed')
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return passing('UnknownHost')
  if (code === 'PLT_KFK_UNSUPPORTED_API') return lasting('Unsupported')
  if (error.message.startsWith('Request timed out')) return passing('Timeout')
  if (code === 'PLT_KFK_NETWORK' || /^E[A-Z]+$/.test(code)) return passing('BrokerUnreachable')
  return undefined
}

/** What says most comes first: a refused password explains a closed connection, not the other way round. */
const TELLING: readonly KafkaErrorCode[] = [
  'AuthenticationFailed',
  'TlsFailed',
  'AuthorizationFailed',
  'Unsupported',
  'UnknownHost',
  'Timeout',
  'BrokerUnreachable',
]
const rank = (code: KafkaErrorCode): number => (TELLING.includes(code) ? TELLING.indexOf(code) : TELLING.length)

const HINTS: Partial<Record<KafkaErrorCode, string>> = {
  AuthenticationFailed: 'the broker refused the credentials or the SASL mechanism; check the user, the password and the listener',
  TlsFailed: 'the TLS handshake failed; check the CA, the host name in the certificate, and that the listener speaks TLS',
  UnknownHost: 'the host name does not resolve',
  BrokerUnreachable: 'the broker does not answer, or the listener wants TLS or SASL',
  Timeout: 'the broker did not answer in time',
}

/** Wraps whatever the library threw; `about` says what was tried: `kafka:9092`, `createTopics`. */
export function toKafkaError(about: string, error: unknown): KafkaError {
  if (error instanceof KafkaError) return error
  const chain = [...causes(error)]
  const judged = chain.flatMap(one => {
    const meaning = meaningOf(one)
    return meaning === undefined ? [] : [{ one, ...meaning }]
  })
  const best = judged.sort((a, b) => rank(a.code) - rank(b.code))[0]
  // The innermost message is the one that the operating system, OpenSSL or the broker gave.
  const detail = chain.at(-1)?.message ?? String(error)
  if (best === undefined) return new KafkaError('Unexpected', `${about}: ${detail}`, { retriable: false, cause: error })
  const hint = HINTS[best.code]
  return new KafkaError(best.code, `${about}: ${hint === undefined ? detail : `${hint} (${detail})`}`, {
    retriable: best.retriable,
    cause: error,
  })
}

/** One error for a whole list of servers of which none could be used. */
export function noneUsable(errors: readonly KafkaError[]): KafkaError {
  // A name that does not resolve is the reason only when it is so for all of them.
  const resolved = errors.filter(error => error.code !== 'UnknownHost')
  const [telling] = (resolved.length > 0 ? resolved : errors).toSorted((a, b) => rank(a.code) - rank(b.code))
  const code = telling?.code ?? 'BrokerUnreachable'
  // A broker may be met twice: as a bootstrap server and as a member of the cluster.
  const messages = new Set(errors.map(error => error.message))
  return new KafkaError(code, [...messages].join('; '), { retriable: telling?.retriable ?? true, cause: telling })
}
