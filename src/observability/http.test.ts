import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { serveHttp, type HttpServer } from './http.ts'
import { createMetrics } from './metrics.ts'

let server: HttpServer
let live = true
let notReady: readonly string[] = []
const get = async (path: string, method = 'GET') => {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method })
  return { status: response.status, type: response.headers.get('content-type'), body: await response.text() }
}

beforeEach(async () => {
  live = true
  notReady = []
  const metrics = createMetrics()
  metrics.counter({ name: 'demo_total', help: 'Demo.', zero: [{}] })
  const routes = {
    '/contract': () => ({ generation: 3 }),
    '/sagas': (id: string) => (id === '' ? undefined : { id }),
    '/broken': () => {
      throw new Error('no luck')
    },
  }
  server = await serveHttp({ metrics, live: () => live, notReady: () => notReady, routes }, { host: '127.0.0.1', port: 0 })
})
afterEach(() => server.close())

describe('the HTTP server of a process', () => {
  test('should show metrics as Prometheus reads them', async () => {
    const { status, type, body } = await get('/metrics')
    expect([status, type]).toEqual([200, expect.stringContaining('text/plain; version=0.0.4')])
    expect(body).toContain('demo_total 0')
  })

  test('should say whether the process lives and is ready, and why not', async () => {
    expect([(await get('/livez')).status, (await get('/readyz')).status]).toEqual([200, 200])
    live = false
    notReady = ['restoring 3 tasks', 'not in the group']
    expect((await get('/livez')).status).toBe(503)
    expect(await get('/readyz')).toMatchObject({ status: 503, body: 'restoring 3 tasks\nnot in the group\n' })
  })

  test.each([
    { path: '/contract', want: { status: 200, body: '{"generation":3}\n', type: 'application/json' } },
    { path: '/sagas/o-17?x=1', want: { status: 200, body: '{"id":"o-17"}\n' } },
    { path: '/sagas', want: { status: 404 } },
    { path: '/contracts', want: { status: 404 } },
    { path: '/broken', want: { status: 500, body: 'no luck\n' } },
  ])('should answer $path', async ({ path, want }) => {
    expect(await get(path)).toMatchObject(want)
  })

  test('should let nothing be changed', async () => {
    expect((await get('/contract', 'POST')).status).toBe(405)
  })

  test('should reject an address that is taken', async () => {
    const metrics = createMetrics()
    const second = serveHttp({ metrics, live: () => true, notReady: () => [] }, { host: '127.0.0.1', port: server.port })
    await expect(second).rejects.toThrow('EADDRINUSE')
  })
})
