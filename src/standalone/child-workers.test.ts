import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../api/clock.ts'
import type { Resource } from '../api/resource.ts'
import { refOf } from '../api/resource.ts'
import type { WorkerDeployment } from '../operator/ports.ts'
import type { Announcement } from './announcer.ts'
import { ChildWorkers } from './child-workers.ts'

/** A worker as its parent sees one: tells its port, answers health, leaves on SIGTERM, and dies at once where its contract says so. */
const FAKE_WORKER = `
  const { readFileSync } = require('node:fs')
  const { createServer } = require('node:http')
  const contract = JSON.parse(readFileSync(process.argv[process.argv.indexOf('--contract') + 1], 'utf8'))
  if (contract.group === 'crash') process.exit(3)
  if (contract.group === 'secret') console.log('secret is ' + readFileSync(process.env.SLUICE_SECRETS + '/sasl/password', 'utf8').length + ' long')
  const server = createServer((request, response) => {
    response.statusCode = contract.group === 'unready' && request.url === '/readyz' ? 503 : 200
    response.end(JSON.stringify({ generation: contract.generation, pid: process.pid }))
  })
  server.listen(0, '127.0.0.1', () => process.send({ type: 'listening', port: server.address().port }))
  process.on('SIGTERM', () => process.exit(0))
  process.on('disconnect', () => process.exit(0))
`

const owner: Resource = { apiVersion: 'sluice.dev/v1alpha1', kind: 'DelayQueue', metadata: { namespace: 'shop', name: 'pay' }, spec: {} }
const ref = refOf(owner)

const deployment = (generation: number, replicas: number, group = 'g', secretsHash = ''): WorkerDeployment => ({
  of: ref,
  owners: [owner],
  name: 'dq-pay',
  replicas,
  contract: { version: 1, generation, namespace: 'shop', group, connection: { bootstrapServers: [] }, resources: [], memoryBudgetBytes: 1 },
  secrets: group === 'secret' ? [{ folder: 'sasl', secretName: 'kafka' }] : [],
  secretsHash,
})

const clock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (delayMs, signal) =>
    new Promise(resolve => {
      const timer = setTimeout(resolve, Math.min(delayMs, 50))
      signal?.addEventListener('abort', () => {
        clearTimeout(timer)
        resolve()
      })
    }),
}

