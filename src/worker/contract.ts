/**
 * What the operator tells a worker: the one document between the two planes, written as JSON (a ConfigMap, or a file). Its `generation` moves
 * only when the content differs in meaning; a worker reports the generation that it runs.
 */
export interface Contract {
  readonly version: 1
  readonly generation: number
  readonly namespace: string
  /** Consumer group of all workers of this contract. */
  readonly group: string
  readonly connection: ContractConnection
  /** Name of the pool when resources share these workers: they come, go and change without new processes. */
  readonly pool?: string
  readonly resources: readonly ContractResource[]
  /** Bytes of records that one worker may hold in memory before it stops reading. */
  readonly memoryBudgetBytes: number
  /** Addresses and ranges that calls may go to although they would be refused, such as loopback. For whoever runs Sluice to say, not for a resource. */
  readonly callsAllow?: readonly string[]
}

/** How many resources one pool takes: the contract must fit into a ConfigMap, of 1 MiB. */
export const MOST_POOLED = 500

/**
 * What runs, as the workers note it beside the offsets of each task (`metadata.ts`): the generation of the resource, or undefined when the task was let
 * go or stopped, or the offset was written by somebody else.
 */
export function runningGeneration(metadata: string): number | undefined {
  try {
    const { g, r } = JSON.parse(metadata) as { g?: unknown; r?: unknown }
    return typeof g === 'number' && r !== 1 ? g : undefined
  } catch {
    return undefined
  }
}

/** What the task noted beside an offset (`metadata.ts`); empty where somebody else wrote it. */
export function noteOf(metadata: string): string {
  try {
    const { m } = JSON.parse(metadata) as { m?: unknown }
    return typeof m === 'string' ? m : ''
  } catch {
    return ''
  }
}

/** Why a task was stopped. */
export interface Stopped {
  readonly reason: string
  readonly message: string
}

/** What the worker noted beside an offset, that of the input if there is one, when it stopped the task to save data; undefined: it did not. */
export function stoppedBecause(metadata: string): Stopped | undefined {
  try {
    const { x } = JSON.parse(metadata) as { x?: unknown }
    const [reason, message] = Array.isArray(x) ? (x as readonly unknown[]) : []
    return typeof reason === 'string' && typeof message === 'string' ? { reason, message } : undefined
  } catch {
    return undefined
  }
}

/** Credentials are files below the secrets root (`SLUICE_SECRETS`, default /etc/sluice/secrets): never values. */
export interface ContractConnection {
  readonly bootstrapServers: readonly string[]
  readonly tls?: {
    readonly caFile?: string
    readonly certificateFile?: string
    readonly keyFile?: string
    readonly insecureSkipVerify?: boolean
  }
  readonly sasl?:
    | { readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; readonly usernameFile: string; readonly passwordFile: string }
    | {
        readonly mechanism: 'OAUTHBEARER'
        readonly tokenEndpoint: string
        readonly clientIdFile: string
        readonly clientSecretFile: string
        readonly scope?: string
      }
}

export interface ContractResource {
  readonly kind: string
  readonly name: string
  /** In a pool: moves only when this resource's part does. Absent: the contract's. */
  readonly generation?: number
  /** The kind's own part; validated by the kind. */
  readonly config: unknown
}
