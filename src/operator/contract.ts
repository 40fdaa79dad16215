export type { Contract, ContractConnection, ContractResource } from '../worker/contract.ts'
