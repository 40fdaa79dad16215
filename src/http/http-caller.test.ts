import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { CertificateAuthority } from '../../test/support/certificates.ts'
import { FAILURES, HttpApplication, answer } from '../../test/support/http-application.ts'
import type { Behaviour } from '../../test/support/http-application.ts'
import { freePorts } from '../../test/support/ports.ts'
import type { CallLine, CallOutcome, CallTarget } from '../worker/caller.ts'
import { LOOPBACK } from './addresses.ts'
import { httpCaller } from './http-caller.ts'

const closing: (() => unknown)[] = []
let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sluice-http-'))
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  await rm(root, { recursive: true, force: true })
})

async function serving(behaviour: Behaviour, more: Parameters<typeof HttpApplication.start>[1] = {}): Promise<HttpApplication> {
  const application = await HttpApplication.start(behaviour, more)
  closing.push(() => application.stop())
  return application
}

function lineTo(url: string, more: Partial<CallTarget> = {}, allowed: readonly string[] = LOOPBACK): CallLine {
  const line = httpCaller({ secretsRoot: root, allowed }).open({ url, timeoutMs: 400, maxInFlight: 4, ...more })
  closing.push(() => {
    line.close()
  })
  return line
}

const call = (line: CallLine, body: string | null = 'x'): Promise<CallOutcome> =>
  new Promise(resolve => {
    line.call({ headers: [['idempotency-key', 'orders-0-1']], body: body === null ? null : Buffer.from(body) }, resolve)
  })

const short = (outcome: CallOutcome): string => (outcome.type === 'answered' ? String(outcome.status) : outcome.reason)

describe('a call', () => {
  test('should post the record, and answer with what the application says', async () => {
    const application = await serving(answer(429, { 'retry-after': '7' }, 'busy'))
    const outcome = await call(lineTo(`${application.url()}?a=b`), 'hello')
    expect(outcome).toMatchObject({ type: 'answered', status: 429, retryAfter: '7' })
    expect(application.heard).toMatchObject([
      { method: 'POST', path: '/orders?a=b', body: 'hello', headers: { 'idempotency-key': 'orders-0-1', 'content-length': '5' } },
    ])
  })

  test('should keep its connection, and use another once the server has closed it', async () => {
    const sockets = new Set<Socket>()
    const application = await serving((_, response, socket) => {
      sockets.add(socket)
      response.end()
    })
    const line = lineTo(application.url())
    for (let i = 0; i < 5; i++) expect(short(await call(line))).toBe('200')
    expect(sockets.size).toBe(1)
    for (const socket of sockets) socket.destroy()
    expect(short(await call(line))).toBe('200')
    expect(sockets.size).toBe(2)
  })

  test.each([
    ['hang', 'timeout'],
    ['reset', 'reset'],
    ['close', 'reset'],
    ['no HTTP', 'protocol'],
    ['slow body', 'timeout'],
    ['broken body', 'incomplete'],
    ['broken chunks', 'incomplete'],
    ['500', '500'],
  ])('should tell a failure as it is: %s', async (behaviour, want) => {
    const application = await serving(FAILURES[behaviour] ?? answer(200))
    const outcome = await call(lineTo(application.url()))
    expect(short(outcome)).toBe(want)
    if (outcome.type === 'failed') expect(outcome.message).toContain(`127.0.0.1:${application.port}: `)
  })

  test('should tell when nobody listens, and when there is no such name', async () => {
    const [port] = await freePorts(1)
    expect(short(await call(lineTo(`http://127.0.0.1:${port}/`)))).toBe('refused')
    expect(short(await call(lineTo('http://no-such-host.invalid/', { timeoutMs: 10_000 })))).toBe('dns')
  })

  test('should take an endless body for an answer, and no more of it than a little', async () => {
    let sent = 0
    const application = await serving((_, response) => {
      response.writeHead(200)
      const more = (): void => {
        while (!response.destroyed && response.write('z'.repeat(16_384))) sent += 16_384
        response.once('drain', more)
      }
      more()
    })
    expect(short(await call(lineTo(application.url(), { timeoutMs: 5_000 })))).toBe('200')
    expect(sent).toBeLessThan(64 * 1_048_576)
  })

  test('should not follow a redirect', async () => {
    const elsewhere = await serving(answer(200))
    const application = await serving(answer(307, { location: elsewhere.url() }))
    expect(await call(lineTo(application.url()))).toMatchObject({ status: 307, location: elsewhere.url() })
    expect(elsewhere.heard).toEqual([])
  })

  test('should say nothing more once it was let go', async () => {
    const application = await serving(FAILURES.hang ?? answer(200))
    const outcomes: CallOutcome[] = []
    const letGo = lineTo(application.url()).call({ headers: [], body: null }, outcome => outcomes.push(outcome))
    letGo()
    expect(short(await call(lineTo(application.url(), { timeoutMs: 50 })))).toBe('timeout')
    expect(outcomes).toEqual([])
  })
})

