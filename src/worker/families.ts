import { isDeepStrictEqual } from 'node:util'
import type { Contract, ContractResource } from './contract.ts'
import type { TaskFamily, WorkedKind } from './task.ts'

/** The tasks of one resource as the contract has it. */
export interface HostedFamily extends TaskFamily {
  /** Of the resource in the contract: stands beside its offsets, so that the operator sees what runs. */
  readonly generation: number
  readonly told: ContractResource
}

/** A resource that this worker cannot run; it stops nobody else. */
export interface Refused {
  readonly name: string
  readonly message: string
}

export interface Families {
  readonly hosted: readonly HostedFamily[]
  readonly refused: readonly Refused[]
}

/**
 * What the contract asks of this worker. A resource that it told before in the same words keeps its families, and with them its running tasks.
 * @param before the families that run
 */
export function familiesOf(contract: Contract, kinds: readonly WorkedKind[], before: readonly HostedFamily[] = []): Families {
  const hosted: HostedFamily[] = []
  const refused: Refused[] = []
  for (const resource of contract.resources) {
    try {
      const same = before.filter(({ told }) => told.name === resource.name && isDeepStrictEqual(told, resource))
      hosted.push(...(same.length > 0 ? same : familiesOfOne(contract, resource, kinds)))
    } catch (error) {
      refused.push({
        name: `${resource.kind}/${contract.namespace}/${resource.name}`,
        message: error instanceof Error ? error.message : String(error),
      })
    }
  }
  return { hosted, refused }
}

function familiesOfOne(contract: Contract, resource: ContractResource, kinds: readonly WorkedKind[]): readonly HostedFamily[] {
  const kind = kinds.find(known => known.kind === resource.kind)
  if (kind === undefined) {
    const known = kinds.map(each => each.kind).join(', ')
    throw new Error(
      `the contract has a ${resource.kind} "${resource.name}", which this worker does not know (it knows: ${known}): run a newer image`,
    )
  }
  const generation = resource.generation ?? contract.generation
  const { namespace } = contract
  const families = [kind.tasks(resource, namespace), ...(kind.moreTasks?.(resource, namespace) ?? [])]
  return families.map(family => ({ ...family, generation, told: resource }))
}

export const inputsOf = (families: readonly TaskFamily[]): readonly string[] => families.map(({ input }) => input)
