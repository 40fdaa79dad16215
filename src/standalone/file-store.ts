import { randomUUID } from 'node:crypto'
import { relative, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../api/clock.ts'
import type { ResourceDefinition } from '../api/definition.ts'
import type { ManifestDocument, ManifestProblem } from '../api/manifest.ts'
import { subjectOf } from '../api/manifest.ts'
import { API_VERSION, refKey, refOf } from '../api/resource.ts'
import type { CommonStatus, Resource, ResourceRef } from '../api/resource.ts'
import { validateResource } from '../api/validation.ts'
import type { ResourceStore, StatusPatch } from '../operator/ports.ts'
import type { Announcer } from './announcer.ts'
import { documentKey, gatherDocuments, isOurs, problemLine, problemOf, strangeness } from './documents.ts'
import type { FileText, Folder } from './folder.ts'
import type { StateFiles, StoredResource } from './state-files.ts'

export interface FileStoreOptions {
  readonly folder: Folder
  readonly definitions: readonly ResourceDefinition[]
  /** Changes what a file says before it is taken: another address for the same cluster, for instance. */
  readonly amend?: (kind: string, spec: unknown) => unknown
  readonly state: Pick<StateFiles, 'load' | 'save' | 'remove'>
  readonly clock: Clock
  readonly announcer: Announcer
}

/** A file must be missing for this long before its resources are: editors replace files by removing them first. */
const ABSENCE_MS = 1_000
/** Nothing could be read for this long: the cache is stale. */
const STALE_MS = 60_000

/** Resources of a folder of manifests, with what an API server would add: generation, uid, status, finalizers, admission. */
export class FileStore implements ResourceStore {
  readonly #options: FileStoreOptions
  readonly #stored = new Map<string, StoredResource>()
  readonly #absentSince = new Map<string, number>()
  readonly #listeners: ((ref: ResourceRef) => void)[] = []
  #files: readonly FileText[] = []
  /** The files may say more than is stored, though they have not changed. */
  #unsettled = true
  #documents: ReadonlyMap<string, ManifestDocument> = new Map()
  #reported: ReadonlySet<string> = new Set()
  readonly #noted = new Set<string>()
  #lastScanMs = 0

  constructor(options: FileStoreOptions) {
    this.#options = options
  }

  async start(kinds: readonly string[], signal: AbortSignal): Promise<void> {
    for (const entry of await this.#options.state.load()) {
      if (kinds.includes(entry.resource.kind) && this.#covers(entry.source)) this.#stored.set(refKey(refOf(entry.resource)), entry)
    }
    await this.#scan()
    void this.#follow(signal)
  }

  list(kind: string): readonly Resource[] {
    const found = [...this.#stored.values()].map(entry => entry.resource).filter(resource => resource.kind === kind)
    return found.sort((a, b) => compare(a.metadata.namespace, b.metadata.namespace) || compare(a.metadata.name, b.metadata.name))
  }

  get(ref: ResourceRef): Resource | undefined {
    return this.#stored.get(refKey(ref))?.resource
  }

  onChange(listener: (ref: ResourceRef) => void): void {
    this.#listeners.push(listener)
  }

  async writeStatus(ref: ResourceRef, patch: StatusPatch): Promise<'written' | 'unchanged' | 'gone'> {
    const entry = this.#stored.get(refKey(ref))
    if (entry === undefined) return 'gone'
    const { observedGeneration, conditions, fields } = patch
    // Through JSON, as an API server would: what it cannot say is not in the status.
    const status = JSON.parse(JSON.stringify({ observedGeneration, conditions, ...fields })) as CommonStatus
    if (isDeepStrictEqual(status, entry.resource.status)) return 'unchanged'
    await this.#put({ ...entry, resource: { ...entry.resource, status } })
    return 'written'
  }

  async addFinalizer(ref: ResourceRef, finalizer: string): Promise<void> {
    const entry = this.#stored.get(refKey(ref))
    const finalizers = entry?.resource.metadata.finalizers ?? []
    if (entry === undefined || finalizers.includes(finalizer)) return
    await this.#put(withMetadata(entry, { finalizers: [...finalizers, finalizer] }))
  }

  async removeFinalizer(ref: ResourceRef, finalizer: string): Promise<void> {
    const entry = this.#stored.get(refKey(ref))
    if (entry === undefined) return
    const finalizers = (entry.resource.metadata.finalizers ?? []).filter(other => other !== finalizer)
    const next = withMetadata(entry, { finalizers })
    if (finalizers.length === 0 && next.resource.metadata.deletionTimestamp !== undefined) await this.#drop(next)
    else await this.#put(next)
  }

  /** A folder has no namespaces that could go: a resource goes with its file. */
  namespaceGoes(): Promise<boolean> {
    return Promise.resolve(false)
  }

  healthy(): boolean {
    return this.#options.clock.monotonicMs() - this.#lastScanMs < STALE_MS
  }

  /** What is wrong with the files now, one line each. */
  problems(): readonly string[] {
    return [...this.#reported]
  }

  #covers(source: string): boolean {
    const path = relative(resolve(this.#options.folder.path), source)
    return path === '' || !path.startsWith('..')
  }

  async #follow(signal: AbortSignal): Promise<void> {
    await this.#options.folder.follow(this.#options.clock, signal, async () => {
      try {
        await this.#scan()
      } catch (error) {
        this.#report([{ file: this.#options.folder.path, message: `cannot be read, nothing changes: ${(error as Error).message}` }])
      }
    })
  }

  async #scan(): Promise<void> {
    const files = await this.#options.folder.scan()
    this.#lastScanMs = this.#options.clock.monotonicMs()
    if (!this.#unsettled && this.#absentSince.size === 0 && sameFiles(files, this.#files)) return
    this.#files = files
    this.#unsettled = false
    const { documents, problems } = gatherDocuments(files, this.#documents)
    this.#documents = documents
    const found = [...problems]
    for (const document of documents.values()) if (isOurs(document)) found.push(...(await this.#take(document)))
    for (const [key, entry] of [...this.#stored]) {
      if (documents.has(key)) this.#absentSince.delete(key)
      else await this.#absent(key, entry)
    }
    this.#report(found)
    this.#noteOthers(documents)
  }

  /** Said once: somebody may wonder why nothing happens to them. */
  #noteOthers(documents: ReadonlyMap<string, ManifestDocument>): void {
    for (const [key, document] of documents) {
      if (isOurs(document) || document.kind === 'Secret' || this.#noted.has(key)) continue
      this.#noted.add(key)
      this.#options.announcer.say({
        what: 'Skipped',
        message: `${document.file}: ${subjectOf(document)} is no resource of Sluice`,
        level: 'info',
      })
    }
  }

  /** Creates or changes the resource of a document; answers why not. */
  async #take(document: ManifestDocument): Promise<readonly ManifestProblem[]> {
    const strange = strangeness(document, this.#options.definitions)
    if (strange !== undefined) return [strange]
    const old = this.#stored.get(documentKey(document))
    const source = resolve(document.file)
    const next = this.#asStored(document, old?.resource)
    if (old?.source === source && isDeepStrictEqual(next, old.resource)) return []
    if (old?.resource.metadata.deletionTimestamp !== undefined) return this.#reappeared(old, next)
    const definition = this.#options.definitions.find(({ kind }) => kind === document.kind)
    const violations = definition === undefined ? [] : validateResource(definition, document.object, old?.resource)
    if (violations.length > 0) return violations.map(({ field, message }) => problemOf(document, message, field))
    await this.#put({ resource: next, source })
    this.#notify(refOf(next))
    return []
  }

  /** The one of that name has to go first, as in Kubernetes; what can be said to it meanwhile are annotations. */
  async #reappeared(old: StoredResource, { metadata: { annotations = {} } }: Resource): Promise<readonly ManifestProblem[]> {
    const ref = refOf(old.resource)
    const once = `${refKey(ref)} ${old.resource.metadata.uid ?? ''}`
    if (!this.#noted.has(once)) {
      this.#noted.add(once)
      const message = 'was deleted when its file was gone and has to go first; what its file says now is taken up after that'
      this.#options.announcer.say({ about: ref, what: 'Waiting', message, level: 'info' })
    }
    if (isDeepStrictEqual(old.resource.metadata.annotations ?? {}, annotations)) return []
    await this.#put(withMetadata(old, { annotations }))
    this.#notify(ref)
    return []
  }

  #asStored({ kind, namespace, name, object }: ManifestDocument, old: Resource | undefined): Resource {
    const given = object.metadata as Resource['metadata'] | undefined
    const amend = this.#options.amend ?? ((_, unchanged) => unchanged)
    const spec = amend(kind, JSON.parse(JSON.stringify(object.spec ?? {})))
    const kept = old?.metadata ?? { uid: randomUUID(), creationTimestamp: this.#timestamp() }
    const generation = (old?.metadata.generation ?? 0) + (old !== undefined && isDeepStrictEqual(spec, old.spec) ? 0 : 1)
    return {
      apiVersion: API_VERSION,
      kind,
      metadata: { ...kept, name, namespace, labels: { ...given?.labels }, annotations: { ...given?.annotations }, generation },
      spec,
      ...(old?.status === undefined ? {} : { status: old.status }),
    }
  }

  async #absent(key: string, entry: StoredResource): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs()
    const since = this.#absentSince.get(key) ?? nowMs
    this.#absentSince.set(key, since)
    if (nowMs - since < ABSENCE_MS || entry.resource.metadata.deletionTimestamp !== undefined) return
    if ((entry.resource.metadata.finalizers ?? []).length === 0) {
      await this.#drop(entry)
      return
    }
    const deletionTimestamp = this.#timestamp()
    const generation = (entry.resource.metadata.generation ?? 0) + 1
    await this.#put(withMetadata(entry, { deletionTimestamp, generation }))
    this.#notify(refOf(entry.resource))
  }

  async #put(entry: StoredResource): Promise<void> {
    this.#stored.set(refKey(refOf(entry.resource)), entry)
    await this.#options.state.save(entry)
  }

  async #drop(entry: StoredResource): Promise<void> {
    const ref = refOf(entry.resource)
    this.#stored.delete(refKey(ref))
    this.#absentSince.delete(refKey(ref))
    this.#unsettled = true
    await this.#options.state.remove(ref)
    this.#options.announcer.say({ about: ref, what: 'Removed', message: `${shownPath(entry.source)} no longer has it`, level: 'info' })
    this.#notify(ref)
  }

  #timestamp(): string {
    return new Date(this.#options.clock.now()).toISOString()
  }

  #notify(ref: ResourceRef): void {
    for (const listener of this.#listeners) listener(ref)
  }

  #report(problems: readonly ManifestProblem[]): void {
    const lines = new Set(problems.map(problemLine))
    for (const line of lines) if (!this.#reported.has(line)) this.#options.announcer.say({ what: 'Invalid', message: line, level: 'error' })
    for (const line of this.#reported)
      if (!lines.has(line)) this.#options.announcer.say({ what: 'Corrected', message: line, level: 'info' })
    this.#reported = lines
  }
}

/** Relative where that is shorter to read, which it is not above the current folder. */
function shownPath(path: string): string {
  const fromHere = relative('.', path)
  return fromHere.startsWith('..') ? path : fromHere
}

const withMetadata = (entry: StoredResource, metadata: Partial<Resource['metadata']>): StoredResource => ({
  ...entry,
  resource: { ...entry.resource, metadata: { ...entry.resource.metadata, ...metadata } },
})

/** `Folder` answers the same objects as long as the files are the same. */
const sameFiles = (a: readonly FileText[], b: readonly FileText[]): boolean => a.length === b.length && a.every((file, i) => file === b[i])

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
