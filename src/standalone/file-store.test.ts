import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { mkdtemp, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { load } from 'js-yaml'
import type { Clock } from '../api/clock.ts'
import type { ResourceDefinition } from '../api/definition.ts'
import { API_VERSION } from '../api/resource.ts'
import type { Resource, ResourceRef } from '../api/resource.ts'
import { immutable, integer, object, optional, text } from '../api/schema.ts'
import type { Announcement } from './announcer.ts'
import { FileSecrets } from './file-secrets.ts'
import { FileStore } from './file-store.ts'
import { Folder } from './folder.ts'
import { StateFiles } from './state-files.ts'

const FINALIZER = 'sluice.dev/topics'

const definition: ResourceDefinition = {
  kind: 'DelayQueue',
  plural: 'delayqueues',
  shortNames: [],
  description: 'For tests.',
  spec: object('A spec.', { maxDelay: optional(text('Any text.', 10)), partitions: optional(integer('Never changes.', 1, 100)) }, [
    immutable('partitions', 'create another'),
  ]),
  status: object('A status.', {}),
  printerColumns: [],
}

/** Time that passes at once: a wait is over as soon as it begins, and the clock shows it. */
class FastClock implements Clock {
  #ms = 1_000_000
  now(): number {
    return this.#ms
  }
  monotonicMs(): number {
    return this.#ms
  }
  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    this.#ms += delayMs
    await new Promise(resolve => setTimeout(resolve, signal?.aborted === true ? 0 : 5))
  }
}

const queue = (name: string, spec: object): string =>
  JSON.stringify({ apiVersion: API_VERSION, kind: 'DelayQueue', metadata: { name }, spec })
