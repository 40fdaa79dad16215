import { lookup } from 'node:dns'
import type { LookupAddress } from 'node:dns'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import type { LookupFunction } from 'node:net'
import type { CallFailureReason, CallLine, CallOutcome, CallRequest, CallTarget, Caller } from '../worker/caller.ts'
import { AddressPolicy } from './addresses.ts'
import { ForbiddenAddress, failureOf } from './failures.ts'
import { readSecretFile, readSecretHeaders } from './secret-files.ts'

/** Of an answer; what is longer counts by its status, and costs its connection. */
const MOST_ANSWER_BYTES = 65_536
/** A connection is not used for longer: pods that came later get their share of the calls. */
const LONGEST_CONNECTION_MS = 60_000

export interface HttpCallerOptions {
  readonly secretsRoot: string
  /** Addresses and ranges that may be called although they would be refused. */
  readonly allowed: readonly string[]
}

/** Calls over HTTP/1.1 with connections that are kept. @throws Error naming an allowed address that is none. */
export function httpCaller({ secretsRoot, allowed }: HttpCallerOptions): Caller {
  const policy = new AddressPolicy(allowed)
  return { open: target => new HttpLine(target, secretsRoot, policy) }
}

type Send = (options: RequestOptions) => ClientRequest

class HttpLine implements CallLine {
  readonly #where: string
  readonly #timeoutMs: number
  readonly #agent: HttpAgent
  readonly #send: Send
  readonly #options: RequestOptions
  readonly #headers: readonly (readonly [string, string])[]
  /** The URL names an address that must not be called: no lookup would ever tell. */
  readonly #forbidden: ForbiddenAddress | undefined

  constructor(target: CallTarget, secretsRoot: string, policy: AddressPolicy) {
    const url = new URL(target.url)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const tls = url.protocol === 'https:'
    this.#where = url.host
    this.#timeoutMs = target.timeoutMs
    this.#forbidden = isIP(host) !== 0 && !policy.allows(host) ? forbidden(host, [host]) : undefined
    const kept = { keepAlive: true, maxSockets: target.maxInFlight, maxFreeSockets: target.maxInFlight, scheduling: 'lifo' as const }
    const found = { ...kept, lookup: guardedLookup(policy) }
    this.#agent = renewing(tls ? new HttpsAgent({ ...found, ...tlsOptions(target.tls, secretsRoot) }) : new HttpAgent(found))
    this.#send = tls ? httpsRequest : httpRequest
    this.#headers = target.headersFolder === undefined ? [] : readSecretHeaders(secretsRoot, target.headersFolder)
    const path = `${url.pathname}${url.search}`
    this.#options = { method: 'POST', hostname: host, ...(url.port !== '' && { port: url.port }), path, agent: this.#agent }
  }

  call(request: CallRequest, ended: (outcome: CallOutcome) => void): () => void {
    return new HttpCall(this.#where, this.#timeoutMs, ended).begin(this.#forbidden, () => this.#post(request))
  }

  close(): void {
    this.#agent.destroy()
  }

  #post({ headers, body }: CallRequest): ClientRequest {
    const all: Record<string, string> = {}
    for (const [name, value] of headers) all[name] = value
    for (const [name, value] of this.#headers) all[name] = value
    all['content-length'] = String(body?.length ?? 0)
    const sent = this.#send({ ...this.#options, headers: all })
    sent.end(body ?? undefined)
    return sent
  }
}

/** One call, which may take a second connection when the first one turns out to have been closed while it was idle. */
class HttpCall {
  readonly #where: string
  readonly #timeoutMs: number
  readonly #ended: (outcome: CallOutcome) => void
  readonly #beganMs = performance.now()
  #timer: NodeJS.Timeout | undefined
  #sent: ClientRequest | undefined
  #over = false

  constructor(where: string, timeoutMs: number, ended: (outcome: CallOutcome) => void) {
    this.#where = where
    this.#timeoutMs = timeoutMs
    this.#ended = ended
  }