describe('addresses', () => {
  test.each([
    'http://127.0.0.1:9/',
    'http://[::1]:9/',
    'http://localhost:9/',
    'http://0x7f.1:9/',
    'http://2130706433:9/',
    'http://[::ffff:127.0.0.1]:9/',
  ])('should not call %s unless that is allowed', async url => {
    const outcome = await call(lineTo(url, {}, []))
    expect(outcome).toMatchObject({ type: 'failed', reason: 'address-forbidden', message: expect.stringContaining('--calls-allow') })
  })

  test('should send nothing to a forbidden address that a name leads to', async () => {
    const application = await serving(answer(200))
    expect(short(await call(lineTo(`http://localhost:${application.port}/`, {}, [])))).toBe('address-forbidden')
    expect(application.heard).toEqual([])
    expect(short(await call(lineTo(`http://localhost:${application.port}/`)))).toBe('200')
  })
})

describe('secrets', () => {
  test('should send the keys of the Secret as headers', async () => {
    await mkdir(join(root, 'headers', '..data'), { recursive: true })
    await writeFile(join(root, 'headers', 'Authorization'), 'Bearer abc\n')
    const application = await serving(answer(200))
    await call(lineTo(application.url(), { headersFolder: 'headers' }))
    expect(application.heard[0]?.headers).toMatchObject({ authorization: 'Bearer abc' })
  })

  test.each([
    ['Content-Length', '1'],
    ['bad name', '1'],
    ['X-Key', 'two\nlines'],
  ])('should refuse a key %s, without its value', async (name, value) => {
    await mkdir(join(root, 'headers'))
    await writeFile(join(root, 'headers', name), value)
    expect(() => lineTo('http://127.0.0.1/', { headersFolder: 'headers' })).toThrow(`"${name}" of Secret "headers"`)
  })

  test('should not read a file outside of the Secrets', () => {
    expect(() => lineTo('https://127.0.0.1/', { tls: { caFile: '../../etc/passwd' } })).toThrow('not below the secrets root')
  })

  test('should trust the authority of the Secret and show its own certificate', async () => {
    const authority = await CertificateAuthority.create(root)
    const [server, client] = [await authority.issue('server', ['IP:127.0.0.1']), await authority.issue('client')]
    const application = await serving(answer(200), { tls: { key: server.key, cert: server.certificate, ca: authority.ca } })
    await mkdir(join(root, 'tls'))
    await writeFile(join(root, 'tls', 'ca.crt'), authority.ca)
    await writeFile(join(root, 'tls', 'tls.crt'), client.certificate)
    await writeFile(join(root, 'tls', 'tls.key'), client.key)
    const files = { caFile: 'tls/ca.crt', certificateFile: 'tls/tls.crt', keyFile: 'tls/tls.key' }
    expect(short(await call(lineTo(application.url('https'), { tls: files, timeoutMs: 5_000 })))).toBe('200')
    expect(await call(lineTo(application.url('https'), { timeoutMs: 5_000 }))).toMatchObject({ reason: 'tls' })
    const { caFile: _, ...own } = files
    const skipping = { ...own, insecureSkipVerify: true }
    expect(short(await call(lineTo(application.url('https'), { tls: skipping, timeoutMs: 5_000 })))).toBe('200')
  })
})
