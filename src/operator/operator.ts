import type { ResourceRef } from '../api/resource.ts'
import type { OperatorParts } from './options.ts'
import type { Change, Problem } from './plan.ts'

export type { OperatorOptions, OperatorParts, Validate, Violation } from './options.ts'

/** What one resource would change if it were applied now, and what stands in its way. */
export interface PlanReport {
  readonly changes: readonly Change[]
  readonly problems: readonly Problem[]
}

export interface OperatorHealth {
  /** False: restart the process (`/livez`). */
  readonly live: boolean
  /** True once the store has listed everything, leading or not (`/readyz`). */
  readonly ready: boolean
  readonly leading: boolean
  /** Resources waiting to be reconciled. */
  readonly queued: number
}

export interface Operator {
  /** Starts the store, takes part in the election and reconciles while leading. Resolves when `signal` has aborted and all is closed. */
  run(signal: AbortSignal): Promise<void>
  health(): OperatorHealth
  /** Reads, plans and compares, writes nothing. Needs a started store (`store.start`), not a running operator. */
  planOnly(ref: ResourceRef): Promise<PlanReport>
  /** Closes connections that `planOnly` opened; `run` closes its own. */
  close(): Promise<void>
}

/** Puts the engine together; nothing happens before `run` or `planOnly`. */
export declare function createOperator(parts: OperatorParts): Operator
