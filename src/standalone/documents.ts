import type { ResourceDefinition } from '../api/definition.ts'
import type { ManifestDocument, ManifestProblem } from '../api/manifest.ts'
import { readManifest, subjectOf } from '../api/manifest.ts'
import { API_VERSION, GROUP } from '../api/resource.ts'
import type { FileText } from './folder.ts'

/** What a set of files says, Secrets and documents of others included. */
export interface Sources {
  /** By `documentKey`. */
  readonly documents: ReadonlyMap<string, ManifestDocument>
  readonly problems: readonly ManifestProblem[]
}

export const documentKey = ({ kind, namespace, name }: Pick<ManifestDocument, 'kind' | 'namespace' | 'name'>): string =>
  `${kind}/${namespace}/${name}`

/** `FILE:LINE: Kind/name: field: message` */
export const problemLine = ({ file, line, subject, field, message }: ManifestProblem): string =>
  [line === undefined ? file : `${file}:${line}`, subject, field, message].filter(part => part !== undefined).join(': ')

/**
 * Reads a set of files. A file with a mistake in it does not take away what an earlier version of it said: a slip of the keyboard must not
 * look like the deletion of a resource, which may delete topics.
 */
export function gatherDocuments(files: readonly FileText[], before: ReadonlyMap<string, ManifestDocument>): Sources {
  const documents = new Map<string, ManifestDocument>()
  const problems: ManifestProblem[] = []
  const broken = new Set<string>()
  for (const { file, text } of files) {
    const result = readManifest(file, text)
    problems.push(...result.problems)
    if (result.problems.length > 0) broken.add(file)
    for (const document of result.documents) {
      const first = documents.get(documentKey(document))
      if (first === undefined) documents.set(documentKey(document), document)
      else problems.push(problemOf(document, `is already in ${first.file}, line ${first.line}; remove one of the two`))
    }
  }
  for (const [key, document] of before) if (broken.has(document.file) && !documents.has(key)) documents.set(key, document)
  return { documents, problems }
}

export const problemOf = (document: ManifestDocument, message: string, field?: string): ManifestProblem => ({
  file: document.file,
  line: document.line,
  subject: subjectOf(document),
  ...(field !== undefined && { field }),
  message,
})

/** Of this API group: a resource of ours, or meant to be one. */
export const isOurs = ({ apiVersion }: ManifestDocument): boolean => apiVersion.startsWith(`${GROUP}/`)

/** Why a document of our group can be no resource, whatever its spec says. */
export function strangeness(document: ManifestDocument, definitions: readonly ResourceDefinition[]): ManifestProblem | undefined {
  if (document.apiVersion !== API_VERSION) return problemOf(document, `must be ${API_VERSION}`, 'apiVersion')
  if (definitions.some(definition => definition.kind === document.kind)) return undefined
  return problemOf(document, `unknown kind; there are ${definitions.map(definition => definition.kind).join(', ')}`, 'kind')
}
