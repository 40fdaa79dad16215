import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { dump, load } from 'js-yaml'
import type { Resource, ResourceRef } from '../api/resource.ts'
import { writeWhole } from './whole-file.ts'

/** A resource as the standalone operator keeps it: what an API server would store, and the file it comes from. */
export interface StoredResource {
  readonly resource: Resource
  /** Absolute path of the manifest. */
  readonly source: string
}

/** Which manifest a state file is about; seen in the file, never in the resource. */
const SOURCE_ANNOTATION = 'sluice.dev/source'

/** One YAML file per resource, `<Kind>.<namespace>.<name>.yaml`, in the form of `kubectl get -o yaml`: status, generation and finalizers outlive a restart. */
export class StateFiles {
  readonly #folder: string
  #last: Promise<void> = Promise.resolve()

  constructor(folder: string) {
    this.#folder = folder
  }

  async load(): Promise<readonly StoredResource[]> {
    const names = (await namesIn(this.#folder)).filter(name => name.endsWith('.yaml')).sort()
    const stored = await Promise.all(names.map(name => this.#read(join(this.#folder, name))))
    return stored.filter(entry => entry !== undefined)
  }

  save({ resource, source }: StoredResource): Promise<void> {
    const annotations = { ...resource.metadata.annotations, [SOURCE_ANNOTATION]: source }
    const document = { ...resource, metadata: { ...resource.metadata, annotations } }
    return this.#inOrder(async () => {
      await mkdir(this.#folder, { recursive: true })
      await writeWhole(this.#file(resource.kind, resource.metadata), dump(document, { lineWidth: 140, noRefs: true }))
    })
  }

  remove(ref: ResourceRef): Promise<void> {
    return this.#inOrder(() => rm(this.#file(ref.kind, ref), { force: true }))
  }

  /** The last state saved is the one that stays. */
  #inOrder(write: () => Promise<void>): Promise<void> {
    const done = this.#last.then(write)
    this.#last = done.catch(() => undefined)
    return done
  }

  #file(kind: string, { namespace, name }: { readonly namespace: string; readonly name: string }): string {
    return join(this.#folder, `${kind}.${namespace}.${name}.yaml`)
  }

  /** undefined: not ours, or damaged; the resource then starts as if new, which costs a status and no data. */
  async #read(file: string): Promise<StoredResource | undefined> {
    const document = readYaml(await readFile(file, 'utf8'))
    const annotations = document?.metadata?.annotations
    const source = annotations?.[SOURCE_ANNOTATION]
    if (document?.metadata === undefined || source === undefined) return undefined
    const { [SOURCE_ANNOTATION]: _, ...rest } = annotations ?? {}
    return { source, resource: { ...document, metadata: { ...document.metadata, annotations: rest } } as Resource }
  }
}

/** A folder that is not there yet is an empty one. */
async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

interface StateDocument {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> }
}

function readYaml(text: string): StateDocument | undefined {
  try {
    const value: unknown = load(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