  begin(refusal: ForbiddenAddress | undefined, post: () => ClientRequest): () => void {
    if (refusal !== undefined)
      setImmediate(() => { this.#fail(refusal) }) // prettier-ignore
    else {
      this.#timer = setTimeout(() => { this.#endWith('timeout', `${this.#where}: no whole answer within ${this.#timeoutMs} ms`) }, this.#timeoutMs) // prettier-ignore
      this.#try(post, true)
    }
    return () => {
      this.#settle(undefined)
    }
  }

  #try(post: () => ClientRequest, again: boolean): void {
    const sent = post()
    this.#sent = sent
    let answered = false
    sent.on('error', error => {
      if (this.#over || this.#sent !== sent) return
      // Closed by the other side while it lay idle: the request cannot have been read to its end.
      if (again && sent.reusedSocket && !answered && isReset(error)) this.#try(post, false)
      else if (answered) this.#endWith('incomplete', `${this.#where}: the answer broke off`)
      else this.#fail(error)
    })
    sent.on('response', response => {
      answered = true
      this.#read(response)
    })
  }

  #read(response: IncomingMessage): void {
    let bytes = 0
    const done = (whole: boolean): void => {
      const { statusCode = 0, headers } = response
      const { 'retry-after': retryAfter, location } = headers
      const told = { ...(retryAfter !== undefined && { retryAfter }), ...(location !== undefined && { location }) }
      this.#settle({ type: 'answered', status: statusCode, ...told, tookMs: this.#tookMs() }, whole)
    }
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MOST_ANSWER_BYTES) done(false)
    })
    response.on('end', () => {
      if (response.complete) done(true)
    })
    response.on('error', () => undefined)
    response.on('close', () => {
      this.#endWith('incomplete', `${this.#where}: the answer broke off`)
    })
  }

  #fail(error: Error): void {
    const { reason, message } = failureOf(error, this.#where)
    this.#endWith(reason, message)
  }

  #endWith(reason: CallFailureReason, message: string): void {
    this.#settle({ type: 'failed', reason, message, tookMs: this.#tookMs() })
  }

  /** Only the first word counts. Unless the answer was read to its end, the connection goes. */
  #settle(outcome: CallOutcome | undefined, whole = false): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    if (!whole) this.#sent?.destroy()
    if (outcome !== undefined) this.#ended(outcome)
  }

  #tookMs(): number {
    return performance.now() - this.#beganMs
  }
}

const isReset = (error: Error): boolean => ['ECONNRESET', 'EPIPE'].includes(String((error as { readonly code?: unknown }).code))

function tlsOptions(tls: CallTarget['tls'], root: string): object {
  const { caFile, certificateFile, keyFile, insecureSkipVerify } = tls ?? {}
  return {
    ...(caFile !== undefined && { ca: readSecretFile(root, caFile) }),
    ...(certificateFile !== undefined && { cert: readSecretFile(root, certificateFile) }),
    ...(keyFile !== undefined && { key: readSecretFile(root, keyFile) }),
    ...(insecureSkipVerify === true && { rejectUnauthorized: false }),
  }
}

/** Asked by the socket itself: the address that was judged is the one that is connected to, whatever the name resolves to a moment later. */
const guardedLookup =
  (policy: AddressPolicy): LookupFunction =>
  (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) {
        callback(error, '', 0)
        return
      }
      const usable = found.filter(({ address }) => policy.allows(address))
      const [first] = usable
      if (first === undefined)
        callback(forbidden(hostname, found.map(({ address }) => address)), '', 0) // prettier-ignore
      else if (options.all === true) (callback as unknown as (error: null, found: LookupAddress[]) => void)(null, usable)
      else callback(null, first.address, first.family)
    })
  }

const forbidden = (name: string, addresses: readonly string[]): ForbiddenAddress =>
  new ForbiddenAddress(
    `${name} leads to ${addresses.join(', ')}, which workers must not call; whoever runs Sluice can allow it (--calls-allow of the operator, calls.allow of the chart)`,
  )

/** Lets a connection go that is kept for too long. */
function renewing<A extends HttpAgent>(agent: A): A {
  const since = new WeakMap<object, number>()
  // Declared as void, documented and implemented as an answer: false closes the socket.
  const kept = agent.keepSocketAlive.bind(agent) as (socket: Parameters<A['keepSocketAlive']>[0]) => boolean
  agent.keepSocketAlive = (socket): boolean => {
    const now = performance.now()
    const sinceMs = since.get(socket) ?? now
    since.set(socket, sinceMs)
    return now - sinceMs < LONGEST_CONNECTION_MS && kept(socket)
  }
  return agent
}
