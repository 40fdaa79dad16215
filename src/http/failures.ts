import type { CallFailureReason } from '../worker/caller.ts'

/** No address that the name resolves to may be called. */
export class ForbiddenAddress extends Error {
  readonly code = 'SLUICE_FORBIDDEN_ADDRESS'
}

const REASONS: Readonly<Record<string, CallFailureReason>> = {
  SLUICE_FORBIDDEN_ADDRESS: 'address-forbidden',
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ECONNABORTED: 'reset',
  ETIMEDOUT: 'timeout',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  ENETDOWN: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  EMFILE: 'unreachable',
  EPROTO: 'tls',
}
const TLS_CODE = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA|CRL_|ERROR_IN_)/

/** What kind of failure it is, and how to tell people. `where`: host and port. */
export function failureOf(error: Error, where: string): { readonly reason: CallFailureReason; readonly message: string } {
  // Several addresses were tried: all failed, most often in the same way.
  const cause = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error
  const code = (cause as { readonly code?: unknown }).code
  const text = typeof code === 'string' ? code : ''
  const reason = REASONS[text] ?? (TLS_CODE.test(text) ? 'tls' : text.startsWith('HPE_') ? 'protocol' : 'reset')
  return {
    reason,
    message: `${where}: ${SAID[reason]}${text === '' || text.startsWith('SLUICE_') ? '' : ` (${text})`}${detailOf(reason, cause)}`,
  }
}

const SAID: Readonly<Record<CallFailureReason, string>> = {
  timeout: 'no answer in time',
  refused: 'the connection was refused',
  reset: 'the connection was closed before the answer',
  unreachable: 'no way to this address',
  dns: 'the name does not resolve',
  tls: 'the TLS handshake failed',
  protocol: 'the answer is not HTTP',
  incomplete: 'the answer broke off',
  'address-forbidden': 'workers must not call this address',
}

/** The words of the library where they tell more, and hold nothing of ours. */
const detailOf = (reason: CallFailureReason, { message }: Error): string =>
  reason === 'tls' || reason === 'address-forbidden' ? `: ${message.replaceAll(/\s+/g, ' ').slice(0, 200)}` : ''
