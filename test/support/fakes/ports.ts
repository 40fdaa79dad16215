import { isDeepStrictEqual } from 'node:util'
import { refKey, refOf, type Resource, type ResourceRef } from '../../../src/api/resource.ts'
import type { Contract } from '../../../src/operator/contract.ts'
import type { WorkersView } from '../../../src/operator/observed.ts'
import type { AlertGroup } from '../../../src/operator/plan.ts'
import type {
  AlertSink,
  Election,
  EventSink,
  ResourceStore,
  SecretReader,
  StatusPatch,
  WorkerDeployment,
  WorkerPlatform,
} from '../../../src/operator/ports.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Resources in memory, with generations, finalizers and deletion as an API server has them. Counts writes. */
export class FakeStore implements ResourceStore {
  readonly #resources = new Map<string, Resource>()
  readonly #listeners: ((ref: ResourceRef) => void)[] = []
  readonly writes: string[] = []
  started = false
  isHealthy = true
  /** The namespace is being deleted. */
  goes = false
  /** Answered to the next status writes instead of writing. */
  answers: ('conflict' | 'gone')[] = []

  start(): Promise<void> {
    this.started = true
    return Promise.resolve()
  }

  list(kind: string): readonly Resource[] {
    const key = (resource: Resource) => `${resource.metadata.namespace}/${resource.metadata.name}`
    return [...this.#resources.values()].filter(resource => resource.kind === kind).sort((a, b) => key(a).localeCompare(key(b)))
  }

  get(ref: ResourceRef): Resource | undefined {
    return this.#resources.get(refKey(ref))
  }

  onChange(listener: (ref: ResourceRef) => void): void {
    this.#listeners.push(listener)
  }

  writeStatus(ref: ResourceRef, patch: StatusPatch): Promise<'written' | 'unchanged' | 'conflict' | 'gone'> {
    const answer = this.answers.shift()
    if (answer !== undefined) return Promise.resolve(answer)
    const before = this.get(ref)
    if (before === undefined) return Promise.resolve('gone')
    const status = { ...patch.fields, conditions: patch.conditions, observedGeneration: patch.observedGeneration }
    if (isDeepStrictEqual(before.status, status)) return Promise.resolve('unchanged')
    const ready = patch.conditions.find(({ type }) => type === 'Ready')
    this.writes.push(`status ${refKey(ref)} Ready=${ready?.status ?? '?'} ${ready?.reason ?? '?'}`)
    this.#set({ ...before, status })
    return Promise.resolve('written')
  }

  addFinalizer(ref: ResourceRef, finalizer: string): Promise<void> {
    this.writes.push(`addFinalizer ${refKey(ref)}`)
    this.#edit(ref, metadata => (metadata.finalizers = [...(metadata.finalizers ?? []), finalizer]))
    return Promise.resolve()
  }

  removeFinalizer(ref: ResourceRef, finalizer: string): Promise<void> {
    this.writes.push(`removeFinalizer ${refKey(ref)}`)
    this.#edit(ref, metadata => (metadata.finalizers = (metadata.finalizers ?? []).filter(other => other !== finalizer)))
    const { metadata } = this.get(ref) ?? {}
    if (metadata?.deletionTimestamp !== undefined && metadata.finalizers?.length === 0) this.#remove(ref)
    return Promise.resolve()
  }

  namespaceGoes(): Promise<boolean> {
    return Promise.resolve(this.goes)
  }

  healthy(): boolean {
    return this.isHealthy
  }

  /** As a user would: the generation moves when the spec does, the status stays. */
  put(resource: Resource): void {
    const before = this.get(refOf(resource))
    const generation = (before?.metadata.generation ?? 0) + (before === undefined || !isDeepStrictEqual(before.spec, resource.spec) ? 1 : 0)
    this.#set({
      ...resource,
      metadata: { ...before?.metadata, ...resource.metadata, generation },
      ...(before?.status && { status: before.status }),
    })
  }

  /** As a user would: held by finalizers. */
  delete(ref: ResourceRef, at = '2026-01-01T00:00:00Z'): void {
    if ((this.get(ref)?.metadata.finalizers ?? []).length === 0) this.#remove(ref)
    else this.#edit(ref, metadata => (metadata.deletionTimestamp = at))
  }

  #edit(ref: ResourceRef, change: (metadata: Mutable<Resource['metadata']>) => unknown): void {
    const before = this.get(ref)
    if (before === undefined) return
    const metadata = { ...before.metadata }
    change(metadata)
    this.#set({ ...before, metadata })
  }

  #set(resource: Resource): void {
    this.#resources.set(refKey(refOf(resource)), resource)
    this.#tell(refOf(resource))
  }

  #remove(ref: ResourceRef): void {
    this.#resources.delete(refKey(ref))
    this.#tell(ref)
  }

  #tell(ref: ResourceRef): void {
    for (const listener of this.#listeners) listener(ref)
  }
}

