import { readFile } from 'node:fs/promises'
import { readManifest, subjectOf } from '../api/manifest.ts'
import type { ManifestDocument } from '../api/manifest.ts'
import { API_VERSION } from '../api/resource.ts'
import type { Resource } from '../api/resource.ts'
import { validateResource } from '../api/validation.ts'
import type { ConnectionSettings } from '../kafka/connection.ts'
import { definition } from '../kinds/kafka-connection/resource.ts'
import { resolveConnection } from '../operator/connection-settings.ts'
import { FileSecrets } from '../standalone/file-secrets.ts'
import { Folder } from '../standalone/folder.ts'

/**
 * Settings of the KafkaConnection in `FILE` or, where there are several, of the one that `FILE#NAME` names; its Secrets are documents of the
 * same file.
 * @throws Error that says what is missing or wrong.
 */
export async function settingsOfManifest(argument: string): Promise<ConnectionSettings> {
  const [, file = '', name] = /^(.*?)(?:#([^#/]*))?$/s.exec(argument) ?? []
  const document = chosen(file, name, await connectionsIn(file))
  const [violation] = validateResource(definition, document.object)
  if (violation !== undefined) throw new Error(`${file}: ${subjectOf(document)}: ${violation.field}: ${violation.message}`)
  const resolution = await resolveConnection(asResource(document), new FileSecrets([new Folder(file)]))
  if (!resolution.ok) throw new Error(`${file}: ${subjectOf(document)}: ${resolution.message}`)
  return resolution.connection.settings
}

async function connectionsIn(file: string): Promise<readonly ManifestDocument[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new Error(`--connection: cannot read ${file}: ${(error as Error).message}`)
  })
  const { documents, problems } = readManifest(file, text)
  const found = documents.filter(({ apiVersion, kind }) => apiVersion === API_VERSION && kind === definition.kind)
  const [problem] = problems
  if (found.length === 0 && problem !== undefined) throw new Error(`${file}: line ${problem.line ?? 1}: ${problem.message}`)
  return found
}

function chosen(file: string, name: string | undefined, found: readonly ManifestDocument[]): ManifestDocument {
  const names = found.map(document => document.name).join(', ')
  const [first, ...more] = name === undefined ? found : found.filter(document => document.name === name)
  if (first === undefined)
    throw new Error(
      name === undefined ? `${file} has no ${definition.kind}` : `${file} has no ${definition.kind} "${name}"; it has: ${names || 'none'}`,
    )
  if (more.length > 0) throw new Error(`${file} has several ${definition.kind}s; choose one with ${file}#NAME: ${names}`)
  return first
}

const asResource = ({ apiVersion, kind, namespace, name, object }: ManifestDocument): Resource => ({
  apiVersion,
  kind,
  metadata: { namespace, name },
  spec: object.spec,
})
