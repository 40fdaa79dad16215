import type { EpochMs } from '../api/resource.ts'
import { parseMoment, parseOffset } from './moments.ts'

/** Where `offsets reset` moves a group to. */
export type OffsetTarget =
  | { readonly to: 'earliest' }
  | { readonly to: 'latest' }
  | { readonly to: 'offset'; readonly offset: number }
  | { readonly to: 'datetime'; readonly at: EpochMs }
  | { readonly to: 'shift-by'; readonly by: number }

const FORMS = 'earliest, latest, offset N, datetime INSTANT or shift-by N'

/**
 * Reads the words after `--to`: `earliest`, `offset 42`, `offset=42`.
 * @throws Error naming the forms.
 */
export function parseOffsetTarget(words: readonly string[]): OffsetTarget {
  const [to = '', value, ...more] = words.length === 1 ? (words[0] ?? '').split(/=(.*)/s, 2) : words
  if (more.length > 0) throw new Error(`--to takes ${FORMS}; "${words.join(' ').slice(0, 60)}" has a word too many`)
  const valueOf = (): string => {
    if (value === undefined || value === '') throw new Error(`--to ${to} needs a value: ${FORMS}`)
    return value
  }
  switch (to) {
    case 'earliest':
    case 'latest':
      if (value !== undefined) throw new Error(`--to ${to} takes no value`)
      return { to }
    case 'offset':
      return { to, offset: parseOffset(valueOf(), '--to offset') }
    case 'datetime':
      return { to, at: parseMoment(valueOf()) }
    case 'shift-by':
      if (!/^[+-]?[0-9]{1,15}$/.test(valueOf()))
        throw new Error(`--to shift-by: "${valueOf().slice(0, 40)}" is not a whole number such as 100 or -100`)
      return { to, by: Number(valueOf()) }
    default:
      throw new Error(`--to takes ${FORMS}, not "${to.slice(0, 40)}"`)
  }
}

/** What is known of one partition when its new offset is chosen. */
export interface PartitionOffsets {
  readonly topic: string
  readonly partition: number
  readonly earliest: number
  readonly latest: number
  /** Offset of the first record at or after the asked instant; the end when there is none. Only for `datetime`. */
  readonly atTime?: number
  /** undefined: the group has committed nothing here. */
  readonly committed?: number
}

export interface OffsetMove {
  readonly topic: string
  readonly partition: number
  readonly from: number | undefined
  /** undefined: left alone. */
  readonly to: number | undefined
  readonly remark?: string
}

/** The new offset of one partition, kept within what the log holds. */
export function moveOffset(target: OffsetTarget, seen: PartitionOffsets): OffsetMove {
  const { topic, partition, earliest, latest, committed } = seen
  const move = (wanted: number): OffsetMove => {
    const to = Math.min(Math.max(wanted, earliest), latest)
    const remark = to === wanted ? {} : { remark: `${wanted} is outside of ${earliest} to ${latest}` }
    return { topic, partition, from: committed, to, ...remark }
  }
  switch (target.to) {
    case 'earliest':
      return move(earliest)
    case 'latest':
      return move(latest)
    case 'offset':
      return move(target.offset)
    case 'datetime':
      return move(seen.atTime ?? latest)
    case 'shift-by':
      if (committed === undefined) return { topic, partition, from: undefined, to: undefined, remark: 'nothing is committed to shift from' }
      return move(committed + target.by)
    default:
      return target satisfies never
  }
}
