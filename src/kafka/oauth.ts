import type { SaslSettings } from './connection.ts'
import { KafkaError } from './errors.ts'

export type OAuthSettings = Extract<SaslSettings, { readonly mechanism: 'OAUTHBEARER' }>

const TOKEN_TIMEOUT_MS = 10_000

/**
 * An access token by the client credentials grant (RFC 6749, 4.4).
 * @throws KafkaError `AuthenticationFailed` naming the endpoint; never the secret or the token.
 */
export async function fetchOAuthToken(settings: OAuthSettings): Promise<string> {
  const credentials = `${encodeURIComponent(settings.clientId)}:${encodeURIComponent(settings.clientSecret)}`
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...(settings.scope === undefined ? {} : { scope: settings.scope }) })
  const failed = (detail: string, retriable: boolean, cause?: unknown): KafkaError =>
    new KafkaError('AuthenticationFailed', `token endpoint ${settings.tokenEndpoint}: ${detail}`, { retriable, cause })
  let response: Response
  try {
    response = await fetch(settings.tokenEndpoint, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}`, accept: 'application/json' },
      body,
      signal: AbortSignal.timeout(TOKEN_TIMEOUT_MS),
    })
  } catch (error) {
    throw failed('no answer', true, error)
  }
  if (!response.ok) throw failed(`HTTP ${response.status}; check the client id, the secret and the scope`, response.status >= 500)
  const answer: unknown = await response.json().catch(() => undefined)
  const token: unknown = typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'access_token') : undefined
  if (typeof token !== 'string' || token === '') throw failed('the answer has no access_token', false)
  return token
}
