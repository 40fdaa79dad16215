import { Type } from 'typebox'
import type { ResourceDefinition } from '../../../src/api/definition.ts'
import type { Resource } from '../../../src/api/resource.ts'
import type { ReconciledKind } from '../../../src/operator/kind.ts'
import type { Observed } from '../../../src/operator/observed.ts'
import type { Plan, TopicIntent } from '../../../src/operator/plan.ts'
import { aResource } from './builders.ts'

const definition = (kind: string, shortName: string): ResourceDefinition => ({
  kind,
  plural: `${kind.toLowerCase()}s`,
  shortNames: [shortName],
  description: 'For tests of the engine.',
  spec: Type.Object({}),
  status: Type.Object({}),
  printerColumns: [],
})

const NOTHING = { topics: [], problems: [], status: {} } satisfies Plan

/** Says of the probe what it is, no more. */
export const connectionKind: ReconciledKind = {
  definition: definition('KafkaConnection', 'kconn'),
  connectionOf: () => undefined,
  interest: () => ({ topics: () => false, configKeys: [], sizes: false }),
  plan: (_, { connection: { probe } }) => {
    if (probe?.ok === true) return { ...NOTHING, status: { clusterId: probe.cluster.clusterId } }
    const code = probe?.code ?? 'BrokerUnreachable'
    const reason = code === 'SecretMissing' ? 'SecretNotFound' : code === 'AuthenticationFailed' ? code : 'BrokerUnreachable'
    return { ...NOTHING, problems: [{ severity: 'NotReady', reason, message: probe?.message ?? 'not probed' }] }
  },
}

export interface BoardSpec {
  readonly connectionRef: { readonly name: string }
  readonly topics?: readonly Partial<TopicIntent>[]
  readonly replicas?: number
  readonly config?: unknown
  readonly alert?: string
  readonly observe?: boolean
  readonly suspend?: boolean
  readonly deletionPolicy?: 'Retain' | 'Delete'
  readonly sizes?: boolean
  /** What plan() does besides. */
  readonly also?: (observed: Observed, board: Resource) => Partial<Plan>
}

/** A kind that wants exactly what its spec says. */
export const boardKind: ReconciledKind = {
  definition: definition('Board', 'bd'),
  connectionOf: resource => boardOf(resource).connectionRef.name,
  interest: resource => {
    const names = new Set(intents(resource).map(({ name }) => name))
    const configKeys = intents(resource).flatMap(({ configs }) => Object.keys(configs))
    return { topics: name => names.has(name), configKeys: [...new Set(configKeys)], sizes: boardOf(resource).sizes === true }
  },
  plan: (resource, observed) => {
    const { replicas, alert, observe, also, config = {} } = boardOf(resource)
    const rule = { expr: '1', for: '5m', severity: 'info', summary: '', description: '', runbook: '' } as const
    return {
      ...NOTHING,
      topics: intents(resource),
      status: { seen: observed.topics.size },
      ...(replicas !== undefined && { workers: { replicas, group: `group-${resource.metadata.name}`, config } }),
      ...(alert !== undefined && { alerts: { rules: [{ ...rule, alert }] } }),
      ...(observe === true && { observeOnly: true }),
      ...also?.(observed, resource),
    }
  },
  deletes: resource => intents(resource).map(({ name }) => name),
}

const boardOf = ({ spec }: Resource) => spec as BoardSpec

const intents = (resource: Resource): readonly TopicIntent[] =>
  (boardOf(resource).topics ?? []).map(topic => ({ name: 'orders', configs: {}, owned: true, ...topic }))

export const aBoard = (spec: Partial<BoardSpec> = {}, name = 'one'): Resource<BoardSpec> =>
  aResource('Board', name, { connectionRef: { name: 'main' }, ...spec })

export const boardRef = (name = 'one') => ({ kind: 'Board', namespace: 'shop', name })
export const connectionRef = (name = 'main') => ({ kind: 'KafkaConnection', namespace: 'shop', name })
