import type { Commit } from '../kafka/log.ts'
import { stoppedBecause } from './contract.ts'
import type { Stopped } from './contract.ts'

/** Kafka's default `offset.metadata.max.bytes`. */
const MAX_BYTES = 4096
/** Of the message of a task that was stopped: what a person needs, and no more than fits beside the task's own note. */
const MAX_MESSAGE_LENGTH = 800

/** What stands beside every committed offset: who wrote it, whether it let go of the partition, and the task's own note. */
export interface Ownership {
  readonly transactionalId: string
  /** The writer gave the partition up in order: nothing of it can be open. */
  readonly released: boolean
  readonly task: string
  /** Contract generation of the resource that the writer ran: what the operator reads to know that it runs. */
  readonly generation: number
  /** Of the topics that it read, as `topic-ids.ts` writes them. */
  readonly ids: string
  /** Why nobody works on the partition: for the condition of the resource. */
  readonly stopped?: Stopped | undefined
}

/** @throws when the task's part does not fit into the 4,096 bytes that brokers accept. */
export function encodeOwnership({ transactionalId, released, task, generation, ids, stopped }: Ownership): string {
  const why = stopped && { x: [stopped.reason, stopped.message.slice(0, MAX_MESSAGE_LENGTH)] }
  const text = JSON.stringify({
    t: transactionalId,
    g: generation,
    ...(released ? { r: 1 } : {}),
    ...(ids === '' ? {} : { i: ids }),
    ...why,
    m: task,
  })
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_BYTES) throw new Error(`commit metadata of ${bytes} bytes: brokers accept ${MAX_BYTES}`)
  return text
}

/** Offsets that someone moved by hand carry no metadata, or another's: no owner, and nothing for the task. */
export function decodeOwnership(metadata: string): Ownership | undefined {
  try {
    const { t, g, r, i, m } = JSON.parse(metadata) as { t?: unknown; g?: unknown; r?: unknown; i?: unknown; m?: unknown }
    if (typeof t !== 'string' || typeof m !== 'string') return undefined
    return {
      transactionalId: t,
      released: r === 1,
      task: m,
      generation: typeof g === 'number' ? g : 0,
      ids: typeof i === 'string' ? i : '',
      stopped: stoppedBecause(metadata),
    }
  } catch {
    return undefined
  }
}

/** The commit as the task wrote it. */
export const unwrapped = (commit: Commit): Commit => ({ ...commit, metadata: decodeOwnership(commit.metadata)?.task ?? '' })
