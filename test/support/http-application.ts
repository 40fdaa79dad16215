import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'

/** One request as the application had it. */
export interface Heard {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly atMs: number
}

/** Answers a request, or does not. */
export type Behaviour = (heard: Heard, response: ServerResponse, socket: Socket) => void

export const answer =
  (status: number, headers: Readonly<Record<string, string>> = {}, body = ''): Behaviour =>
  (_, response) => {
    response.writeHead(status, headers).end(body)
  }

/** Every way to fail that a server has; each costs a call. */
export const FAILURES: Readonly<Record<string, Behaviour>> = {
  hang: () => undefined,
  reset: (_, __, socket) => {
    socket.resetAndDestroy()
  },
  close: (_, __, socket) => {
    socket.destroy()
  },
  'no HTTP': (_, __, socket) => {
    socket.end('what?\r\n\r\n')
  },
  'slow body': (_, response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('a')
  },
  'broken body': (_, response, socket) => {
    response.writeHead(200, { 'content-length': '1000' }).write('a', () => {
      socket.destroy()
    })
  },
  'broken chunks': (_, response, socket) => {
    response.writeHead(200, { 'transfer-encoding': 'chunked' }).write('a', () => {
      socket.end('zzz\r\nnonsense')
    })
  },
  '500': answer(500, {}, 'oh no'),
  '503': answer(503),
  '429': answer(429, { 'retry-after': '1' }),
  '408': answer(408),
}

/** An application that Sluice calls. Remembers every request. */
export class HttpApplication {
  readonly heard: Heard[] = []
  readonly port: number
  behaviour: Behaviour
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server, behaviour: Behaviour) {
    this.#server = server
    this.behaviour = behaviour
    this.port = (server.address() as AddressInfo).port
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#serve(request, response)
    })
  }

  static async start(
    behaviour: Behaviour,
    more: { readonly port?: number; readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string } } = {},
  ): Promise<HttpApplication> {
    const { tls, port = 0 } = more
    const server = tls === undefined ? createServer() : createTlsServer({ ...tls, requestCert: tls.ca !== undefined })
    server.keepAliveTimeout = 60_000
    const sockets = new Set<Socket>()
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => sockets.delete(socket))
    })
    await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
    const application = new HttpApplication(server, behaviour)
    for (const socket of sockets) application.#sockets.add(socket)
    server.on('connection', (socket: Socket) => application.#sockets.add(socket))
    return application
  }

  url(scheme: 'http' | 'https' = 'http'): string {
    return `${scheme}://127.0.0.1:${this.port}/orders`
  }

  /** Connections break, new ones are refused. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    request.on('end', () => {
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
      const heard = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers,
        body: Buffer.concat(chunks).toString(),
        atMs: Date.now(),
      }
      this.heard.push(heard)
      this.behaviour(heard, response, request.socket)
    })
  }
}
