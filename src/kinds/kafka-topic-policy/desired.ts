import { parseDuration, parseDurationOrUnlimited } from '../../api/duration.ts'
import { UNLIMITED, parseSize } from '../../api/size.ts'
import type { KafkaTopicPolicySpec } from './resource.ts'

export type Configs = Readonly<Record<string, string>>

const CLEANUP = { Delete: 'delete', Compact: 'compact', CompactAndDelete: 'compact,delete' } as const

/** The configs that a spec asks for, by Kafka's own keys. A key that is absent is not the policy's business. */
export interface Wish {
  /** Every key asked for. */
  readonly keys: readonly string[]
  /** For a topic of so many partitions; the same object for the same count, so that thousands of topics share it. */
  for(partitions: number): Configs
}

export function wishOf(spec: KafkaTopicPolicySpec): Wish {
  const fixed = fixedConfigs(spec)
  const total = spec.retention?.sizeTotal
  if (total === undefined) return { keys: Object.keys(fixed), for: () => fixed }
  const totalBytes = parseSize(total)
  const byPartitions = new Map<number, Configs>()
  return {
    keys: [...Object.keys(fixed), 'retention.bytes'],
    for: partitions => {
      const known = byPartitions.get(partitions)
      if (known !== undefined) return known
      const configs = { ...fixed, 'retention.bytes': String(share(totalBytes, partitions)) }
      byPartitions.set(partitions, configs)
      return configs
    },
  }
}

/** Rounded down: all partitions together must not keep more than the total. */
const share = (totalBytes: number, partitions: number): number =>
  totalBytes === UNLIMITED ? UNLIMITED : Math.max(1, Math.floor(totalBytes / Math.max(1, partitions)))

function fixedConfigs({ retention, cleanup, compaction, segment, config }: KafkaTopicPolicySpec): Configs {
  const given: Readonly<Record<string, string | number | undefined>> = {
    'retention.ms': retention?.time === undefined ? undefined : parseDurationOrUnlimited(retention.time),
    'retention.bytes': bytes(retention?.sizePerPartition),
    'cleanup.policy': cleanup === undefined ? undefined : CLEANUP[cleanup],
    'min.cleanable.dirty.ratio': compaction?.minDirtyRatio,
    'min.compaction.lag.ms': ms(compaction?.minLag),
    'max.compaction.lag.ms': ms(compaction?.maxLag),
    'delete.retention.ms': ms(compaction?.tombstoneRetention),
    'segment.ms': ms(segment?.time),
    'segment.bytes': bytes(segment?.bytes),
  }
  const typed = Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)] as const]))
  // null leaves a key alone: as good as not naming it, but said aloud.
  const free = Object.entries(config ?? {}).flatMap(([key, value]) => (value === null ? [] : [[key, value] as const]))
  return Object.fromEntries([...free, ...typed])
}

const ms = (duration: string | undefined): number | undefined => (duration === undefined ? undefined : parseDuration(duration))
const bytes = (size: string | number | undefined): number | undefined => (size === undefined ? undefined : parseSize(size))
