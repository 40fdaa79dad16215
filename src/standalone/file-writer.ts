import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { dump, load } from 'js-yaml'
import type { ResourceRef } from '../api/resource.ts'
import { Refused } from '../console/ports.ts'
import type { Caller, NewResource, ResourceWriter } from '../console/ports.ts'
import { writeWhole } from './whole-file.ts'

/** Resources that the console makes become files of the folder, one each, where the store finds them like any other. */
export class FileWriter implements ResourceWriter {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async create(_caller: Caller, resource: NewResource): Promise<void> {
    if (!(await stat(this.#folder)).isDirectory())
      throw new Refused(
        409,
        `the resources are one file, ${this.#folder}: start sluice run with a folder, where the console can add a file`,
      )
    await writeWhole(this.#file(resource.kind, resource.metadata), text(resource))
  }

  /** Only of files that the console wrote: others may hold comments and several resources. */
  async suspend(_caller: Caller, ref: ResourceRef, suspended: boolean): Promise<void> {
    const file = this.#file(ref.kind, ref)
    const before = await readFile(file, 'utf8').catch(() => {
      throw new Refused(409, `${ref.kind} ${ref.name} was not made by the console: set spec.suspend in its file`)
    })
    const resource = load(before) as NewResource
    await writeWhole(file, text({ ...resource, spec: { ...resource.spec, suspend: suspended } }))
  }

  #file(kind: string, { namespace, name }: { readonly namespace: string; readonly name: string }): string {
    return join(this.#folder, `console.${kind}.${namespace}.${name}.yaml`)
  }
}

const text = (resource: NewResource): string => dump(resource, { lineWidth: 140, noRefs: true })
