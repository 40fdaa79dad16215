import { dump } from 'js-yaml'
import type { ResourceDefinition } from './definition.ts'
import type { JsonSchema } from './json-schema.ts'
import { resourceSchema } from './json-schema.ts'
import { GROUP, VERSION } from './resource.ts'

/** What `kubectl get` shows of every kind, around the kind's own columns. */
const READY = [
  { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason' },
]
const MESSAGE = { name: 'Message', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].message', priority: 1 }
const AGE = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }

/** The CustomResourceDefinition of a kind, as the API server wants it. */
export function crd(definition: ResourceDefinition): Readonly<Record<string, unknown>> {
  const { kind, plural, shortNames, printerColumns, scale } = definition
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), shortNames, categories: ['sluice'] },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: structural(resourceSchema(definition)) },
          subresources: { status: {}, ...(scale && { scale }) },
          additionalPrinterColumns: [...READY, ...printerColumns, MESSAGE, AGE],
        },
      ],
    },
  }
}

/** Name of the file below `crds/`. */
export const crdFileName = (definition: ResourceDefinition): string => `${GROUP}_${definition.plural}.yaml`

/** Text of the file below `crds/`. */
export const crdYaml = (definition: ResourceDefinition): string =>
  `# Made by scripts/generate-crds.ts from the resource.ts of the kind; do not edit.\n${dump(JSON.parse(JSON.stringify(crd(definition))), { noRefs: true, lineWidth: 140 })}`

/** The API server prunes unknown fields by itself and refuses `additionalProperties` beside `properties`; our own keywords stay here. */
function structural(schema: JsonSchema): JsonSchema {
  const { properties, items, additionalProperties, ...rest } = schema
  const own = Object.fromEntries(Object.entries(rest).filter(([key]) => !key.startsWith('x-sluice-')))
  return {
    ...own,
    ...(properties && { properties: Object.fromEntries(Object.entries(properties).map(([name, node]) => [name, structural(node)])) }),
    ...(items && { items: structural(items) }),
    ...(typeof additionalProperties === 'object' && { additionalProperties: structural(additionalProperties) }),
  }
}
