import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../api/clock.ts'
import type { Logger } from '../observability/logger.ts'
import type { Contract } from '../worker/contract.ts'
import type { Worker } from '../worker/runtime.ts'

const POLL_MS = 500
/** A kubelet takes far longer to bring a ConfigMap to its pods. */
const FOLLOW_MS = 1_000
/** A kubelet refreshes a mounted ConfigMap within about a minute; past that a restart of the container is the better hope. */
const PATIENCE_MS = 90_000

/**
 * Reads the contract, of at least the generation that the pod was made for: a kubelet may mount a ConfigMap older than the pod, and a worker that
 * ran it would report ready on the wrong generation.
 * @param generation 0: whatever the file says
 * @throws Error when the file cannot be read, is of another version, or stays too old
 */
export async function readContract(file: string, generation: number, clock: Clock): Promise<Contract> {
  const untilMs = clock.monotonicMs() + PATIENCE_MS
  for (;;) {
    const contract = await read(file)
    if (contract.version !== 1) throw new Error(`${file} is no contract of version 1: operator and worker must be of the same release`)
    if ((contract.generation ?? 0) >= generation) return contract as Contract
    if (clock.monotonicMs() >= untilMs)
      throw new Error(`${file} is still of generation ${contract.generation ?? 0}; this worker was started for generation ${generation}`)
    await clock.sleep(POLL_MS)
  }
}

async function read(file: string): Promise<Partial<Contract>> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Partial<Contract>
  } catch (error) {
    const why = `--contract: cannot read ${file}: ${(error as Error).message}`
    throw new Error(`${why}; operators write contracts and start workers: to work on a folder of resources, use sluice run`, {
      cause: error,
    })
  }
}

/** Of SLUICE_CONTRACT_GENERATION, which the operator sets; 0 when absent. @throws Error when it is not a whole number */
export function expectedGeneration(environment: NodeJS.ProcessEnv): number {
  const text = environment.SLUICE_CONTRACT_GENERATION ?? '0'
  if (!/^\d{1,15}$/.test(text)) throw new Error(`SLUICE_CONTRACT_GENERATION is "${text.slice(0, 40)}", not a whole number`)
  return Number(text)
}

export interface Following {
  readonly clock: Clock
  readonly logger: Logger
  readonly signal: AbortSignal
}

/**
 * Tells the worker of a pool when its contract has changed, until aborted. A contract that cannot be read, or that is for another group or another
 * cluster, is left to the processes that the platform starts for it.
 */
export async function followContract(file: string, worker: Worker, { clock, logger, signal }: Following): Promise<void> {
  let before = JSON.stringify(worker.contract)
  while (!signal.aborted) {
    await clock.sleep(FOLLOW_MS, signal)
    const contract = await contractIn(file, logger)
    if (contract === undefined) continue
    const now = JSON.stringify(contract)
    if (now === before) continue
    before = now
    if (isForAnother(contract, worker.contract)) logger.warn({ file }, 'the contract is for other workers now: waiting to be replaced')
    else await worker.follow(contract)
  }
}

async function contractIn(file: string, logger: Logger): Promise<Contract | undefined> {
  try {
    const contract = await read(file)
    if (contract.version === 1) return contract as Contract
    logger.warn({ file }, 'the contract is of another version: waiting to be replaced')
    return undefined
  } catch (error) {
    logger.warn({ file, error }, 'the contract cannot be read: going on with the one before')
    return undefined
  }
}

const isForAnother = (contract: Contract, running: Contract): boolean =>
  contract.group !== running.group || !isDeepStrictEqual(contract.connection, running.connection)
