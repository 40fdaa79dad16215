import { parseDuration } from '../../api/duration.ts'
import type { EpochMs } from '../../api/resource.ts'
import type { TopicView } from '../../operator/observed.ts'
import type { Configs } from './desired.ts'
import type { KafkaTopicPolicySpec } from './resource.ts'
import type { Decrease } from './retention.ts'

/** Where unlimited time is lowered in steps, the first one starts here: ten years hold whatever a log holds. */
const UNLIMITED_TIME_MS = 3_650 * 86_400_000
/** The same for size where the size of the topic is not known. */
const UNLIMITED_BYTES = 2 ** 50

/**
 * How retentions may be lowered now. Brokers delete at once what a lower limit allows them to: terabytes in one go hurt whoever shares the
 * disks, and a mistake costs everything. Steps give time to see and to stop.
 */
export type Pace =
  | { readonly type: 'AtOnce' }
  | { readonly type: 'Step'; readonly maxShare: number; readonly intervalMs: number }
  | { readonly type: 'Wait'; readonly untilNextMs: number }

export function paceOf(spec: KafkaTopicPolicySpec, lastStepAt: EpochMs | undefined, now: EpochMs): Pace {
  if (spec.retentionDecrease === undefined) return { type: 'AtOnce' }
  const intervalMs = parseDuration(spec.retentionDecrease.interval)
  // A last step in the future means that the clock was set back: waiting for it might take for ever.
  const sinceMs = lastStepAt === undefined || lastStepAt > now ? Number.POSITIVE_INFINITY : now - lastStepAt
  if (sinceMs < intervalMs) return { type: 'Wait', untilNextMs: intervalMs - sinceMs }
  return { type: 'Step', maxShare: Number(spec.retentionDecrease.maxStep.replace('%', '')) / 100, intervalMs }
}

/** The configs to set now instead of `wanted`: limits that fall go one step, or stay out of it until the next step is due. */
export function paced(pace: Pace, view: TopicView, wanted: Configs, decreases: readonly Decrease[]): Configs {
  if (pace.type === 'AtOnce' || decreases.length === 0) return wanted
  const now: Record<string, string> = { ...wanted }
  for (const decrease of decreases) {
    if (pace.type === 'Wait') delete now[decrease.key]
    else now[decrease.key] = String(nextStep(decrease, view, pace.maxShare))
  }
  return now
}

function nextStep({ key, from, to }: Decrease, view: TopicView, maxShare: number): number {
  const start = from >= 0 ? from : key === 'retention.ms' ? UNLIMITED_TIME_MS : (view.sizeBytes ?? UNLIMITED_BYTES)
  return Math.max(to, Math.ceil(start * (1 - maxShare)))
}
