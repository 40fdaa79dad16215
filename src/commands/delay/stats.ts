import type { EpochMs } from '../../api/resource.ts'
import { KafkaError } from '../../kafka/errors.ts'
import { shownInstant } from '../../kafka/shown.ts'
import type { Found } from '../../kinds/delay-queue/survey.ts'
import type { Source } from '../../kinds/delay-queue/source.ts'
import { offsetsAt, positionKey } from '../offsets-at.ts'
import type { Answer, Table } from '../output.ts'
import { Look } from './desk.ts'
import type { Desk } from './desk.ts'
import { shownDistance, shownRole } from './shown.ts'
import type { WorkerStats } from './workers.ts'
import { workerLines } from './workers.ts'

/** One topic of the queue, over all partitions. */
interface SourceStats {
  readonly where: string
  readonly topic: string
  readonly pending: number
  /** False: counted in offsets, so that markers of transactions count as well, and what was cancelled. */
  readonly exact: boolean
  /** Due and not delivered; of a tier: what should have left it. */
  readonly overdue: number
  readonly oldestDue: string | undefined
  readonly nextDue: string | undefined
  /** Offsets between the committed positions and the ends. */
  readonly behind: number
}

class Tally {
  pending = 0
  overdue = 0
  oldestMs: EpochMs = Infinity
  nextMs: EpochMs = Infinity

  add(dueMs: EpochMs, nowMs: EpochMs): void {
    this.pending++
    if (dueMs <= nowMs) {
      this.overdue++
      this.oldestMs = Math.min(this.oldestMs, dueMs)
    } else this.nextMs = Math.min(this.nextMs, dueMs)
  }
}

/**
 * `sluice delay stats`: the input is read from the committed positions on, which is a minute's worth or the backlog; of tiers the counts are taken that the
 * workers commit, of fixed delays the offsets. `scan` reads everything.
 */
export async function stats(desk: Desk, scan: boolean, workers: readonly WorkerStats[]): Promise<Answer> {
  const { queue, clock } = desk
  const look = await Look.at(
    desk,
    Array.from({ length: queue.config.partitions }, (_, partition) => partition),
  )
  const tallies = scan ? await countAll(look, clock.now()) : await countInput(look, clock.now())
  const late = scan ? new Map<string, number>() : await lateOffsets(desk, look, clock.now())
  const sources = (look.surveys[0]?.sources ?? []).map(source =>
    sourceStats(look, source, tallies.get(source.topic), late.get(source.topic) ?? 0),
  )
  const group = await groupOf(desk)
  const sum = (of: (stats: SourceStats) => number): number => sources.reduce((total, one) => total + of(one), 0)
  const oldest = sources.flatMap(({ oldestDue }) => oldestDue ?? []).sort()[0]
  const next = sources.flatMap(({ nextDue }) => nextDue ?? []).sort()[0]
  const [pending, overdue, exact] = [sum(one => one.pending), sum(one => one.overdue), sources.every(one => one.exact)]
  const nowMs = clock.now()
  const headline = [
    `${queue.namespace}/${queue.name}: ${exact ? '' : 'about '}${pending} pending, ${overdue} overdue`,
    ...(oldest === undefined ? [] : [`the oldest was due ${shownDistance(Date.parse(oldest) - nowMs)}`]),
    ...(next === undefined ? [] : [`the next is due ${shownDistance(Date.parse(next) - nowMs)}`]),
    `group ${queue.group}: ${group === undefined ? 'does not exist: no worker ever ran' : `${group.state}, ${group.members} members`}`,
  ].join('; ')
  return {
    data: {
      queue: `${queue.namespace}/${queue.name}`,
      pending,
      overdue,
      exact,
      oldestDue: oldest,
      nextDue: next,
      group: { name: queue.group, ...group },
      sources,
      workers,
      remarks: look.remarks,
    },
    text: [headline, sourceTable(sources), ...workerLines(workers), ...look.remarks],
  }
}

async function countInput(look: Look, nowMs: EpochMs): Promise<ReadonlyMap<string, Tally>> {
  return count(look, ['input'], nowMs)
}

