import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { listen } from '../observability/http.ts'
import type { HttpServer } from '../observability/http.ts'
import type { Logger } from '../observability/logger.ts'
import { PAGE_HEADERS, readPages } from './pages.ts'
import type { Page } from './pages.ts'
import { Refused } from './ports.ts'
import type { Access, Caller } from './ports.ts'
import { bearerOf, refuseForeignHost, refuseStrangers } from './request.ts'
import type { Asked, Params, Route } from './route.ts'
import { LineStream } from './stream.ts'

export interface ConsoleParts {
  readonly access: Access
  readonly routes: readonly Route[]
  /** False: the resources are not known yet. */
  readonly ready: () => boolean
  readonly logger: Logger
}

/** PEM files; read again now and then, since certificates are renewed. */
export interface TlsFiles {
  readonly certificate: string
  readonly key: string
}

export interface ConsoleAddress {
  readonly host: string
  readonly port: number
  readonly tls?: TlsFiles
}

const ANSWER_WITHIN_MS = 30_000
const TELL_WITHIN_MS = 600_000
const HEADERS_WITHIN_MS = 10_000
const MOST_CONNECTIONS = 500
const RENEW_MS = 60_000

interface Matcher {
  readonly route: Route
  readonly pattern: URLPattern
}

/** Serves the pages and, below /api, the routes. Rejects when the address cannot be taken. */
export async function serveConsole(parts: ConsoleParts, { tls, ...address }: ConsoleAddress): Promise<HttpServer> {
  const pages = await readPages()
  const matchers = parts.routes.map(route => ({ route, pattern: new URLPattern({ pathname: `/api${route.path}` }) }))
  const { server, renewed } = await openServer(tls, parts.logger, (request, response) => {
    for (const [name, value] of Object.entries(PAGE_HEADERS)) response.setHeader(name, value)
    void respond(parts, pages, matchers, request, response).catch((error: unknown) => {
      fail(parts.logger, request, response, error)
    })
  })
  server.maxConnections = MOST_CONNECTIONS
  const listening = await listen(server, address)
  return {
    port: listening.port,
    close: async () => {
      clearInterval(renewed)
      await listening.close()
    },
  }
}

async function openServer(
  tls: TlsFiles | undefined,
  logger: Logger,
  listener: RequestListener,
): Promise<{ readonly server: Server; readonly renewed?: NodeJS.Timeout }> {
  const limits = { headersTimeout: HEADERS_WITHIN_MS, requestTimeout: ANSWER_WITHIN_MS }
  if (tls === undefined) return { server: createServer(limits, listener) }
  const read = async () => ({ cert: await readFile(tls.certificate), key: await readFile(tls.key) })
  const server = createTlsServer({ ...limits, ...(await read()) }, listener)
  const renew = async (): Promise<void> => {
    try {
      server.setSecureContext(await read())
    } catch (error) {
      // Half of a pair may be new already: the one before stays until both fit.
      logger.warn({ err: error }, 'The certificate of the console cannot be used: the one before stays')
    }
  }
  return { server, renewed: setInterval(() => void renew(), RENEW_MS).unref() }
}

async function respond(
  parts: ConsoleParts,
  pages: ReadonlyMap<string, Page>,
  matchers: readonly Matcher[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (parts.access.mode === 'None') refuseForeignHost(request)
  const url = URL.parse(request.url ?? '/', 'http://localhost')
  if (url === null) throw new Refused(400, 'the path cannot be read')
  if (url.pathname.startsWith('/api/')) {
    await respondToApi(parts, matchers, url, request, response)
    return
  }
  const page = pages.get(url.pathname)
  if (page === undefined) throw new Refused(404, `nothing at ${url.pathname.slice(0, 100)}`)
  if (request.method !== 'GET' && request.method !== 'HEAD') throw new Refused(405, 'pages can only be read')
  response.writeHead(200, { 'content-type': page.type, 'content-length': page.body.length })
  response.end(request.method === 'HEAD' ? undefined : page.body)
}

async function respondToApi(
  { access, ready }: ConsoleParts,
  matchers: readonly Matcher[],
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  refuseStrangers(request)
  const caller = await access.authenticate(bearerOf(request))
  if (caller === undefined) throw new Refused(401, 'a bearer token of the cluster is needed: kubectl create token SERVICEACCOUNT makes one')
  if (!ready()) throw new Refused(503, 'the resources have not been read yet: try again in a moment')
  const { route, params } = find(matchers, url.pathname, request.method)
  await authorize(access, caller, route, params)
  const gone = new AbortController()
  response.once('close', () => {
    gone.abort(new Refused(503, 'the browser has gone'))
  })
  const asked = (withinMs: number): Asked => ({
    caller,
    params,
    query: url.searchParams,
    request,
    signal: AbortSignal.any([gone.signal, AbortSignal.timeout(withinMs)]),
  })
  if ('answer' in route) {
    json(response, 200, await route.answer(asked(ANSWER_WITHIN_MS)))
    return
  }
  const lines = new LineStream(response)
  await route.tell(asked(TELL_WITHIN_MS), lines)
  lines.end()
}

function find(matchers: readonly Matcher[], path: string, method = ''): { readonly route: Route; readonly params: Params } {
  const found = matchers.flatMap(({ route, pattern }) => {
    const groups = pattern.exec({ pathname: path })?.pathname.groups
    return groups === undefined ? [] : [{ route, groups }]
  })
  if (found.length === 0) throw new Refused(404, `nothing at ${path.slice(0, 100)}`)
  const match = found.find(({ route }) => route.method === method)
  if (match === undefined) throw new Refused(405, `${method.slice(0, 10)} is not possible here`)
  return { route: match.route, params: decoded(match.groups) }
}

function decoded(groups: Readonly<Record<string, string | undefined>>): Params {
  try {
    return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value ?? '')]))
  } catch {
    throw new Refused(400, 'the path cannot be read')
  }
}

async function authorize(access: Access, caller: Caller, route: Route, params: Params): Promise<void> {
  const right = route.right?.(params)
  if (right === undefined || (await access.allows(caller, right))) return
  const what = `${right.resource}${right.subresource === undefined ? '' : `/${right.subresource}`}.sluice.dev`
  const where = right.namespace === undefined ? '' : ` in namespace ${right.namespace}`
  throw new Refused(403, `${caller.name} may not ${right.verb} ${what}${where}: ask who manages the roles of the cluster`)
}

function json(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

/** A refusal or a failure of the brokers is for the user; a mistake of ours is for the log. */
function fail(logger: Logger, request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.destroyed) return
  const { status, message } = shownError(error)
  if (status === 500) logger.error({ err: error, method: request.method, path: request.url?.split('?')[0] }, 'The console failed')
  if (response.headersSent) {
    response.end(`${JSON.stringify({ type: 'error', message })}\n`)
    return
  }
  json(response, status, { message })
}

function shownError(error: unknown): { readonly status: number; readonly message: string } {
  if (error instanceof Refused) return error
  if (error instanceof Error && error.name === 'TimeoutError')
    return { status: 503, message: 'it took too long and was stopped: narrow the search by time, or by partition' }
  const ours = error instanceof TypeError || error instanceof ReferenceError || !(error instanceof Error)
  return ours ? { status: 500, message: 'the console failed: see the log of the operator' } : { status: 503, message: error.message }
}
