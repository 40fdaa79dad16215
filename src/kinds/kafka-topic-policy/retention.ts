import type { TopicView } from '../../operator/observed.ts'
import type { Configs } from './desired.ts'

/** Both are limits on what is kept: lowering one deletes data. -1 is no limit. */
export const RETENTION_KEYS = ['retention.ms', 'retention.bytes'] as const
export type RetentionKey = (typeof RETENTION_KEYS)[number]

/** A limit that would become stricter. */
export interface Decrease {
  readonly key: RetentionKey
  /** -1: there is no limit so far. */
  readonly from: number
  readonly to: number
}

/** Which limits of a topic the wanted configs would lower. */
export function decreasesOf(view: TopicView, wanted: Configs): readonly Decrease[] {
  const decreases: Decrease[] = []
  for (const key of RETENTION_KEYS) {
    const to = numberOf(wanted[key])
    const from = numberOf(view.configs.get(key)?.value)
    if (to !== undefined && from !== undefined && to >= 0 && (from < 0 || to < from)) decreases.push({ key, from, to })
  }
  return decreases
}

function numberOf(value: string | null | undefined): number | undefined {
  if (value === null || value === undefined || value.trim() === '') return undefined
  const number = Number(value)
  return Number.isFinite(number) ? number : undefined
}
