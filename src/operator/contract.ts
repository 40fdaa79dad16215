export { MOST_POOLED, noteOf, runningGeneration, stoppedBecause } from '../worker/contract.ts'
export type { Contract, ContractConnection, ContractResource } from '../worker/contract.ts'
