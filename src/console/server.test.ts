import { request } from 'node:http'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { HttpServer } from '../observability/http.ts'
import { createLogger } from '../observability/logger.ts'
import { NO_ACCESS_CONTROL, Refused } from './ports.ts'
import type { Access, Right } from './ports.ts'
import { jsonBody } from './request.ts'
import type { Route } from './route.ts'
import { serveConsole } from './server.ts'

const TOKENS: Access = {
  mode: 'Token',
  authenticate: token => Promise.resolve(token === 'good' ? { name: 'ann', token } : undefined),
  allows: (_, { name }) => Promise.resolve(name === 'hers'),
}
const right = (params: Readonly<Record<string, string>>): Right => ({
  verb: 'get',
  resource: 'things',
  namespace: 'shop',
  name: params.name ?? '',
})
const ROUTES: readonly Route[] = [
  { method: 'GET', path: '/things/:name', right, answer: ({ params, caller }) => ({ thing: params.name, by: caller.name }) },
  { method: 'POST', path: '/things', answer: async ({ request: asked }) => jsonBody(asked) },
  {
    method: 'GET',
    path: '/broken',
    answer: () => {
      throw new TypeError('the secret of the house')
    },
  },
  {
    method: 'GET',
    path: '/told',
    tell: async (_, lines) => {
      lines.write({ type: 'progress', passed: 1 })
      await Promise.resolve()
      throw new Refused(503, 'the brokers went away')
    },
  },
]

interface Sent {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}
let console: HttpServer | undefined
const logged: string[] = []
afterEach(async () => {
  await console?.close()
  logged.length = 0
})

async function ask(access: Access, { method = 'GET', path = '/', headers = {}, body }: Sent) {
  const logger = createLogger({}, { write: line => void logged.push(line) })
  console = await serveConsole({ access, routes: ROUTES, ready: () => true, logger }, { host: '127.0.0.1', port: 0 })
  const port = console.port
  return await new Promise<{ status: number | undefined; headers: Readonly<Record<string, unknown>>; text: string }>((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers: { host: `localhost:${port}`, ...headers } }, response => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => {
        resolve({ status: response.statusCode, headers: response.headers, text })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const OURS = { 'x-sluice-console': '1' }
const ANN = { ...OURS, authorization: 'Bearer good' }

describe('the console over HTTP', () => {
  test('should serve its pages to whoever comes, with a policy that lets nothing foreign run', async () => {
    const page = await ask(TOKENS, {})
    expect(page.status).toBe(200)
    expect(page.text).toContain('<script type="module" src="/console.js">')
    expect(page.headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'")
    expect(page.headers['content-security-policy']).toContain("require-trusted-types-for 'script'")
    expect(page.headers['x-frame-options']).toBe('DENY')
  })

  test.each([
    { path: '/../package.json', status: 404 },
    { path: '/%2e%2e/%2e%2e/package.json', status: 404 },
    { path: '/server.ts', status: 404 },
    { path: '/console.js', method: 'POST', status: 405 },
    { path: '/api/absent', headers: OURS, status: 404 },
    { path: '/api/things/%ff', headers: OURS, status: 400 },
    { path: '/api/things/hers', method: 'DELETE', headers: OURS, status: 405 },
  ])('should answer $status to $method $path', async ({ status, ...sent }) => {
    expect((await ask(NO_ACCESS_CONTROL, sent)).status).toBe(status)
  })

  test.each([
    { why: 'no token', headers: OURS, status: 401 },
    { why: 'a wrong token', headers: { ...OURS, authorization: 'Bearer bad' }, status: 401 },
    { why: 'another scheme', headers: { ...OURS, authorization: 'Basic good' }, status: 401 },
    { why: 'a cookie instead', headers: { ...OURS, cookie: 'token=good' }, status: 401 },
    { why: 'a token and no right', headers: ANN, path: '/api/things/his', status: 403 },
    { why: 'a token and the right', headers: ANN, status: 200 },
  ])('should answer $status to $why', async ({ headers, path = '/api/things/hers', status }) => {
    const answer = await ask(TOKENS, { path, headers })
    expect(answer.status).toBe(status)
    if (status === 403) expect(answer.text).toContain('ann may not get things.sluice.dev in namespace shop')
    if (status === 200) expect(JSON.parse(answer.text)).toEqual({ thing: 'hers', by: 'ann' })
  })

  test.each([
    { why: 'a name that somebody else may own', headers: { ...OURS, host: 'evil.example:8081' }, status: 421 },
    { why: 'a name that only begins like ours', headers: { ...OURS, host: 'localhost.evil.example' }, status: 421 },
    { why: 'a request of a page elsewhere', headers: { ...OURS, origin: 'https://evil.example' }, status: 403 },
    { why: 'a page that was opened from a file', headers: { ...OURS, origin: 'null' }, status: 403 },
    { why: 'an image or a form elsewhere, which cannot send our header', headers: {}, status: 403 },
    { why: '127.0.0.1', headers: { ...OURS, host: '127.0.0.1:9' }, status: 200 },
    { why: '::1', headers: { ...OURS, host: '[::1]:9' }, status: 200 },
  ])('should answer $status without access control to $why', async ({ headers, status }) => {
    expect((await ask(NO_ACCESS_CONTROL, { path: '/api/things/hers', headers })).status).toBe(status)
  })

  test.each([
    { why: 'no JSON', type: 'text/plain', body: '{}', status: 415 },
    { why: 'half of a JSON', type: 'application/json', body: '{', status: 400 },
    { why: 'a list', type: 'application/json', body: '[]', status: 400 },
    { why: 'too much', type: 'application/json', body: JSON.stringify({ a: 'x'.repeat(70_000) }), status: 413 },
    { why: 'an object', type: 'application/json', body: '{"a":1}', status: 200 },
  ])('should answer $status to a body that is $why', async ({ type, body, status }) => {
    const headers = { ...OURS, 'content-type': type }
    expect((await ask(NO_ACCESS_CONTROL, { method: 'POST', path: '/api/things', headers, body })).status).toBe(status)
  })

  test('should tell a mistake of its own to the log and not to the browser', async () => {
    const answer = await ask(NO_ACCESS_CONTROL, { path: '/api/broken', headers: OURS })
    expect(answer.status).toBe(500)
    expect(answer.text).not.toContain('secret of the house')
    expect(logged.join()).toContain('secret of the house')
  })

  test('should end a stream that failed with a line that says why', async () => {
    const { text } = await ask(NO_ACCESS_CONTROL, { path: '/api/told', headers: OURS })
    expect(
      text
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as unknown),
    ).toEqual([
      { type: 'progress', passed: 1 },
      { type: 'error', message: 'the brokers went away' },
    ])
  })
})
