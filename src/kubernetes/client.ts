import http from 'node:http'
import https from 'node:https'
import type { ApiServer } from './api-server.ts'
import { errorOfStatus, errorOfTransport, KubernetesError } from './errors.ts'
import { podAccount } from './pod-account.ts'

/**
 * HTTP to the API server. What a kubeconfig may hold is client-node's; the transport is ours, because its `Watch` drops events that do not
 * parse and its agents open a connection for each request. In a pod client-node is not even loaded: its generated models cost 36 MiB.
 */
export interface KubernetesClient {
  /** Answers the parsed body. @throws KubernetesError */
  send(request: ApiRequest): Promise<unknown>
  /** Lines of a streamed answer until the server ends it. @throws KubernetesError */
  lines(path: string, query: Query, signal: AbortSignal): AsyncGenerator<string, void>
  /** Namespace of the current context, or of the pod. */
  readonly namespace: string
  /** Closes idle connections. */
  close(): void
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Query
  readonly body?: unknown
  /** Of the body; JSON unless said otherwise. */
  readonly contentType?: 'application/json' | 'application/merge-patch+json' | 'application/apply-patch+yaml'
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
  /** Asked in the name of whoever this token belongs to, and with nothing of our own. */
  readonly token?: string
}

const REQUEST_TIMEOUT_MS = 30_000
/** Below the 90 s after which the API server drops an idle connection: a request must not race with that. */
const IDLE_TIMEOUT_MS = 60_000
/** A dead peer is noticed about 10 s after this much silence (libuv probes each second, ten times). */
const TCP_KEEP_ALIVE_MS = 30_000

/**
 * @param kubeconfig file to read; otherwise the service account of the pod, KUBECONFIG, `~/.kube/config`, in this order.
 * Rejects with KubernetesError when no cluster is configured.
 */
export async function openClient(options: { readonly kubeconfig?: string; readonly userAgent: string }): Promise<KubernetesClient> {
  const server = await findApiServer(options.kubeconfig)
  const agent = new https.Agent({ keepAlive: true, keepAliveMsecs: TCP_KEEP_ALIVE_MS, timeout: IDLE_TIMEOUT_MS })

  async function open(request: ApiRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    const own = await server.credentials()
    const settings = request.token === undefined ? own : inTheNameOf(request.token, own)
    const body = request.body === undefined ? undefined : JSON.stringify(request.body)
    return exchange(urlOf(server.url, request), body, {
      ...settings,
      // A proxy needs client-node's agent; everything else shares connections.
      ...(!server.proxied && { agent }),
      method: request.method,
      signal,
      headers: {
        ...(settings.headers as http.OutgoingHttpHeaders),
        accept: 'application/json',
        'user-agent': options.userAgent,
        ...(body !== undefined && { 'content-type': request.contentType ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
    })
  }

  return {
    namespace: server.namespace ?? 'default',
    async send(request) {
      const call = `${request.method} ${request.path}`
      const timeout = AbortSignal.timeout(request.timeoutMs ?? REQUEST_TIMEOUT_MS)
      const signal = request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout])
      try {
        const response = await open(request, signal)
        const text = await textOf(response)
        const status = response.statusCode ?? 0
        if (status >= 400) throw errorOfStatus(call, status, text)
        return JSON.parse(text) as unknown
      } catch (error) {
        if (error instanceof KubernetesError) throw error
        throw errorOfTransport(call, timeout.aborted ? timeout.reason : error)
      }
    },
    async *lines(path, query, signal) {
      const call = `GET ${path}`
      try {
        const response = await open({ method: 'GET', path, query }, signal)
        if ((response.statusCode ?? 0) >= 400) throw errorOfStatus(call, response.statusCode ?? 0, await textOf(response))
        response.socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS)
        yield* splitLines(response)
      } catch (error) {
        throw error instanceof KubernetesError ? error : errorOfTransport(call, error)
      }
    },
    close: () => {
      agent.destroy()
    },
  }
}

/** Of our own settings only what leads to the server and proves that it is the right one. */
const inTheNameOf = (token: string, { ca, agent, rejectUnauthorized, servername }: https.RequestOptions): https.RequestOptions => ({
  ...(ca !== undefined && { ca }),
  ...(agent !== undefined && { agent }),
  ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
  ...(servername !== undefined && { servername }),
  headers: { Authorization: `Bearer ${token}` },
})

async function findApiServer(kubeconfig: string | undefined): Promise<ApiServer> {
  const account = kubeconfig === undefined && process.env.KUBECONFIG === undefined ? podAccount(process.env) : undefined
  const server = account ?? (await import('./kubeconfig.ts')).fromKubeconfig(kubeconfig)
  if (server !== undefined) return server
  throw new KubernetesError(
    'Unexpected',
    'no cluster is configured: set --kubeconfig or KUBECONFIG, or run in a pod with a service account',
  )
}

function urlOf(server: string, request: ApiRequest): URL {
  const url = new URL(server.replace(/\/$/, '') + request.path)
  for (const [name, value] of Object.entries(request.query ?? {})) if (value !== undefined) url.searchParams.set(name, String(value))
  return url
}

/** A kept connection may have been closed by the server just as it was picked: then, and only then, the request is sent a second time. */
async function exchange(url: URL, body: string | undefined, options: https.RequestOptions): Promise<http.IncomingMessage> {
  for (let attempt = 1; ; attempt++) {
    const request = (url.protocol === 'http:' ? http : https).request(url, options)
    try {
      return await new Promise<http.IncomingMessage>((resolve, reject) => {
        request.once('response', resolve)
        request.once('error', reject)
        request.end(body)
      })
    } catch (error) {
      const reset = error instanceof Error && 'code' in error && error.code === 'ECONNRESET'
      if (!(request.reusedSocket && reset && attempt < 3)) throw error
    }
  }
}

async function textOf(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

async function* splitLines(response: http.IncomingMessage): AsyncGenerator<string, void> {
  response.setEncoding('utf8')
  let rest = ''
  for await (const chunk of response) {
    const lines = (rest + (chunk as string)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') yield line
  }
  if (rest !== '') yield rest
}
