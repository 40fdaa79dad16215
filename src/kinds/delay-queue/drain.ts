import type { Waiting } from '../../operator/plan.ts'
import { readMetadata } from './metadata.ts'
import { roleOf } from './source.ts'
import type { WaitingTopic } from './topics.ts'

export interface Drained {
  readonly group: string
  readonly partitions: number
  readonly input: string
  readonly fixed: readonly WaitingTopic[]
  readonly tiers: readonly WaitingTopic[]
  readonly maxDelayMs: number
}

/**
 * What must run empty before a user of the delay engine may go. What is below the committed positions is done, whatever the journal says of what is above: all is
 * done when they are at the ends.
 */
export function waitingIn({ group, partitions, input, fixed, tiers, maxDelayMs }: Drained): Waiting {
  const open = [input, ...fixed.map(({ topic }) => topic)]
  return {
    group,
    sources: [
      ...open.map(topic => ({ topic, partitions, open: true }) as const),
      ...tiers.map(({ topic, delayMs }) => ({ topic, partitions, counted: { topic: input, count: inTier(delayMs) } })),
    ],
    longestMs: Math.max(maxDelayMs, ...[...fixed, ...tiers].map(({ delayMs }) => delayMs)),
  }
}

/** A tier holds the markers of our transactions as well: the note beside the input says how many records it has. */
const inTier =
  (delayMs: number) =>
  (note: string): number | undefined =>
    note === '' ? undefined : Math.max(0, readMetadata(note).far[roleOf('tier', delayMs)] ?? 0)
