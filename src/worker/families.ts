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
 * What the contract asks of this worker. A resource that it told before in the same words keeps its family, and with it its running tasks.
 * @param before the families that run
 */
export function familiesOf(contract: Contract, kinds: readonly WorkedKind[], before: readonly HostedFamily[] = []): Families {
  const hosted: HostedFamily[] = []
  const refused: Refused[] = []
  for (const resource of contract.resources) {
    try {
      hosted.push(
        before.find(({ told }) => told.name === resource.name && isDeepStrictEqual(told, resource)) ?? familyOf(contract, resource, kinds),
      )
    } catch (error) {
      refused.push({
        name: `${resource.kind}/${contract.namespace}/${resource.name}`,
        message: error instanceof Error ? error.message : String(error),
      })
    }
  }
  return { hosted, refused }
}

function familyOf(contract: Contract, resource: ContractResource, kinds: readonly WorkedKind[]): HostedFamily {
  const kind = kinds.find(known => known.kind === resource.kind)
  if (kind === undefined) {
    const known = kinds.map(each => each.kind).join(', ')
    throw new Error(
      `the contract has a ${resource.kind} "${resource.name}", which this worker does not know (it knows: ${known}): run a newer image`,
    )
  }
  return { ...kind.tasks(resource, contract.namespace), generation: resource.generation ?? contract.generation, told: resource }
}

export const inputsOf = (families: readonly TaskFamily[]): readonly string[] => families.map(({ input }) => input)
