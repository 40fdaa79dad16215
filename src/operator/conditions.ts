import type { Reason } from '../api/reasons.ts'
import type { Condition, EpochMs } from '../api/resource.ts'

export type ConditionType = 'Ready' | 'Reconciling' | 'Stalled' | 'WorkersReady' | 'AlertsApplied'

/** A condition before it is known since when it holds. */
export interface Verdict {
  readonly type: ConditionType
  readonly status: Condition['status']
  readonly reason: Reason
  readonly message: string
}

/** Kubernetes allows 32 KiB; a condition is for reading. */
const MESSAGE_MAX_LENGTH = 1_024

/**
 * The conditions after the verdicts: each type once, in the order of the verdicts, types without a verdict kept as they were. The time moves
 * only when the status does, as the API conventions ask.
 */
export function mergeConditions(
  before: readonly Condition[],
  verdicts: readonly Verdict[],
  at: { readonly generation: number; readonly now: EpochMs },
): readonly Condition[] {
  const merged = verdicts.map(({ message, ...verdict }): Condition => {
    const previous = before.find(({ type }) => type === verdict.type)
    const since = previous?.status === verdict.status ? previous.lastTransitionTime : toTime(at.now)
    return { ...verdict, message: cut(message), observedGeneration: at.generation, lastTransitionTime: since }
  })
  const kept = before.filter(({ type }) => !merged.some(condition => condition.type === type))
  return [...merged, ...kept]
}

/** Kubernetes times have no fraction of a second. */
export const toTime = (at: EpochMs): string => new Date(at).toISOString().replace(/\.\d{3}Z$/, 'Z')

const cut = (message: string) => (message.length <= MESSAGE_MAX_LENGTH ? message : `${message.slice(0, MESSAGE_MAX_LENGTH - 1)}…`)
