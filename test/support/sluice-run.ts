import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { dump, load } from 'js-yaml'
import type { Condition, Resource } from '../../src/api/resource.ts'
import { eventually } from './eventually.ts'

const SLUICE = fileURLToPath(new URL('../../bin/sluice', import.meta.url))

/** `sluice run` as a user starts it: a process of its own on a folder of manifests. */
export interface SluiceRun {
  readonly pid: number
  /** Writes or replaces one manifest. */
  apply(kind: string, name: string, spec: object): Promise<void>
  /** A Secret with text values. */
  applySecret(name: string, values: Readonly<Record<string, string>>): Promise<void>
  remove(kind: string, name: string): Promise<void>
  /** As stored beside the manifests; undefined until the operator has seen it. */
  read<R extends Resource>(kind: string, name: string): Promise<R | undefined>
  /** Waits for a status of the current generation that `wanted` accepts. */
  settled<R extends Resource>(kind: string, name: string, wanted: (resource: R) => boolean, withinMs?: number): Promise<R>
  /** Everything that it printed. */
  printed(): string
  /** SIGTERM, wait, remove the folders. */
  stop(): Promise<void>
}

/** @param more further arguments */
export async function startSluiceRun(bootstrap?: string, more: readonly string[] = []): Promise<SluiceRun> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-run-'))
  const manifests = join(dir, 'manifests')
  const state = join(dir, 'state')
  await mkdir(manifests)
  const address = bootstrap === undefined ? [] : ['--bootstrap', bootstrap]
  const args = ['run', '--filename', manifests, '--state', state, ...address, ...more]
  const child = spawn(SLUICE, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const gone = new Promise(resolve => child.once('exit', resolve))
  const generations = new Map<string, number>()
  const file = (kind: string, name: string): string => join(manifests, `${kind}-${name}.yaml`)

  const read = async <R extends Resource>(kind: string, name: string): Promise<R | undefined> => {
    try {
      return load(await readFile(join(state, 'status', `${kind}.default.${name}.yaml`), 'utf8')) as R
    } catch {
      return undefined
    }
  }
  return {
    pid: child.pid ?? 0,
    apply: async (kind, name, spec) => {
      const before = await read(kind, name)
      generations.set(`${kind}/${name}`, (before?.metadata.generation ?? 0) + (before === undefined ? 0 : 1))
      await writeFile(file(kind, name), dump({ apiVersion: 'sluice.dev/v1alpha1', kind, metadata: { name }, spec }))
    },
    applySecret: (name, stringData) =>
      writeFile(file('Secret', name), dump({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData })),
    remove: (kind, name) => rm(file(kind, name)),
    read,
    settled: async <R extends Resource>(kind: string, name: string, wanted: (resource: R) => boolean, withinMs = 40_000): Promise<R> => {
      const look = async (): Promise<R | undefined> => {
        const resource = await read<R>(kind, name)
        const current = (resource?.status?.observedGeneration ?? 0) >= (generations.get(`${kind}/${name}`) ?? 0)
        return resource?.status !== undefined && current && wanted(resource) ? resource : undefined
      }
      try {
        return await eventually(`${kind}/${name} as wanted`, look, withinMs)
      } catch (error) {
        const last = JSON.stringify((await read(kind, name))?.status, undefined, 1)
        throw new Error(`${(error as Error).message}; status: ${last}; printed: ${output.slice(-2000)}`, { cause: error })
      }
    },
    printed: () => output,
    stop: async () => {
      child.kill('SIGTERM')
      await gone
      await rm(dir, { recursive: true, force: true })
    },
  }
}

export const conditionOf = (resource: Resource | undefined, type: string): Condition | undefined =>
  resource?.status?.conditions?.find(condition => condition.type === type)

/** Reason of `Ready`, with a `!` in front when it is not true: `Ready`, `!PolicyConflict`. */
export const readiness = (resource: Resource | undefined): string | undefined => {
  const ready = conditionOf(resource, 'Ready')
  return ready === undefined ? undefined : `${ready.status === 'True' ? '' : '!'}${ready.reason}`
}
