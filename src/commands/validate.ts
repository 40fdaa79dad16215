import { Command, Option } from 'commander'
import { checkDocument } from '../api/check.ts'
import { readManifest, subjectOf } from '../api/manifest.ts'
import type { ManifestDocument } from '../api/manifest.ts'
import type { Resource } from '../api/resource.ts'
import { definitions } from '../kinds/definitions.ts'
import { offlineFindings } from '../kinds/offline/index.ts'
import { Folder } from '../standalone/folder.ts'
import type { FileText } from '../standalone/folder.ts'

/** What `validate` found, in the order of the files. */
export interface Report {
  /** Resources of ours that were read, the invalid ones included. */
  readonly resources: number
  readonly findings: readonly ReportedFinding[]
  /** Documents of other groups, which were not looked at. */
  readonly skipped: readonly string[]
}

export interface ReportedFinding {
  readonly severity: 'error' | 'warning'
  readonly file: string
  readonly line?: number
  /** `Kind/name`, where it got that far. */
  readonly resource?: string
  readonly field?: string
  readonly message: string
}

interface ValidateOptions {
  readonly filename: readonly string[]
  readonly output: 'text' | 'json'
}

/** `sluice validate -f FILE|DIR|-`: exit status 0 valid (warnings included), 1 invalid, 2 could not run. */
export const validateCommand = (): Command =>
  new Command('validate')
    .requiredOption('-f, --filename <path...>', 'files or folders to check; - is standard input')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .action(async (options: ValidateOptions) => {
      const report = validateFiles((await Promise.all(options.filename.map(readPath))).flat())
      process.stdout.write(options.output === 'json' ? `${JSON.stringify(report, undefined, 2)}\n` : reportText(report))
      if (report.findings.some(({ severity }) => severity === 'error')) process.exitCode = 1
    })

async function readPath(path: string): Promise<readonly FileText[]> {
  if (path === '-') return [{ file: 'standard input', text: await standardInput() }]
  const files = await new Folder(path).scan().catch((error: unknown) => {
    throw new Error(`--filename: cannot read ${path}: ${(error as Error).message}`, { cause: error })
  })
  if (files.length === 0) throw new Error(`${path} has no .yaml, .yml or .json file: nothing to check`)
  return files
}

async function standardInput(): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of process.stdin) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}

/** Reads, checks each resource by itself, then all that are valid together. */
export function validateFiles(files: readonly FileText[]): Report {
  const manifests = files.map(({ file, text }) => readManifest(file, text))
  const verdicts = manifests.flatMap(({ documents }) => documents).map(document => checkDocument(definitions, document))
  const unreadable = manifests.flatMap(({ problems }) => problems)
  const invalid = verdicts.flatMap(verdict => (verdict.type === 'invalid' ? verdict.problems : []))
  const errors = [...unreadable, ...invalid].map(({ file, line, subject, field, message }): ReportedFinding => ({
    severity: 'error',
    file,
    ...(line !== undefined && { line }),
    ...(subject !== undefined && { resource: subject }),
    ...(field !== undefined && { field }),
    message,
  }))
  const valid = verdicts.flatMap(verdict => (verdict.type === 'valid' ? [verdict.document] : []))
  return {
    resources: verdicts.filter(({ type }) => type !== 'foreign').length,
    findings: inOrder(files, [...errors, ...together(valid)]),
    skipped: verdicts.flatMap(({ type, document }) => (type === 'foreign' ? [`${document.file}: ${subjectOf(document)}`] : [])),
  }
}

function together(documents: readonly ManifestDocument[]): readonly ReportedFinding[] {
  const sources = new Map(documents.map(document => [resourceOf(document), document]))
  return offlineFindings([...sources.keys()]).flatMap(({ resource, severity, field, message }) => {
    const source = sources.get(resource)
    return source === undefined ? [] : [{ severity, file: source.file, line: source.line, resource: subjectOf(source), field, message }]
  })
}

const resourceOf = ({ object, namespace }: ManifestDocument): Resource => {
  const resource = object as unknown as Resource
  return { ...resource, metadata: { ...resource.metadata, namespace } }
}

const inOrder = (files: readonly FileText[], findings: readonly ReportedFinding[]): readonly ReportedFinding[] => {
  const rank = new Map(files.map(({ file }, i) => [file, i]))
  return findings.toSorted((a, b) => (rank.get(a.file) ?? 0) - (rank.get(b.file) ?? 0) || (a.line ?? 0) - (b.line ?? 0))
}

/** `FILE: Kind/name: field: message`, one line each, and a last line that counts. */
export function reportText({ resources, findings, skipped }: Report): string {
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const warnings = findings.length - errors
  return [
    ...findings.map(findingLine),
    ...skipped.map(document => `${document}: skipped: not a resource of Sluice`),
    `${counted(resources, 'resource')} read: ${errors === 0 ? 'valid' : counted(errors, 'error')}${warnings === 0 ? '' : `, ${counted(warnings, 'warning')}`}`,
    '',
  ].join('\n')
}

const findingLine = ({ severity, file, line, resource, field, message }: ReportedFinding): string =>
  [
    file,
    ...(resource === undefined && line !== undefined ? [`line ${line}`] : []),
    ...[resource, field].filter(part => part !== undefined),
    severity === 'warning' ? `warning: ${message}` : message,
  ].join(': ')

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
