import type { ResourceDefinition } from '../api/definition.ts'
import type { Resource } from '../api/resource.ts'
import type { ReconciledKind } from '../operator/kind.ts'

/** A kind whose schema is there and whose work is not: it says so in its conditions, and touches nothing. */
export const notImplemented = (definition: ResourceDefinition): ReconciledKind => ({
  definition,
  connectionOf: (resource: Resource) => (resource.spec as { readonly connectionRef: { readonly name: string } }).connectionRef.name,
  interest: () => ({ topics: () => false, configKeys: [], sizes: false }),
  plan: resource => ({
    topics: [],
    problems: [
      {
        severity: 'Stalled',
        reason: 'NotImplemented',
        message: `This version of Sluice checks a ${definition.kind} but cannot run it: ${resource.metadata.name} does nothing until you upgrade.`,
      },
    ],
    status: {},
  }),
})
