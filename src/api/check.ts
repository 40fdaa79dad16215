import type { ResourceDefinition } from './definition.ts'
import type { ManifestDocument, ManifestProblem } from './manifest.ts'
import { subjectOf } from './manifest.ts'
import { API_VERSION, GROUP } from './resource.ts'
import { validateResource } from './validation.ts'

/** What a document is to us. */
export type Verdict =
  | { readonly type: 'valid'; readonly document: ManifestDocument; readonly definition: ResourceDefinition }
  | { readonly type: 'invalid'; readonly document: ManifestDocument; readonly problems: readonly ManifestProblem[] }
  /** Another group: a Secret, a Deployment; none of our business. */
  | { readonly type: 'foreign'; readonly document: ManifestDocument }

/** Judges one document of a manifest against the kinds that there are. */
export function checkDocument(definitions: readonly ResourceDefinition[], document: ManifestDocument): Verdict {
  const { file, line, apiVersion, kind, object } = document
  if (apiVersion !== GROUP && !apiVersion.startsWith(`${GROUP}/`)) return { type: 'foreign', document }
  const problem = (field: string, message: string): ManifestProblem => ({ file, line, subject: subjectOf(document), field, message })
  if (apiVersion !== API_VERSION) return { type: 'invalid', document, problems: [problem('apiVersion', `must be ${API_VERSION}`)] }
  const definition = definitions.find(candidate => candidate.kind === kind)
  if (!definition) {
    return {
      type: 'invalid',
      document,
      problems: [problem('kind', `unknown kind; there are ${definitions.map(known => known.kind).join(', ')}`)],
    }
  }
  const violations = validateResource(definition, object)
  if (violations.length === 0) return { type: 'valid', document, definition }
  return { type: 'invalid', document, problems: violations.map(({ field, message }) => problem(field, message)) }
}
