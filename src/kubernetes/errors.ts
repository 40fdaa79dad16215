/** Why a call to the API server failed, in our words. */
export type KubernetesErrorCode =
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict' // the object changed since it was read, or another field manager owns a field
  | 'Gone' // the resource version is too old: list again
  | 'Forbidden' // RBAC
  | 'Unauthorized'
  | 'Invalid' // the API server refused the object
  | 'TooManyRequests'
  | 'Unavailable' // refused, reset, 5xx
  | 'Timeout'
  | 'NotOurs' // an object of that name exists and belongs to somebody else
  | 'Unexpected'

/** The one error type that leaves this room. `retriable` says whether the same call may succeed later without a change by a human. */
export class KubernetesError extends Error {
  override readonly name = 'KubernetesError'
  readonly code: KubernetesErrorCode
  readonly retriable: boolean

  constructor(code: KubernetesErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.retriable = RETRIABLE.has(code)
  }
}

const RETRIABLE: ReadonlySet<KubernetesErrorCode> = new Set(['Conflict', 'Gone', 'TooManyRequests', 'Unavailable', 'Timeout'])

/** What the API server answers instead of an object when a call fails. */
interface Status {
  readonly message?: string
  readonly reason?: string
}

const BY_STATUS: Readonly<Record<number, KubernetesErrorCode>> = {
  400: 'Invalid',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Gone',
  422: 'Invalid',
  429: 'TooManyRequests',
  504: 'Timeout',
}

/** @param call what was asked, for the message: `GET /api/v1/...`; never a body. */
export function errorOfStatus(call: string, status: number, body: string): KubernetesError {
  const answer = readStatus(body)
  const code = answer.reason === 'AlreadyExists' ? 'AlreadyExists' : (BY_STATUS[status] ?? (status >= 500 ? 'Unavailable' : 'Unexpected'))
  return new KubernetesError(code, `${call}: ${answer.message ?? `HTTP ${status}`}${nextStep(code)}`)
}

/** Errors of the socket, of TLS and of the abort signal. */
export function errorOfTransport(call: string, cause: unknown): KubernetesError {
  const error = cause instanceof Error ? cause : new Error(String(cause))
  const code = error.name === 'TimeoutError' ? 'Timeout' : 'Unavailable'
  return new KubernetesError(code, `${call}: ${error.message === '' ? error.name : error.message}`, { cause })
}

export const hasCode = (error: unknown, ...codes: readonly KubernetesErrorCode[]): boolean =>
  error instanceof KubernetesError && codes.includes(error.code)

function readStatus(body: string): Status {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    // A proxy in between answers with text: the status code has to do.
    return {}
  }
}

function nextStep(code: KubernetesErrorCode): string {
  if (code === 'Forbidden') return '; grant the permission to the service account of the operator (the chart does) or narrow --namespaces'
  if (code === 'Unauthorized') return '; the token or client certificate is not accepted: check the kubeconfig or the service account'
  return ''
}
