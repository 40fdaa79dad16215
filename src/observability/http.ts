import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Metrics } from './metrics.ts'

/** What a process tells over HTTP; read only. */
export interface HttpSubject {
  readonly metrics: Pick<Metrics, 'expose'>
  /** False: restart the process (`/livez`). */
  live(): boolean
  /** Why the process is not ready (`/readyz`); empty: it is. */
  notReady(): readonly string[]
  /** What else to say of a process that is ready. */
  remarks?(): readonly string[]
  /**
   * Further paths, answered as JSON: `/contract`, `/pending`, ... Given the part of the path below the route and the query; undefined is a 404.
   */
  readonly routes?: Readonly<Record<string, (below: string, query: URLSearchParams) => unknown>>
}

export interface HttpServer {
  /** The port that was taken; of use when 0 was asked for. */
  readonly port: number
  close(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

/** Serves /metrics, /livez, /readyz and the routes; host `::` is every address of the machine. Rejects when the address cannot be taken. */
export async function serveHttp(subject: HttpSubject, address: { readonly host: string; readonly port: number }): Promise<HttpServer> {
  const server = createServer((request, response) => {
    void respond(subject, request, response)
  })
  return listen(server, address)
}

/** Rejects when the address cannot be taken; `::` is every address of the machine. To close does not wait for whoever keeps a connection. */
export async function listen(server: Server, address: { readonly host: string; readonly port: number }): Promise<HttpServer> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    // Without a host Node takes IPv4 alone where the kernel has no IPv6; asked for `::` it would fail there.
    server.listen(address.host === '::' ? { port: address.port } : address, resolve)
  })
  const taken = server.address()
  return {
    port: typeof taken === 'object' && taken !== null ? taken.port : address.port,
    close: async () => {
      const closed = new Promise(resolve => server.close(resolve))
      // A scraper or a browser keeps its connection open for minutes.
      server.closeAllConnections()
      await closed
    },
  }
}

async function respond(subject: HttpSubject, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, type, body } = await answer(subject, request).catch((error: unknown) =>
    text(500, error instanceof Error ? error.message : 'unknown error'),
  )
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(request.method === 'HEAD' ? undefined : body)
}

async function answer(subject: HttpSubject, { method, url = '/' }: IncomingMessage): Promise<Answer> {
  if (method !== 'GET' && method !== 'HEAD') return text(405, 'only GET and HEAD: nothing can be changed here')
  const { pathname, searchParams } = new URL(url, 'http://localhost')
  switch (pathname) {
    case '/metrics': {
      const { contentType, body } = await subject.metrics.expose()
      return { status: 200, type: contentType, body }
    }
    case '/livez':
      return subject.live() ? text(200, 'ok') : text(503, 'not live: a restart is needed; see the log')
    case '/readyz': {
      const reasons = subject.notReady()
      return reasons.length === 0 ? text(200, ['ok', ...(subject.remarks?.() ?? [])].join('\n')) : text(503, reasons.join('\n'))
    }
    default:
      return await routed(subject.routes ?? {}, pathname, searchParams)
  }
}

async function routed(routes: NonNullable<HttpSubject['routes']>, path: string, query: URLSearchParams): Promise<Answer> {
  for (const [route, tell] of Object.entries(routes)) {
    if (path !== route && !path.startsWith(`${route}/`)) continue
    const told = await tell(path.slice(route.length + 1), query)
    if (told !== undefined) return { status: 200, type: 'application/json', body: `${JSON.stringify(told)}\n` }
  }
  return text(404, `nothing at ${path.slice(0, 100)}`)
}

const text = (status: number, body: string): Answer => ({ status, type: 'text/plain; charset=utf-8', body: `${body}\n` })
