import { boolYaml11Tag, CORE_SCHEMA, load, mergeTag, YAMLException } from 'js-yaml'
import { shown } from './shown.ts'

/** One document of a manifest, of whatever group. Namespace `default` where it names none, as kubectl has it. */
export interface ManifestDocument {
  readonly file: string
  /** Line of the file on which the document begins, from 1. */
  readonly line: number
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly object: Readonly<Record<string, unknown>>
}

/** Why a document, or a whole file, cannot be read. Never quotes values: they may be secrets. */
export interface ManifestProblem {
  readonly file: string
  readonly line?: number
  /** `Kind/name`, where it got that far. */
  readonly subject?: string
  readonly field?: string
  readonly message: string
}

export interface Manifest {
  readonly documents: readonly ManifestDocument[]
  readonly problems: readonly ManifestProblem[]
}

/** A file above this is no manifest: the API server takes objects up to about 1.5 MB. */
export const MAX_MANIFEST_CHARACTERS = 4 * 1024 * 1024
/** Values of one document after aliases are expanded; a few lines of YAML can ask for billions. */
const MAX_VALUES = 100_000
const MAX_DEPTH = 64
// kubectl reads YAML 1.1, in which yes and on are true; and it merges `<<`.
const SCHEMA = CORE_SCHEMA.withTags(boolYaml11Tag, mergeTag)

/** Reads every document of a file. A bad one is a problem of its own and does not hide the others. Never throws. */
export function readManifest(file: string, text: string): Manifest {
  if (text.length > MAX_MANIFEST_CHARACTERS) {
    return {
      documents: [],
      problems: [{ file, message: `has ${text.length} characters, at most ${MAX_MANIFEST_CHARACTERS} are read: split the file` }],
    }
  }
  const results = chunks(text).map(chunk => readChunk(file, chunk))
  return { documents: results.flatMap(result => result.documents), problems: results.flatMap(result => result.problems) }
}

interface Chunk {
  readonly text: string
  /** Lines of the file above the text. */
  readonly above: number
}

/** Cuts at the document markers, which YAML allows at the start of a line only, so that each document is parsed by itself. */
function chunks(text: string): readonly Chunk[] {
  const found: Chunk[] = []
  let lines: string[] = []
  let above = 0
  const all = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)
  const finish = (next: number) => {
    // Comments, blank lines and directives are no document.
    if (lines.some(line => !/^\s*(#.*)?$|^%/.test(line))) found.push({ text: lines.join('\n'), above })
    lines = []
    above = next
  }
  all.forEach((line, i) => {
    if (/^---(\s|$)/.test(line)) {
      finish(i)
      lines.push(line.slice(3))
    } else if (/^\.\.\.(\s|$)/.test(line)) finish(i + 1)
    else lines.push(line)
  })
  finish(all.length)
  return found
}

function readChunk(file: string, chunk: Chunk): Manifest {
  try {
    const value = load(chunk.text, { schema: SCHEMA, maxDepth: MAX_DEPTH })
    const problem = bombProblem(value)
    if (problem !== undefined) return failed(file, firstLine(chunk), problem)
    return value === null ? NOTHING : readValue(file, firstLine(chunk), value)
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error
    return failed(file, chunk.above + (error.mark?.line ?? 0) + 1, `not YAML: ${error.reason}`)
  }
}

const NOTHING: Manifest = { documents: [], problems: [] }
const failed = (
  file: string,
  line: number,
  message: string,
  more: { readonly subject?: string; readonly field?: string } = {},
): Manifest => ({
  documents: [],
  problems: [{ file, line, ...more, message }],
})

const firstLine = (chunk: Chunk): number => {
  const lines = chunk.text.split('\n')
  return (
    chunk.above +
    1 +
    Math.max(
      0,
      lines.findIndex(line => !/^\s*(#.*)?$/.test(line)),
    )
  )
}

/** Counts values as if aliases were copied, each shared one once: linear in the text, whatever it expands to. */
function bombProblem(root: unknown): string | undefined {
  const sizes = new Map<object, number>()
  const open = new Set<object>()
  const sizeOf = (value: unknown): number => {
    if (value === null || typeof value !== 'object') return 1
    const known = sizes.get(value)
    if (known !== undefined) return known
    if (open.has(value)) return Infinity
    open.add(value)
    const size = Object.values(value).reduce((sum: number, child) => sum + sizeOf(child), 1)
    open.delete(value)
    sizes.set(value, size)
    return size
  }
  const size = sizeOf(root)
  if (size === Infinity) return 'an alias refers to itself: write the value out'
  return size > MAX_VALUES ? `aliases expand to more than ${MAX_VALUES} values: write the values out` : undefined
}

type Fields = Readonly<Record<string, unknown>>
const isFields = (value: unknown): value is Fields => value !== null && typeof value === 'object' && !Array.isArray(value)

function readValue(file: string, line: number, value: unknown): Manifest {
  if (!isFields(value)) return failed(file, line, 'a document must be a mapping with apiVersion, kind, metadata and spec')
  if (value.kind === 'List' && Array.isArray(value.items)) {
    const items = value.items.map(item => readValue(file, line, item))
    return { documents: items.flatMap(item => item.documents), problems: items.flatMap(item => item.problems) }
  }
  const metadata = isFields(value.metadata) ? value.metadata : {}
  const { apiVersion, kind } = value
  const { name, namespace = 'default' } = metadata
  const missing = missingText({ apiVersion, kind, 'metadata.name': name, 'metadata.namespace': namespace })
  if (missing !== undefined) {
    const subject = typeof kind === 'string' ? { subject: typeof name === 'string' ? `${shown(kind)}/${shown(name)}` : shown(kind) } : {}
    return failed(file, line, missing.message, { field: missing.field, ...subject })
  }
  const document = { file, line, object: value, apiVersion, kind, namespace, name } as ManifestDocument
  return { documents: [document], problems: [] }
}

function missingText(values: Fields): { readonly field: string; readonly message: string } | undefined {
  const found = Object.entries(values).find(([, value]) => typeof value !== 'string' || value === '')
  if (found === undefined) return undefined
  const [field, value] = found
  return { field, message: value === undefined || value === null || value === '' ? 'is required' : 'must be text: put it in quotes' }
}

/** `Kind/name`, with the namespace where it is not the default one. */
export const subjectOf = ({ kind, namespace, name }: Pick<ManifestDocument, 'kind' | 'namespace' | 'name'>): string =>
  namespace === 'default' ? `${shown(kind)}/${shown(name)}` : `${shown(kind)}/${shown(namespace)}/${shown(name)}`