/** Workers that are ready at once unless told otherwise. */
export class FakeWorkers implements WorkerPlatform {
  readonly deployments = new Map<string, WorkerDeployment>()
  readonly writes: string[] = []
  /** Ready workers; undefined: all of them. */
  ready: number | undefined
  /** Generation that the workers run; undefined: the newest. */
  running: number | undefined
  readonly #listeners: ((owner: ResourceRef) => void)[] = []

  currentContract(ref: ResourceRef): Promise<Contract | undefined> {
    return Promise.resolve(this.deployments.get(refKey(ref))?.contract)
  }

  apply(deployment: WorkerDeployment): Promise<readonly string[]> {
    const key = refKey(deployment.of)
    const content = ({ owners: _, ...rest }: WorkerDeployment) => rest
    const before = this.deployments.get(key)
    if (before !== undefined && isDeepStrictEqual(content(before), content(deployment))) return Promise.resolve([])
    this.deployments.set(key, deployment)
    this.writes.push(`apply ${deployment.name} generation ${deployment.contract.generation}`)
    return Promise.resolve([`Deployment ${deployment.name}`])
  }

  view(ref: ResourceRef): Promise<WorkersView | undefined> {
    const deployment = this.deployments.get(refKey(ref))
    if (deployment === undefined) return Promise.resolve(undefined)
    const { replicas, contract } = deployment
    return Promise.resolve({ desired: replicas, ready: this.ready ?? replicas, generation: this.running ?? contract.generation })
  }

  remove(ref: ResourceRef): Promise<void> {
    if (this.deployments.delete(refKey(ref))) this.writes.push(`remove ${refKey(ref)}`)
    return Promise.resolve()
  }

  onChange(listener: (owner: ResourceRef) => void): void {
    this.#listeners.push(listener)
  }

  /** As when a pod becomes ready or dies. */
  tell(owner: ResourceRef): void {
    for (const listener of this.#listeners) listener(owner)
  }
}

export class FakeAlerts implements AlertSink {
  readonly groups = new Map<string, AlertGroup>()
  readonly writes: string[] = []
  available = true

  apply(owner: Resource, name: string, group: AlertGroup): Promise<'written' | 'unchanged' | 'skipped'> {
    if (!this.available) return Promise.resolve('skipped')
    const key = `${owner.metadata.namespace}/${name}`
    if (isDeepStrictEqual(this.groups.get(key), group)) return Promise.resolve('unchanged')
    this.groups.set(key, group)
    this.writes.push(`apply ${key}`)
    return Promise.resolve('written')
  }

  remove(owner: ResourceRef, name: string): Promise<void> {
    if (this.groups.delete(`${owner.namespace}/${name}`)) this.writes.push(`remove ${owner.namespace}/${name}`)
    return Promise.resolve()
  }
}

export class FakeEvents implements EventSink {
  readonly emitted: { readonly about: string; readonly type: string; readonly reason: string; readonly message: string }[] = []

  emit(about: Resource, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.emitted.push({ about: refKey(refOf(about)), type, reason, message })
  }

  get reasons(): readonly string[] {
    return this.emitted.map(({ reason }) => reason)
  }
}

/** Secrets in memory; counts reads. */
export class FakeSecrets implements SecretReader {
  readonly #secrets = new Map<string, ReadonlyMap<string, Buffer>>()
  reads = 0

  set(namespace: string, name: string, data: Readonly<Record<string, string>>): void {
    this.#secrets.set(`${namespace}/${name}`, new Map(Object.entries(data).map(([key, value]) => [key, Buffer.from(value)])))
  }

  read(namespace: string, name: string): Promise<ReadonlyMap<string, Buffer> | undefined> {
    this.reads++
    return Promise.resolve(this.#secrets.get(`${namespace}/${name}`))
  }
}

/** Leads from the start until it is told to lose. */
export class FakeElection implements Election {
  #leading = false
  #lose: AbortController | undefined
  readonly #wins: boolean

  constructor(wins = true) {
    this.#wins = wins
  }

  async run(signal: AbortSignal, lead: (leading: AbortSignal) => Promise<void>): Promise<void> {
    if (this.#wins) {
      this.#lose = new AbortController()
      this.#leading = true
      await lead(AbortSignal.any([signal, this.#lose.signal]))
      this.#leading = false
    }
    if (signal.aborted) return
    await new Promise<void>(resolve => {
      signal.addEventListener(
        'abort',
        () => {
          resolve()
        },
        { once: true },
      )
    })
  }

  isLeader(): boolean {
    return this.#leading
  }

  lose(): void {
    this.#lose?.abort()
  }
}
