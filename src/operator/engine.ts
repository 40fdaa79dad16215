import type { Resource, ResourceRef } from '../api/resource.ts'
import type { Connections } from './connections.ts'
import type { ReconciledKind } from './kind.ts'
import type { Memory } from './memory.ts'
import type { OperatorMetrics } from './metrics.ts'
import type { Pools } from './pools.ts'
import type { OperatorOptions, OperatorParts, Violation } from './options.ts'

/** What the parts of the engine share. */
export interface Engine {
  readonly parts: OperatorParts
  readonly options: OperatorOptions
  readonly kinds: ReadonlyMap<string, ReconciledKind>
  /** The kind of connections. */
  readonly connectionKind: string
  readonly connections: Connections
  readonly memory: Memory
  readonly pools: Pools
  readonly metrics: OperatorMetrics
  readonly violationsOf: (kind: ReconciledKind, resource: Resource) => readonly Violation[]
  /** Have another resource looked at. */
  readonly enqueue: (ref: ResourceRef) => void
}

/** The end of one look at a resource. */
export interface Result {
  /** Look again after this time at the latest; undefined: when something changes, or with the next resync. */
  readonly requeueAfterMs?: number
  /** Look again after the back-off of this resource. */
  readonly retry?: boolean
}

/** A resource never changes in place: its verdict holds for as long as the object lives. */
export function rememberViolations(parts: OperatorParts): Engine['violationsOf'] {
  const known = new WeakMap<Resource, readonly Violation[]>()
  return (kind, resource) => {
    const before = known.get(resource)
    if (before !== undefined) return before
    const violations = parts.validate?.(kind.definition, resource) ?? []
    known.set(resource, violations)
    return violations
  }
}