describe('ChildWorkers', () => {
  let root: string
  let workers: ChildWorkers
  let said: Announcement[]
  const secret = new Map([['password', Buffer.from('hush')]])

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'sluice-children-'))
    await writeFile(join(root, 'worker.cjs'), FAKE_WORKER)
    said = []
    workers = new ChildWorkers({
      command: [process.execPath, join(root, 'worker.cjs')],
      stateFolder: join(root, 'state'),
      secrets: { read: (_, name) => Promise.resolve(name === 'kafka' ? secret : undefined) },
      clock,
      announcer: { say: line => said.push(line) },
    })
  })
  afterEach(async () => {
    await workers.close()
    await rm(root, { recursive: true, force: true })
  })

  const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
    const deadlineMs = performance.now() + 4_000
    while (!(await condition())) {
      if (performance.now() > deadlineMs) throw new Error(`never came true: ${condition.toString()}`)
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }
  const ready = async (count: number, generation: number): Promise<void> => {
    await until(async () => {
      const view = await workers.view(ref)
      return view?.ready === count && view.desired === count && view.generation === generation
    })
  }
  const started = (): number[] =>
    said.filter(line => line.what === 'WorkerStarted').map(line => Number(/process (\d+)/.exec(line.message)?.[1]))
  const alive = (pid: number): boolean => existsSync(`/proc/${pid}`)

  test('should start replicas, and write nothing when nothing differs', async () => {
    expect(await workers.view(ref)).toBeUndefined()
    expect(await workers.apply(deployment(1, 2))).toEqual(['Contract/dq-pay', 'Workers/dq-pay'])
    await ready(2, 1)
    expect(await workers.apply(deployment(1, 2))).toEqual([])
    expect(await workers.currentContract(ref)).toEqual(deployment(1, 2).contract)
    expect(started()).toHaveLength(2)
  })

  test('should scale without touching the replicas that stay', async () => {
    await workers.apply(deployment(1, 2))
    await ready(2, 1)
    // Two that start at once report in any order.
    const both = started()
    await workers.apply(deployment(1, 1))
    await ready(1, 1)
    await until(() => started().filter(alive).length === 1)
    expect(started()).toEqual(both)
    await workers.apply(deployment(1, 3))
    await ready(3, 1)
  })

  test('should replace every process when the contract changes, the last good one only when the others are good', async () => {
    await workers.apply(deployment(1, 2))
    await ready(2, 1)
    const before = started()
    await workers.apply(deployment(2, 2, 'unready'))
    await until(() => started().length === 3)
    expect(before.filter(alive)).toHaveLength(1)
    await workers.apply(deployment(3, 2))
    await ready(2, 3)
    expect(before.filter(alive)).toEqual([])
  })

  test('should start a killed process again', async () => {
    await workers.apply(deployment(1, 1))
    await ready(1, 1)
    process.kill(started()[0] ?? 0, 'SIGKILL')
    await until(() => started().length === 2)
    await ready(1, 1)
    expect(said.find(line => line.what === 'WorkerFailed')?.message).toContain('dq-pay-0 ended with signal SIGKILL')
  })

  test('should wait longer after each crash', async () => {
    await workers.apply(deployment(1, 1, 'crash'))
    const failures = (): string[] => said.filter(line => line.what === 'WorkerFailed').map(line => line.message)
    await until(() => failures().length === 3)
    expect(failures().map(message => /exit status 3; next start in (\d+) ms/.exec(message)?.[1])).toEqual(['500', '1000', '2000'])
  })

  test('should hand secrets over as files that only this user can read, and remove them', async () => {
    await workers.apply(deployment(1, 1, 'secret', 'a'))
    await ready(1, 1)
    const environ = await readFile(`/proc/${started()[0]}/environ`, 'utf8')
    const folder = /SLUICE_SECRETS=([^\0]+)/.exec(environ)?.[1] ?? ''
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    expect((await stat(join(folder, 'sasl', 'password'))).mode & 0o777).toBe(0o600)
    expect(await readFile(join(root, 'state', 'logs', 'dq-pay-0.log'), 'utf8')).toContain('secret is 4 long')
    await workers.apply(deployment(1, 1, 'secret', 'b'))
    await until(() => started().length === 2 && !existsSync(folder))
    await ready(1, 1)
  })

  test('should sweep the secrets that a killed operator left, and no others', async () => {
    const [left, kept] = await Promise.all([2 ** 22 + 1, process.ppid].map(pid => mkdtemp(join(tmpdir(), `sluice-secrets-${pid}-`))))
    await workers.apply(deployment(1, 1))
    expect([left, kept].map(folder => existsSync(folder ?? ''))).toEqual([false, true])
    await rm(kept ?? '', { recursive: true })
  })

  test('should refuse a deployment whose Secret does not exist', async () => {
    const missing = { ...deployment(1, 1), secrets: [{ folder: 'sasl', secretName: 'absent' }] }
    await expect(workers.apply(missing)).rejects.toThrow('Secret shop/absent does not exist')
  })

  test('should stop everything and forget the contract when removed', async () => {
    await workers.apply(deployment(1, 2))
    await ready(2, 1)
    await workers.remove(ref)
    expect(started().filter(alive)).toEqual([])
    expect(await workers.currentContract(ref)).toBeUndefined()
    expect(await workers.view(ref)).toBeUndefined()
  })

  test('should tell a pool of another resource without a new process', async () => {
    const pooled = (generation: number, ...names: readonly string[]): WorkerDeployment => {
      const { contract, ...rest } = deployment(1, 2)
      const resources = names.map(name => ({ kind: 'DelayQueue', name, generation: 1, config: {} }))
      return { ...rest, contract: { ...contract, pool: 'small', generation, resources } }
    }
    await workers.apply(pooled(1, 'pay'))
    await ready(2, 1)
    const before = started()
    expect(await workers.apply(pooled(2, 'pay', 'ship'))).toEqual(['Contract/dq-pay'])
    expect(await workers.apply(pooled(2, 'pay', 'ship'))).toEqual([])
    expect(await workers.currentContract(ref)).toMatchObject({ generation: 2, resources: [{ name: 'pay' }, { name: 'ship' }] })
    expect(started()).toEqual(before)
  })
})
