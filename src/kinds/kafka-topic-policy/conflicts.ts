import { sameConfigValue } from '../../operator/config-value.ts'
import type { Claim } from './claim.ts'
import type { Configs } from './desired.ts'

/** A key of a topic for which policies of one priority want different values: none of them gets it. */
export interface Conflict {
  readonly topic: string
  readonly key: string
  readonly value: string
  readonly other: string
  readonly otherValue: string
}

export interface Settled {
  /** What is left for this policy to set. The argument itself where nobody objects. */
  readonly configs: Configs
  readonly conflicts: readonly Conflict[]
}

/** Policies that could object: those that write, share a key with ours and rank no lower. */
export const rivalsOf = (own: Claim, others: readonly Claim[]): readonly Claim[] => {
  const keys = new Set(own.wish.keys)
  return others.filter(other => other.enforces && other.priority >= own.priority && other.wish.keys.some(key => keys.has(key)))
}

/** The highest priority has a key; on a tie with different values nobody does, whatever lower ones want. */
export function settle(own: Claim, rivals: readonly Claim[], topic: string, partitions: number, configs: Configs): Settled {
  const present = rivals.filter(rival => rival.selects(topic))
  if (present.length === 0) return { configs, conflicts: [] }
  const left: Record<string, string> = { ...configs }
  const conflicts: Conflict[] = []
  for (const rival of present) {
    const theirs = rival.wish.for(partitions)
    for (const [key, value] of Object.entries(configs)) {
      const otherValue = theirs[key]
      if (otherValue === undefined) continue
      if (rival.priority > own.priority) delete left[key]
      else if (!sameConfigValue(key, value, otherValue)) {
        delete left[key]
        conflicts.push({ topic, key, value, other: rival.by, otherValue })
      }
    }
  }
  return { configs: left, conflicts: conflicts.filter(({ key }) => !outranked(own, present, partitions, key)) }
}

/** Where a third policy ranks above both, the two have nothing to quarrel about. */
const outranked = (own: Claim, present: readonly Claim[], partitions: number, key: string): boolean =>
  present.some(rival => rival.priority > own.priority && rival.wish.for(partitions)[key] !== undefined)
