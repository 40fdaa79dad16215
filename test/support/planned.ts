import type { Resource } from '../../src/api/resource.ts'
import type { Kind } from '../../src/kinds/kind.ts'
import type { Plan } from '../../src/operator/plan.ts'

/** What a kind wants of a cluster on which nothing is yet. */
export const planned = (kind: Kind, resource: Resource): Plan =>
  kind.plan(resource, {
    now: Date.now(),
    connection: {
      ref: { kind: 'KafkaConnection', namespace: resource.metadata.namespace, name: 'main' },
      defaults: { replicationFactor: 1 },
      probe: undefined,
    },
    topics: new Map(),
    vanishing: new Set(),
    siblings: [],
    answers: new Map(),
  })
