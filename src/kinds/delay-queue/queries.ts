import { createHash } from 'node:crypto'
import { formatDuration } from '../../api/duration.ts'
import type { EpochMs } from '../../api/resource.ts'
import type { OwnedTask, TaskQuery } from '../../worker/task.ts'
import type { Ids } from './ids.ts'
import { parseInstant } from './instant.ts'
import type { Item, Source } from './source.ts'
import { DelayTask } from './task.ts'
import type { Waiting } from './waiting.ts'

/** What a task shows of its memory. To look at, not to touch. */
export interface TaskMemory {
  readonly sources: readonly Source[]
  readonly waiting: Waiting
  readonly ids: Ids
}

interface Owned extends TaskMemory {
  readonly partition: number
  readonly bytes: number
}

const DEFAULT_LIMIT = 100
const MOST_MESSAGES = 1_000
/** Messages of one task that are looked at for one answer: about 10 ms in which nothing is delivered. */
const MOST_VISITED = 20_000

const owned = (tasks: readonly OwnedTask[]): readonly Owned[] =>
  tasks.flatMap(({ partition, task }) => (task instanceof DelayTask ? [{ partition, bytes: task.bytes, ...task.memory }] : []))

const instant = (ms: EpochMs): string | undefined => (Number.isFinite(ms) ? new Date(ms).toISOString() : undefined)

/** `/stats`: how much waits where, and whether what is due goes out. */
const stats: TaskQuery = (tasks, _, now) => {
  const rows = owned(tasks).map(task => partitionStats(task, now))
  const sum = (of: (row: (typeof rows)[number]) => number): number => rows.reduce((total, row) => total + of(row), 0)
  return {
    near: sum(row => row.near),
    inTiers: sum(row => row.tiers.reduce((total, tier) => total + tier.messages, 0)),
    overdue: sum(row => row.overdue),
    oldestOverdueMs: Math.max(0, ...rows.map(row => row.oldestOverdueMs)),
    bytes: sum(row => row.bytes),
    tasks: rows,
  }
}

function partitionStats({ partition, sources, waiting, ids, bytes }: Owned, now: EpochMs) {
  const nextDueMs = waiting.firstDue()
  const [input] = sources
  return {
    partition,
    /** In memory, near the due time. */
    near: waiting.near,
    tiers: sources.filter(({ type }) => type === 'tier').map(({ delayMs, far }) => ({ delay: formatDuration(delayMs), messages: far })),
    /** A fixed delay is read ahead only so far: the rest of it waits in Kafka, uncounted. */
    fixed: sources
      .filter(({ type }) => type === 'fixed')
      .map(({ delayMs, ahead }) => ({ delay: formatDuration(delayMs), readAhead: ahead })),
    overdue: waiting.overdue(now),
    oldestOverdueMs: Number.isFinite(nextDueMs) ? Math.max(0, now - nextDueMs) : 0,
    nextDue: instant(nextDueMs),
    inputReadTo: instant(input?.readToMs ?? NaN),
    rememberedIds: ids.size,
    bytes,
  }
}

/** `/pending`: what waits in memory, in the order of the due times; `?id=` asks about one `sluice-id`. */
const pending: TaskQuery = (tasks, parameters, now) => {
  const id = parameters.get('id')
  if (id !== null) return { id, ...aboutId(owned(tasks), Buffer.from(id).toString('latin1'), now) }
  const asked = askedOf(parameters)
  if ('problem' in asked) return asked
  const found = owned(tasks).map(task => firstOf(task, asked))
  const all = found.flatMap(({ messages }) => messages).sort(inOrder)
  const page = all.slice(0, asked.limit)
  const last = page.at(-1)
  return {
    messages: page.map(({ item, partition }) => shown(item, partition, now)),
    ...(last !== undefined && all.length > page.length && { continue: tokenOf(last) }),
    ...(found.some(({ gaveUp }) => gaveUp) && {
      incomplete: `no more than ${MOST_VISITED} messages of a partition are looked at: sluice delay pending reads Kafka instead`,
    }),
  }
}

interface Asked {
  readonly limit: number
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
  /** Where the last page ended. */
  readonly after: Place | undefined
}
interface Place {
  readonly dueMs: EpochMs
  readonly partition: number
  readonly offset: number
}
interface Found {
  readonly item: Item
  readonly partition: number
}

