import type { IncomingMessage } from 'node:http'
import { Refused } from './ports.ts'

const MOST_BODY_BYTES = 64 * 1024
/** Browsers send a header of this kind to another origin only after asking, and we never answer yes: nobody else's page can call us. */
const OWN_HEADER = 'x-sluice-console'

/** Of an exposed console: nothing that a browser adds by itself may count, so a token is only ever taken from here. */
export function bearerOf({ headers }: IncomingMessage): string | undefined {
  const [, token] = /^Bearer +([\x21-\x7e]{1,16384})$/i.exec(headers.authorization ?? '') ?? []
  return token
}

/** @throws Refused when another page may have sent the request */
export function refuseStrangers({ headers }: IncomingMessage): void {
  if (headers[OWN_HEADER] === undefined)
    throw new Refused(403, `header ${OWN_HEADER} is missing: requests to /api come from the console's own page`)
  const { origin } = headers
  if (origin !== undefined && URL.parse(origin)?.host !== headers.host) throw new Refused(403, 'the request comes from another origin')
}

const LOOPBACK = /^(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?$/i

/**
 * Of a console without access control: a name that somebody else's DNS resolves to this machine would make his page the same origin as ours.
 * @throws Refused
 */
export function refuseForeignHost({ headers }: IncomingMessage): void {
  if (!LOOPBACK.test(headers.host ?? ''))
    throw new Refused(421, 'without access control the console answers only to localhost: open it as http://localhost:PORT')
}

/** @throws Refused when it is no JSON object, or too large */
export async function jsonBody(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) throw new Refused(415, 'content-type must be application/json')
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MOST_BODY_BYTES) throw new Refused(413, `the body is larger than ${MOST_BODY_BYTES} bytes`)
    chunks.push(chunk)
  }
  return jsonObject('the body', Buffer.concat(chunks).toString())
}

/** @throws Refused naming what it was meant to be */
export function jsonObject(what: string, text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>
  } catch {
    // told below
  }
  throw new Refused(400, `${what} is not a JSON object`)
}