const ref = (name: string): ResourceRef => ({ kind: 'DelayQueue', namespace: 'default', name })

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 4_000
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`never came true: ${condition.toString()}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

describe('FileStore', () => {
  let root: string
  let folder: string
  let stop: AbortController
  let said: Announcement[]
  const changes: string[] = []
  const open = async (path = folder): Promise<FileStore> => {
    const store = new FileStore({
      folder: new Folder(path),
      definitions: [definition],
      state: new StateFiles(join(root, 'state')),
      clock: new FastClock(),
      announcer: { say: line => said.push(line) },
    })
    store.onChange(changed => changes.push(changed.name))
    await store.start(['DelayQueue'], stop.signal)
    return store
  }
  const reopen = async (): Promise<FileStore> => {
    stop.abort()
    stop = new AbortController()
    return open()
  }

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'sluice-store-'))
    folder = await mkdtemp(join(root, 'files-'))
    stop = new AbortController()
    said = []
    changes.length = 0
  })
  afterEach(async () => {
    stop.abort()
    await rm(root, { recursive: true, force: true })
  })

  test('should create what the files say and move the generation with the spec only', async () => {
    await writeFile(join(folder, 'a.yaml'), queue('a', { maxDelay: '1h' }))
    const store = await open()
    expect(store.get(ref('a'))?.metadata.generation).toBe(1)
    await store.writeStatus(ref('a'), { observedGeneration: 1, conditions: [], fields: { seen: true } })
    await writeFile(join(folder, 'a.yaml'), queue('a', { maxDelay: '2h' }))
    await until(() => changes.length === 2)
    expect(store.get(ref('a'))).toMatchObject({ metadata: { generation: 2 }, spec: { maxDelay: '2h' }, status: { seen: true } })
  })

  test('should write a status once, beside nothing that did not change', async () => {
    await writeFile(join(folder, 'a.yaml'), queue('a', {}))
    const store = await open()
    const patch = { observedGeneration: 1, conditions: [], fields: { topics: { matched: 3 } } }
    expect(await store.writeStatus(ref('a'), patch)).toBe('written')
    expect(await store.writeStatus(ref('a'), patch)).toBe('unchanged')
    expect(await store.writeStatus(ref('b'), patch)).toBe('gone')
    const file = load(await readFile(join(root, 'state', 'DelayQueue.default.a.yaml'), 'utf8')) as Resource
    expect(file.status).toEqual({ observedGeneration: 1, conditions: [], topics: { matched: 3 } })
  })

  test('should remember uid, generation and status over a restart', async () => {
    await writeFile(join(folder, 'a.yaml'), queue('a', { maxDelay: '1h' }))
    const first = await open()
    await first.writeStatus(ref('a'), { observedGeneration: 1, conditions: [], fields: { lastStepTime: 't' } })
    const before = first.get(ref('a'))
    const second = await reopen()
    expect(second.get(ref('a'))).toEqual(before)
  })

  test('should remove a resource whose file is gone', async () => {
    await writeFile(join(folder, 'a.yaml'), queue('a', {}))
    const store = await open()
    await unlink(join(folder, 'a.yaml'))
    await until(() => store.get(ref('a')) === undefined)
    expect(await readdir(join(root, 'state'))).toEqual([])
  })

  test('should keep a resource with a finalizer until the finalizer is removed, also over a restart', async () => {
    await writeFile(join(folder, 'a.yaml'), queue('a', {}))
    const store = await open()
    await store.addFinalizer(ref('a'), FINALIZER)
    await unlink(join(folder, 'a.yaml'))
    const again = await reopen()
    await until(() => again.get(ref('a'))?.metadata.deletionTimestamp !== undefined)
    expect(again.get(ref('a'))?.metadata.finalizers).toEqual([FINALIZER])
    await again.removeFinalizer(ref('a'), FINALIZER)
    expect(again.get(ref('a'))).toBeUndefined()
  })

  test('should tell a resource that goes what its file says of annotations, and make it anew from the file once it is gone', async () => {
    const forced = { apiVersion: API_VERSION, kind: 'DelayQueue', metadata: { name: 'a', annotations: { now: 'true' } }, spec: {} }
    await writeFile(join(folder, 'a.yaml'), queue('a', {}))
    const store = await open()
    await store.addFinalizer(ref('a'), FINALIZER)
    const uid = store.get(ref('a'))?.metadata.uid
    await unlink(join(folder, 'a.yaml'))
    await until(() => store.get(ref('a'))?.metadata.deletionTimestamp !== undefined)
    await writeFile(join(folder, 'a.yaml'), JSON.stringify(forced))
    await until(() => store.get(ref('a'))?.metadata.annotations?.now === 'true')
    expect(store.get(ref('a'))?.metadata).toMatchObject({ uid, finalizers: [FINALIZER] })
    expect(said.filter(({ what }) => what === 'Waiting')).toHaveLength(1)
    await store.removeFinalizer(ref('a'), FINALIZER)
    await until(() => (store.get(ref('a'))?.metadata.uid ?? uid) !== uid)
  })

  test('should not take a resource of another folder for deleted', async () => {
    await writeFile(join(folder, 'a.yaml'), queue('a', {}))
    const store = await open()
    await store.addFinalizer(ref('a'), FINALIZER)
    stop.abort()
    stop = new AbortController()
    const other = await open(await mkdtemp(join(root, 'other-')))
    expect(other.get(ref('a'))).toBeUndefined()
    expect(await readdir(join(root, 'state'))).toEqual(['DelayQueue.default.a.yaml'])
  })

  test('should keep what a file said before a mistake was made in it', async () => {
    await writeFile(join(folder, 'a.yaml'), queue('a', {}))
    await writeFile(join(folder, 'b.yaml'), queue('b', {}))
    const store = await open()
    await writeFile(join(folder, 'a.yaml'), 'kind: [')
    await unlink(join(folder, 'b.yaml'))
    await until(() => store.get(ref('b')) === undefined)
    expect(store.get(ref('a'))).toBeDefined()
    expect(store.problems()).toEqual([expect.stringContaining(`${join(folder, 'a.yaml')}:1: not YAML`)])
    await writeFile(join(folder, 'a.yaml'), queue('a', {}))
    await until(() => store.problems().length === 0)
    expect(said.map(line => line.what)).toEqual(['Invalid', 'Removed', 'Corrected'])
    // Above the current folder, where a relative path would be a riddle.
    expect(said[1]?.message).toBe(`${join(folder, 'b.yaml')} no longer has it`)
  })

  test('should refuse a change that an API server would refuse, and go on with the old spec', async () => {
    await writeFile(join(folder, 'a.yaml'), queue('a', { partitions: 6 }))
    const store = await open()
    await writeFile(join(folder, 'a.yaml'), queue('a', { partitions: 3 }))
    await until(() => store.problems().length > 0)
    expect(store.problems()).toEqual([
      `${join(folder, 'a.yaml')}:1: DelayQueue/a: spec.partitions: partitions cannot be changed: create another`,
    ])
    expect(store.get(ref('a'))).toMatchObject({ spec: { partitions: 6 }, metadata: { generation: 1 } })
  })

  test('should report a resource that two files define, and use the first', async () => {
    await writeFile(join(folder, 'a.yaml'), queue('a', { maxDelay: '1h' }))
    await writeFile(join(folder, 'b.yaml'), queue('a', { maxDelay: '2h' }))
    const store = await open()
    expect(store.get(ref('a'))?.spec).toEqual({ maxDelay: '1h' })
    expect(store.problems()).toEqual([
      `${join(folder, 'b.yaml')}:1: DelayQueue/a: is already in ${join(folder, 'a.yaml')}, line 1; remove one of the two`,
    ])
  })

  test('should refuse what is of this group and no kind of it, and pass by what is of others', async () => {
    await writeFile(join(folder, 'a.yaml'), JSON.stringify({ apiVersion: API_VERSION, kind: 'DelayQeue', metadata: { name: 'a' } }))
    await writeFile(join(folder, 'b.yaml'), JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'b' } }))
    const store = await open()
    expect(store.problems()).toEqual([`${join(folder, 'a.yaml')}:1: DelayQeue/a: kind: unknown kind; there are DelayQueue`])
    expect(said.find(line => line.what === 'Skipped')?.message).toBe(`${join(folder, 'b.yaml')}: Deployment/b is no resource of Sluice`)
  })

  test('should delete nothing when the folder cannot be read', async () => {
    await writeFile(join(folder, 'a.yaml'), queue('a', {}))
    const store = await open()
    await rm(folder, { recursive: true })
    await until(() => store.problems().length > 0)
    expect(store.get(ref('a'))).toBeDefined()
    expect(store.problems()[0]).toContain('cannot be read, nothing changes')
  })
})

describe('FileSecrets', () => {
  test('should read data and stringData, and see a changed file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-secrets-test-'))
    try {
      const secret = (password: string): string =>
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 's' },
          data: { user: 'YXBw', password: 'eA==' },
          stringData: { password },
        })
      await writeFile(join(folder, 's.yaml'), secret('one'))
      const secrets = new FileSecrets([new Folder(folder)])
      const content = await secrets.read('default', 's')
      expect(Object.fromEntries([...(content ?? [])].map(([key, value]) => [key, value.toString()]))).toEqual({
        user: 'app',
        password: 'one',
      })
      await writeFile(join(folder, 's.yaml'), secret('another'))
      expect((await secrets.read('default', 's'))?.get('password')?.toString()).toBe('another')
      expect(await secrets.read('default', 'absent')).toBeUndefined()
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
