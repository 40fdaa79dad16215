import { isDeepStrictEqual } from 'node:util'
import { createHash } from 'node:crypto'
import type { Resource, ResourceRef } from '../api/resource.ts'
import { nextGeneration } from './contracts.ts'
import type { LiveConnection } from './connections.ts'
import { MOST_POOLED, type Contract, type ContractResource } from './contract.ts'
import type { PoolWish, Problem } from './plan.ts'
import { POOL, type WorkerDeployment } from './ports.ts'

/** One of the resources that share the workers of a pool. */
export interface Member {
  readonly resource: Resource
  readonly wish: PoolWish
  /** The kind's part of the contract as planned last; undefined: not planned by this process yet, what the workers were told before stays. */
  readonly config?: { readonly value: unknown }
}

export interface PoolKey {
  readonly namespace: string
  readonly connection: string
  readonly pool: string
}

const HASH_LENGTH = 8

/** A pool is of one connection: two that are named alike on two connections are two. The name must be that of a Kubernetes object, hence the hash. */
export function poolRef({ namespace, connection, pool }: PoolKey): ResourceRef {
  const hash = createHash('sha256').update(`${connection}/${pool}`).digest('hex').slice(0, HASH_LENGTH)
  return { kind: POOL, namespace, name: `${pool.slice(0, 63 - 'pool--'.length - HASH_LENGTH)}-${hash}` }
}

/** The oldest first; of those made in the same second, by name: the same order for everybody, always. */
export const byAge = ({ resource: a }: Member, { resource: b }: Member): number =>
  compare(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') ||
  compare(a.kind, b.kind) ||
  compare(a.metadata.name, b.metadata.name)

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

type Shape = 'resources' | 'podTemplate'

/** The pods are shaped as the oldest member that says anything about it has it. */
const decider = (members: readonly Member[], field: Shape): Member | undefined => members.find(({ wish }) => wish[field] !== undefined)

/** What the pool cannot do for this member: pods have one shape, and a contract its limit. Workers run all the same. */
export function poolProblems(members: readonly Member[], resource: Resource): readonly Problem[] {
  const own = members.find(member => member.resource.kind === resource.kind && member.resource.metadata.name === resource.metadata.name)
  if (own === undefined) return []
  const problems = (['resources', 'podTemplate'] as const).flatMap((field): readonly Problem[] => {
    const first = decider(members, field)
    if (first === undefined || own.wish[field] === undefined || isDeepStrictEqual(own.wish[field], first.wish[field])) return []
    const { kind, metadata } = first.resource
    const message = `spec.workers.${field} differs from that of ${kind} "${metadata.name}", which is older in pool "${own.wish.pool}" and decides; make them equal or remove it here`
    return [{ severity: 'NotReady', reason: 'PoolConflict', message }]
  })
  if (members.indexOf(own) < MOST_POOLED) return problems
  const message = `pool "${own.wish.pool}" has ${members.length} members, more than the ${MOST_POOLED} that a contract holds: name another pool`
  return [...problems, { severity: 'NotReady', reason: 'PoolConflict', message }]
}

export interface PoolParts {
  readonly key: PoolKey
  /** By age. */
  readonly members: readonly Member[]
  readonly group: string
  readonly connection: LiveConnection
  readonly current: Contract | undefined
  readonly memoryBudgetBytes: number
}

/** The workers of a pool as its members want them together: as many as the one that asks for most. */
export function poolDeployment({ key, members, group, connection, current, memoryBudgetBytes }: PoolParts): WorkerDeployment {
  const ref = poolRef(key)
  const generation = (current?.generation ?? 0) + 1
  const told: Omit<Contract, 'generation'> = {
    version: 1,
    namespace: key.namespace,
    group,
    pool: key.pool,
    connection: connection.resolved.contract,
    resources: members.slice(0, MOST_POOLED).flatMap(member => contractResource(member, current, generation) ?? []),
    memoryBudgetBytes,
  }
  const resources = decider(members, 'resources')?.wish.resources
  const podTemplate = decider(members, 'podTemplate')?.wish.podTemplate
  return {
    of: ref,
    owners: members.map(({ resource }) => resource),
    name: `pool-${ref.name}`,
    replicas: Math.max(0, ...members.map(({ wish }) => wish.replicas)),
    contract: { ...told, generation: nextGeneration(told, current) },
    ...(resources && { resources }),
    ...(podTemplate && { podTemplate }),
    secrets: connection.resolved.mounts,
    secretsHash: connection.secretsHash,
  }
}

/** No replicas asked for: nothing of this member is worked on, whatever the others ask for. */
function contractResource(
  { resource, wish, config }: Member,
  current: Contract | undefined,
  generation: number,
): ContractResource | undefined {
  const { kind } = resource
  const { name } = resource.metadata
  const before = current?.resources.find(told => told.kind === kind && told.name === name)
  if (wish.replicas === 0) return undefined
  if (config === undefined) return before
  const value: unknown = JSON.parse(JSON.stringify(config.value))
  return before !== undefined && isDeepStrictEqual(before.config, value) ? before : { kind, name, generation, config: value }
}