function askedOf(parameters: URLSearchParams): Asked | { readonly problem: string } {
  const limit = Number(parameters.get('limit') ?? DEFAULT_LIMIT)
  if (!Number.isSafeInteger(limit) || limit < 1) return { problem: `limit is a whole number from 1 to ${MOST_MESSAGES}` }
  const [fromMs, toMs] = [instantOf(parameters.get('from'), 0), instantOf(parameters.get('to'), Infinity)]
  if (fromMs === undefined || toMs === undefined) return { problem: 'from and to are epoch milliseconds or RFC 3339' }
  const token = parameters.get('continue')
  const after = token === null ? undefined : placeOf(token)
  if (token !== null && after === undefined) return { problem: 'continue is what the answer before named so' }
  return { limit: Math.min(limit, MOST_MESSAGES), fromMs, toMs, after }
}

const instantOf = (text: string | null, absent: EpochMs): EpochMs | undefined => (text === null ? absent : parseInstant(text))

const place = ({ item, partition }: Found): Place => ({ dueMs: item.dueMs, partition, offset: item.originOffset })
const tokenOf = (found: Found): string => Object.values(place(found)).join('-')

function placeOf(token: string): Place | undefined {
  const [, dueMs, partition, offset] = /^(\d{1,16})-(\d{1,6})-(\d{1,16})$/.exec(token) ?? []
  return dueMs === undefined ? undefined : { dueMs: Number(dueMs), partition: Number(partition), offset: Number(offset) }
}

const byPlace = (a: Place, b: Place): number => a.dueMs - b.dueMs || a.partition - b.partition || a.offset - b.offset
const inOrder = (a: Found, b: Found): number => byPlace(place(a), place(b))

/** One more than asked for, so that it is known whether there are more. */
function firstOf({ waiting, partition }: Owned, { limit, fromMs, toMs, after }: Asked) {
  const messages: Found[] = []
  let visited = 0
  for (const item of waiting.inDueOrder()) {
    if (item.dueMs > toMs || messages.length > limit) break
    if (++visited > MOST_VISITED) return { messages, gaveUp: true }
    const found = { item, partition }
    if (item.dueMs >= fromMs && (after === undefined || byPlace(place(found), after) > 0)) messages.push(found)
  }
  return { messages, gaveUp: false }
}

/** No payload, and no key: it may be somebody's name. Equal keys have equal hashes. */
function shown({ id, record, dueMs, originOffset, originMs, instructions, source }: Item, partition: number, now: EpochMs) {
  return {
    ...(id !== undefined && { id: Buffer.from(id, 'latin1').toString() }),
    ...(record.key !== null && { keyHash: keyHash(record.key) }),
    ...(instructions.version > 0 && { version: instructions.version }),
    due: instant(dueMs),
    ...(dueMs < now && { overdueMs: now - dueMs }),
    appended: instant(originMs),
    partition,
    offset: originOffset,
    source: source.topic,
  }
}

const HASH_LENGTH = 12
export const keyHash = (key: Buffer): string => createHash('sha256').update(key).digest('hex').slice(0, HASH_LENGTH)

/** `waiting` in memory or `inTier` as far as the tier is read ahead; `cancelled`: remembered as ended; `unknown` to these partitions. */
function aboutId(tasks: readonly Owned[], id: string, now: EpochMs) {
  const messages = tasks.flatMap(({ partition, waiting, ids }) => {
    return Array.from(waiting.named(id), item => {
      const verdict = ids.look(id, item.originOffset, item.instructions.version)
      const where = item.source.type === 'tier' && !item.inHeap ? 'inTier' : 'waiting'
      return { state: verdict === 'alive' ? where : verdict, ...shown(item, partition, now) }
    })
  })
  const remembered = tasks.flatMap(({ partition, ids }) => {
    const entry = ids.about(id)
    return entry === undefined ? [] : [{ partition, ...entry }]
  })
  const [first] = messages
  const cancelled = remembered.some(({ cancelledBelow }) => cancelledBelow !== undefined)
  const state = first?.state ?? (cancelled ? 'cancelled' : 'unknown')
  return {
    state,
    messages,
    remembered,
    ...(state === 'unknown' && { note: 'not in the memory of these partitions; a message in a tier is in Kafka only: sluice delay get' }),
  }
}

export const queries: Readonly<Record<string, TaskQuery>> = { stats, pending }