const countAll = (look: Look, nowMs: EpochMs): Promise<ReadonlyMap<string, Tally>> => count(look, ['input', 'fixed', 'tier'], nowMs)

/** Messages with an id are judged when all of the input has been read: a cancel may follow. */
async function count(look: Look, types: readonly Source['type'][], nowMs: EpochMs): Promise<ReadonlyMap<string, Tally>> {
  const surveys = new Map(look.surveys.map(survey => [survey.partition, survey]))
  const tallies = new Map(look.stands.filter(({ source }) => types.includes(source.type)).map(({ topic }) => [topic, new Tally()]))
  const named: Pick<Found, 'id' | 'originOffset' | 'version' | 'repeated' | 'partition' | 'topic' | 'dueMs'>[] = []
  await look.read(types, found => {
    const { deed, id, originOffset, version, repeated, partition, topic, dueMs } = found
    if (deed !== 'deliver') return
    if (id === undefined) tallies.get(topic)?.add(dueMs, nowMs)
    else named.push({ id, originOffset, version, repeated, partition, topic, dueMs })
  })
  for (const one of named) if (surveys.get(one.partition)?.verdict(one) === 'alive') tallies.get(one.topic)?.add(one.dueMs, nowMs)
  return tallies
}

function sourceStats(look: Look, { topic, role, type }: Source, tally: Tally | undefined, late: number): SourceStats {
  const stands = look.stands.filter(stand => stand.topic === topic)
  const behind = stands.reduce((sum, { from, to }) => sum + to - from, 0)
  const far = stands.reduce((sum, { source }) => sum + source.far, 0)
  return {
    where: shownRole(role),
    topic,
    pending: tally?.pending ?? (type === 'tier' ? far : behind),
    exact: tally !== undefined,
    overdue: tally?.overdue ?? Math.min(late, type === 'tier' ? far : behind),
    oldestDue: shownInstant(tally?.oldestMs ?? NaN),
    nextDue: shownInstant(tally?.nextMs ?? NaN),
    behind,
  }
}

/** Offsets of tiers and fixed delays whose time was over a while ago, and that are not done. */
async function lateOffsets({ admin }: Desk, look: Look, nowMs: EpochMs): Promise<ReadonlyMap<string, number>> {
  const late = new Map<string, number>()
  for (const [delayMs, stands] of Map.groupBy(look.stands, ({ source }) => source.delayMs)) {
    if (delayMs === 0) continue
    const reached = await offsetsAt(admin, stands, { timestamp: Math.max(0, nowMs - delayMs - GRACE_MS) })
    for (const { topic, partition, from, to } of stands) {
      const left = Math.min(reached.get(positionKey({ topic, partition })) ?? from, to)
      late.set(topic, (late.get(topic) ?? 0) + Math.max(0, left - from))
    }
  }
  return late
}
/** A record leaves its tier with the next transaction; a committed position may rest for half a minute. */
const GRACE_MS = 35_000

async function groupOf({ admin, queue }: Desk): Promise<{ readonly state: string; readonly members: number } | undefined> {
  try {
    const { state, members } = await admin.describeGroup(queue.group)
    return { state, members: members.length }
  } catch (error) {
    if (error instanceof KafkaError && error.code === 'UnknownGroup') return undefined
    throw error
  }
}

const sourceTable = (sources: readonly SourceStats[]): Table => ({
  columns: [
    { heading: 'WHERE' },
    { heading: 'PENDING', align: 'right' },
    { heading: 'OVERDUE', align: 'right' },
    { heading: 'OLDEST DUE' },
    { heading: 'NEXT DUE' },
    { heading: 'BEHIND', align: 'right' },
    { heading: 'TOPIC' },
  ],
  rows: sources.map(({ where, pending, exact, overdue, oldestDue, nextDue, behind, topic }) => [
    where,
    exact || pending === 0 ? pending : `~${pending}`,
    exact || overdue === 0 ? overdue : `~${overdue}`,
    oldestDue,
    nextDue,
    behind,
    topic,
  ]),
})
