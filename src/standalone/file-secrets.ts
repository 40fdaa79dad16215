import type { ManifestDocument } from '../api/manifest.ts'
import type { SecretReader } from '../operator/ports.ts'
import { documentKey, gatherDocuments } from './documents.ts'
import type { Folder } from './folder.ts'

/**
 * Secrets as `kind: Secret` documents, in the folder of the resources or in one of their own. Read when asked: a changed file is a changed
 * Secret. Nothing of their content goes anywhere but to the caller.
 */
export class FileSecrets implements SecretReader {
  readonly #folders: readonly Folder[]
  #known: ReadonlyMap<string, ManifestDocument> = new Map()

  constructor(folders: readonly Folder[]) {
    this.#folders = folders
  }

  async read(namespace: string, name: string): Promise<ReadonlyMap<string, Buffer> | undefined> {
    const files = (await Promise.all(this.#folders.map(folder => folder.scan()))).flat()
    this.#known = gatherDocuments(files, this.#known).documents
    const document = this.#known.get(documentKey({ kind: 'Secret', namespace, name }))
    return document === undefined ? undefined : secretContent(document.object)
  }
}

/** `stringData` wins over `data`, as in Kubernetes. */
export function secretContent(secret: Readonly<Record<string, unknown>>): ReadonlyMap<string, Buffer> {
  const encoded = Object.entries(stringEntries(secret.data)).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const)
  const plain = Object.entries(stringEntries(secret.stringData)).map(([key, value]) => [key, Buffer.from(value, 'utf8')] as const)
  return new Map([...encoded, ...plain])
}

const stringEntries = (value: unknown): Readonly<Record<string, string>> =>
  typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
    : {}
