export { MOST_POOLED, noteOf, runningGeneration } from '../worker/contract.ts'
export type { Contract, ContractConnection, ContractResource } from '../worker/contract.ts'
