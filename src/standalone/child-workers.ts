import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../api/clock.ts'
import type { ResourceRef } from '../api/resource.ts'
import { refKey } from '../api/resource.ts'
import type { Contract } from '../operator/contract.ts'
import type { WorkersView } from '../operator/observed.ts'
import type { SecretMount, SecretReader, WorkerDeployment, WorkerPlatform } from '../operator/ports.ts'
import type { Announcer } from './announcer.ts'
import { writeWhole } from './whole-file.ts'
import type { Revision } from './worker-pool.ts'
import { WorkerPool } from './worker-pool.ts'

export interface ChildWorkersOptions {
  /** Program and arguments that start a worker; `--contract FILE` and more is added. */
  readonly command: readonly [string, ...string[]]
  /** Contracts and logs go here. */
  readonly stateFolder: string
  readonly secrets: SecretReader
  readonly clock: Clock
  readonly announcer: Announcer
}

/** Runs workers as child processes of this one. Secrets are files in a folder that only this user can read, gone with the process. */
export class ChildWorkers implements WorkerPlatform {
  readonly #options: ChildWorkersOptions
  readonly #pools = new Map<string, WorkerPool>()
  readonly #secretFolders = new Map<string, string>()
  readonly #listeners: ((owner: ResourceRef) => void)[] = []
  readonly #lastResort = (): void => {
    for (const pool of this.#pools.values()) pool.kill()
    for (const folder of this.#secretFolders.values()) rmSync(folder, { recursive: true, force: true })
  }

  constructor(options: ChildWorkersOptions) {
    this.#options = options
    process.on('exit', this.#lastResort)
  }

  async currentContract(ref: ResourceRef): Promise<Contract | undefined> {
    const text = await readFile(this.#contractFile(ref), 'utf8').catch(() => undefined)
    return text === undefined ? undefined : (JSON.parse(text) as Contract)
  }

  async apply(deployment: WorkerDeployment): Promise<readonly string[]> {
    const ref = deployment.of
    const key = refKey(ref)
    const pool = this.#pools.get(key)
    const id = revisionId(deployment)
    if (pool?.revision.id === id) {
      const written = await this.#rewrite(ref, deployment)
      if (pool.replicas === deployment.replicas) return written
      pool.want(deployment.replicas, pool.revision)
      return [...written, `Workers/${deployment.name}`]
    }
    const revision = await this.#prepare(ref, deployment, id)
    const running = pool ?? this.#open(ref, deployment.name, revision)
    running.want(deployment.replicas, revision)
    return [`Contract/${deployment.name}`, `Workers/${deployment.name}`]
  }

  view(ref: ResourceRef): Promise<WorkersView | undefined> {
    return Promise.resolve(this.#pools.get(refKey(ref))?.view())
  }

  async remove(ref: ResourceRef): Promise<void> {
    const key = refKey(ref)
    const pool = this.#pools.get(key)
    await pool?.stop()
    this.#pools.delete(key)
    await this.#dropSecrets(key, new Set())
    await rm(this.#contractFile(ref), { force: true })
  }

  onChange(listener: (owner: ResourceRef) => void): void {
    this.#listeners.push(listener)
  }

  /** Stops every worker gracefully; contracts stay, so that the next start goes on counting generations. */
  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map(pool => pool.stop()))
    this.#lastResort()
    this.#pools.clear()
    this.#secretFolders.clear()
    process.off('exit', this.#lastResort)
  }

  #open(owner: ResourceRef, name: string, revision: Revision): WorkerPool {
    const key = refKey(owner)
    const changed = (): void => {
      const pool = this.#pools.get(key)
      if (pool !== undefined) void this.#dropSecrets(key, new Set([...pool.runningRevisions(), pool.revision.id]))
      for (const listener of this.#listeners) listener(owner)
    }
    const { clock, announcer } = this.#options
    const pool = new WorkerPool({ owner, name, logFolder: this.#folder('logs'), clock, announcer, changed }, revision)
    this.#pools.set(key, pool)
    return pool
  }

  /** The processes of a pool follow their contract: a new one is no new revision. */
  async #rewrite(ref: ResourceRef, { contract, name }: WorkerDeployment): Promise<readonly string[]> {
    if (isDeepStrictEqual(await this.currentContract(ref), JSON.parse(JSON.stringify(contract)))) return []
    await writeWhole(this.#contractFile(ref), `${JSON.stringify(contract, undefined, 2)}\n`)
    return [`Contract/${name}`]
  }

  async #prepare(ref: ResourceRef, deployment: WorkerDeployment, id: string): Promise<Revision> {
    await mkdir(this.#folder('contracts'), { recursive: true })
    await mkdir(this.#folder('logs'), { recursive: true })
    const secretFolder = await this.#writeSecrets(ref, deployment.secrets, id)
    await writeWhole(this.#contractFile(ref), `${JSON.stringify(deployment.contract, undefined, 2)}\n`)
    return {
      id,
      generation: deployment.contract.generation,
      command: [...this.#options.command, '--contract', this.#contractFile(ref), '--listen', '127.0.0.1:0'],
      env: { ...process.env, SLUICE_SECRETS: secretFolder },
    }
  }

  async #writeSecrets(ref: ResourceRef, mounts: readonly SecretMount[], id: string): Promise<string> {
    await sweepSecrets()
    const contents = await Promise.all(mounts.map(async mount => ({ mount, entries: await this.#read(ref, mount) })))
    // mkdtemp makes it 0700.
    const root = await mkdtemp(join(tmpdir(), `${SECRETS_PREFIX}${process.pid}-`))
    this.#secretFolders.set(`${refKey(ref)} ${id}`, root)
    for (const { mount, entries } of contents) {
      await mkdir(join(root, mount.folder), { mode: 0o700, recursive: true })
      for (const [key, value] of entries) await writeFile(join(root, mount.folder, key), value, { mode: 0o600 })
    }
    return root
  }

  async #read(ref: ResourceRef, mount: SecretMount): Promise<ReadonlyMap<string, Buffer>> {
    const entries = await this.#options.secrets.read(ref.namespace, mount.secretName)
    if (entries === undefined)
      throw new Error(`Secret ${ref.namespace}/${mount.secretName} does not exist; the workers of ${refKey(ref)} need it`)
    return entries
  }

  async #dropSecrets(key: string, keep: ReadonlySet<string>): Promise<void> {
    for (const [name, folder] of [...this.#secretFolders]) {
      if (!name.startsWith(`${key} `) || keep.has(name.slice(key.length + 1))) continue
      this.#secretFolders.delete(name)
      await rm(folder, { recursive: true, force: true })
    }
  }

  #folder(name: string): string {
    return join(this.#options.stateFolder, name)
  }

  #contractFile(ref: ResourceRef): string {
    return join(this.#folder('contracts'), `${ref.kind}.${ref.namespace}.${ref.name}.json`)
  }
}

const SECRETS_PREFIX = 'sluice-secrets-'

/** Removes what an operator left that was killed before it could clean up. */
async function sweepSecrets(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => [])
  for (const name of names.filter(candidate => candidate.startsWith(SECRETS_PREFIX))) {
    const pid = Number(/^\d+/.exec(name.slice(SECRETS_PREFIX.length))?.[0] ?? 0)
    // Somebody else's folder is not ours to remove; trying fails, and that is all.
    if (pid > 0 && !isAlive(pid)) await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => undefined)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** What the processes of a pool cannot take up while they run. */
const fixedPart = ({ generation: _, resources: __, ...fixed }: Contract): unknown => fixed

/** Same id, same processes: what they read and which credentials they use. */
const revisionId = (deployment: WorkerDeployment): string =>
  createHash('sha256')
    .update(
      JSON.stringify([
        deployment.contract.pool === undefined ? deployment.contract : fixedPart(deployment.contract),
        deployment.secretsHash,
      ]),
    )
    .digest('hex')
    .slice(0, 16)
