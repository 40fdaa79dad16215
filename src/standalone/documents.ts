import type { FileText } from './folder.ts'

/** One document of a manifest, with the namespace filled in. */
export interface SourceDocument {
  readonly file: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly object: Readonly<Record<string, unknown>>
}

/** Why a document, or a whole file, is not in force. Never quotes values: they may be secrets. */
export interface SourceProblem {
  readonly file: string
  /** `Kind/name`, where it got that far. */
  readonly subject?: string
  readonly field?: string
  readonly message: string
}

/** Reads the text of one file; injected, so that this room needs no opinion on the format. */
export type ReadManifest = (
  file: string,
  text: string,
) => { readonly documents: readonly SourceDocument[]; readonly problems: readonly SourceProblem[] }

export interface Sources {
  /** By `documentKey`. */
  readonly documents: ReadonlyMap<string, SourceDocument>
  readonly problems: readonly SourceProblem[]
}

export const documentKey = (document: { readonly kind: string; readonly namespace: string; readonly name: string }): string =>
  `${document.kind}/${document.namespace}/${document.name}`

/** `FILE: Kind/name: field: message` */
export const problemLine = ({ file, subject, field, message }: SourceProblem): string =>
  [file, subject, field, message].filter(part => part !== undefined).join(': ')

/**
 * What a set of files says. A file with a mistake in it does not take away what an earlier version of it said: a slip of the keyboard must
 * not look like the deletion of a resource, which may delete topics.
 */
export function gatherDocuments(files: readonly FileText[], read: ReadManifest, before: ReadonlyMap<string, SourceDocument>): Sources {
  const documents = new Map<string, SourceDocument>()
  const problems: SourceProblem[] = []
  const broken = new Set<string>()
  for (const { file, text } of files) {
    const result = read(file, text)
    problems.push(...result.problems)
    if (result.problems.length > 0) broken.add(file)
    for (const document of result.documents) {
      const first = documents.get(documentKey(document))
      if (first === undefined) documents.set(documentKey(document), document)
      else
        problems.push({ file, subject: `${document.kind}/${document.name}`, message: `is already in ${first.file}; remove one of the two` })
    }
  }
  for (const [key, document] of before) if (broken.has(document.file) && !documents.has(key)) documents.set(key, document)
  return { documents, problems }
}
