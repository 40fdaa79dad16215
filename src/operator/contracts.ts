import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { ResourceDefinition } from '../api/definition.ts'
import { refOf, type Resource } from '../api/resource.ts'
import type { LiveConnection } from './connections.ts'
import type { Contract } from './contract.ts'
import type { WorkerIntent } from './plan.ts'
import type { SecretMount, WorkerDeployment } from './ports.ts'

/** Names of Kubernetes objects that become labels. */
const NAME_MAX_LENGTH = 63
const HASH_LENGTH = 8

/** `dq-pay-timeout`; a name that would be too long keeps its beginning and gets a hash of the whole. */
export function objectName(definition: ResourceDefinition, resourceName: string): string {
  const name = `${definition.shortNames[0] ?? definition.plural}-${resourceName}`.replaceAll('.', '-')
  const exact = name.length <= NAME_MAX_LENGTH && !resourceName.includes('.')
  if (exact) return name
  const hash = createHash('sha256').update(`${definition.kind}/${resourceName}`).digest('hex').slice(0, HASH_LENGTH)
  return `${name.slice(0, NAME_MAX_LENGTH - HASH_LENGTH - 1).replace(/-+$/, '')}-${hash}`
}

export interface DeploymentParts {
  readonly definition: ResourceDefinition
  readonly resource: Resource
  readonly intent: WorkerIntent
  readonly connection: LiveConnection
  /** What the workers were last told. */
  readonly current: Contract | undefined
  readonly memoryBudgetBytes: number
  /** Secrets of the resource itself. */
  readonly secrets: { readonly mounts: readonly SecretMount[]; readonly hash: string }
  /** Addresses that calls may go to although they would be refused. */
  readonly callsAllow: readonly string[]
}

/** What the platform shall run. The generation of the contract moves only when something in it means something else. */
export function deploymentOf(parts: DeploymentParts): WorkerDeployment {
  const { definition, resource, intent, connection, current, memoryBudgetBytes, secrets, callsAllow } = parts
  const { name, namespace } = resource.metadata
  const told: Omit<Contract, 'generation'> = {
    version: 1,
    namespace,
    group: intent.group,
    connection: connection.resolved.contract,
    resources: [{ kind: resource.kind, name, config: intent.config }],
    memoryBudgetBytes,
    ...(callsAllow.length > 0 && { callsAllow }),
  }
  const mounted = new Set(connection.resolved.mounts.map(({ folder }) => folder))
  return {
    of: refOf(resource),
    owners: [resource],
    name: objectName(definition, name),
    replicas: intent.replicas,
    contract: { ...told, generation: nextGeneration(told, current) },
    ...(intent.resources && { resources: intent.resources }),
    ...(intent.podTemplate && { podTemplate: intent.podTemplate }),
    secrets: [...connection.resolved.mounts, ...secrets.mounts.filter(({ folder }) => !mounted.has(folder))],
    secretsHash: connection.secretsHash + secrets.hash,
  }
}

/** As before when nothing in it means something else. */
export function nextGeneration(told: Omit<Contract, 'generation'>, current: Contract | undefined): number {
  if (current === undefined) return 1
  const { generation, ...before } = current
  return isDeepStrictEqual(asJson(before), asJson(told)) ? generation : generation + 1
}

/** The contract travels as JSON: absent and undefined are the same there. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
