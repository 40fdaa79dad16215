import { API_VERSION } from '../../api/resource.ts'
import { validateResource } from '../../api/validation.ts'
import { definition } from '../../kinds/dead-letter-redrive/resource.ts'
import type { DeadLetterRedriveSpec, Select } from '../../kinds/dead-letter-redrive/resource.ts'
import { Refused } from '../ports.ts'
import type { NewResource } from '../ports.ts'
import { jsonObject } from '../request.ts'

/** The selectors of a DeadLetterRedrive, as JSON; everything when nothing is said. @throws Refused as the API server would refuse them */
export function selectIn(query: URLSearchParams): Select {
  const text = query.get('select')
  if (text === null || text === '') return { all: true }
  const select = jsonObject('select', text)
  return redriveOf('default', 'search', 'search', { select }).spec.select
}

export interface NewRedrive extends NewResource {
  readonly spec: DeadLetterRedriveSpec
}

/** A redrive as asked for. @throws Refused as the API server would refuse it, naming the field */
export function redriveOf(
  namespace: string,
  name: string,
  pipeline: string,
  spec: Readonly<Record<string, unknown>>,
  annotations: Readonly<Record<string, string>> = {},
): NewRedrive {
  const resource = {
    apiVersion: API_VERSION,
    kind: definition.kind,
    metadata: { namespace, name, annotations },
    spec: { ...spec, pipelineRef: { name: pipeline } },
  }
  const violations = validateResource(definition, resource)
  if (violations.length > 0) throw new Refused(400, violations.map(({ field, message }) => `${field}: ${message}`).join('; '))
  return resource as unknown as NewRedrive
}
