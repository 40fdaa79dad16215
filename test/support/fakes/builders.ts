import type { Resource } from '../../../src/api/resource.ts'
import type { ConfigEntry, TopicDescription } from '../../../src/kafka/admin.ts'
import type { ConnectionView, Observed, TopicView } from '../../../src/operator/observed.ts'
import type { TopicIntent } from '../../../src/operator/plan.ts'

/** A config set on the topic itself. */
export const own = (value: string): ConfigEntry => ({ value, source: 'Topic', readOnly: false })
/** A config that the topic inherits. */
export const inherited = (value: string): ConfigEntry => ({ value, source: 'Default', readOnly: false })

export function aTopicView(
  given: Partial<TopicDescription> & { configs?: Readonly<Record<string, ConfigEntry>>; sizeBytes?: number } = {},
): TopicView {
  const { configs = {}, ...rest } = given
  return {
    name: 'orders',
    id: 'id-orders',
    partitions: 3,
    replicationFactor: 1,
    underReplicated: 0,
    ...rest,
    configs: new Map(Object.entries(configs)),
  }
}

export const aTopicIntent = (given: Partial<TopicIntent> = {}): TopicIntent => ({ name: 'orders', configs: {}, owned: true, ...given })

export function aConnectionView(given: Partial<ConnectionView> = {}): ConnectionView {
  return {
    ref: { kind: 'KafkaConnection', namespace: 'shop', name: 'main' },
    defaults: { replicationFactor: 1 },
    probe: undefined,
    ...given,
  }
}

export function anObservation(given: Partial<Observed> = {}): Observed {
  return {
    now: Date.UTC(2026, 0, 1),
    connection: aConnectionView(),
    topics: new Map(),
    vanishing: new Set(),
    siblings: [],
    answers: new Map(),
    ...given,
  }
}

export function aResource<Spec>(kind: string, name: string, spec: Spec, given: Partial<Resource<Spec>['metadata']> = {}): Resource<Spec> {
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind,
    metadata: { name, namespace: 'shop', uid: `uid-${kind}-${name}`, generation: 1, ...given },
    spec,
  }
}

export const aConnection = (spec: Readonly<Record<string, unknown>> = {}, name = 'main'): Resource =>
  aResource('KafkaConnection', name, { bootstrapServers: ['kafka:9092'], ...spec })
