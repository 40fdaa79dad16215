import type { Contract } from '../../src/worker/contract.ts'
import type { WorkedKind } from '../../src/worker/task.ts'
import type { Random } from '../support/delay-queue/random.ts'
import type { Cluster } from '../support/model/cluster.ts'
import type { Faults } from '../support/model/model-log.ts'
import type { Fleet } from './fleet.ts'
import type { Trace } from './trace.ts'
import type { VirtualTime } from './virtual-time.ts'
import type { Weather } from './weather.ts'

export const KINDS = ['DelayQueue', 'DeadLetterPipeline', 'DeadLetterRedrive'] as const
export type SimulatedKind = (typeof KINDS)[number]

/** Every second world is about the queue: its engine is that of the pipeline, too. */
export function kindOf(seed: number): SimulatedKind {
  if (seed % 2 === 0) return 'DelayQueue'
  return seed % 4 === 1 ? 'DeadLetterPipeline' : 'DeadLetterRedrive'
}

/** Where a subject lives. */
export interface Setting {
  readonly time: VirtualTime
  readonly random: Random
  readonly cluster: Cluster
  readonly weather: Weather
  readonly trace: Trace
}

/** What a world is about: resources of a kind, those who use them, and what they were promised. */
export interface Subject {
  /** Name of the resource. */
  readonly name: string
  readonly kinds: readonly WorkedKind[]
  /** Consumer group of its workers. */
  readonly group: string
  /** Topics that are read with committed offsets, the input first. */
  readonly sources: readonly string[]
  /** Topics whose markers may be late. */
  readonly transactional: readonly string[]
  readonly compacted: readonly string[]
  /** What a restore reads from where the note beside the offset of the input says; retention removes what is before. */
  readonly journal?: string
  readonly refuses: Faults['refuses']
  /** What workers that start now are told; undefined: there is nothing for them to do. */
  contract(): Contract | undefined
  /** What they are told changes. */
  share(): void
  /** Those who use it begin. */
  start(fleet: Fleet): void
  /** From now on nothing goes wrong but what already has. */
  calm(): void
  /** Nothing of the users is on its way or in an open transaction. */
  readonly usersDone: boolean
  /** When the last thing that is known of is to happen, virtual. */
  readonly lastDueMs: number
  /** Everything has ended. */
  readonly atRest: boolean
  /** Nobody tells workers anything any more. */
  retire(): void
  /** For the report. */
  readonly messages: number
  /** What must hold at any moment. @param skewMs the most that a worker's clock was off, as far as it could not know. @throws Broken */
  auditSoFar(skewMs: number): void
  /** What must hold when all has come to rest. @throws Broken */
  auditRest(skewMs: number): void
}

/** Every record of the sources was read, and its end committed. */
export const passed = (cluster: Cluster, group: string, sources: readonly string[]): boolean =>
  !cluster.logs.some(log => log.lastStable !== log.high) && behind(cluster, group, sources).length === 0

/** Partitions that have records behind the position of the group, or open transactions. */
export const behind = (cluster: Cluster, group: string, sources: readonly string[]) =>
  sources
    .flatMap(topic => cluster.partitionsOf(topic) ?? [])
    .filter(log => log.lastStable !== log.high || log.next(Math.max(log.low, cluster.group(group).offset(log)?.offset ?? 0)) !== undefined)
