import type { CommittedOffset, KafkaAdmin, OffsetAnswer, OffsetQuery } from '../kafka/admin.ts'
import { noteOf } from './contract.ts'
import type { Waiting, WaitingSource } from './plan.ts'

/** What waits in the topics of a resource, as far as Kafka knows without reading a record. */
export interface Pending {
  /** Something stands above the committed positions, if only markers of transactions: not all is known to be done. */
  readonly any: boolean
  /** At most so many records; 0 while `any`: only the books are open. */
  readonly records: number
  /** Of the sources that the workers read. */
  readonly topics: readonly string[]
  /** Came after `since`, into sources that others write to. */
  readonly arrived: number
  /** Of sources that another group reads: what it has not read. */
  readonly unread: readonly { readonly topic: string; readonly group: string; readonly records: number }[]
}

/**
 * Asks for the committed positions first and for the ends after them: a record that moves from one source to another meanwhile shows in at least one
 * of the two. The ends are high watermarks, so that what an open transaction hides counts too.
 * @param exists of topics that were seen; of any other one that the brokers do not know nothing is asked
 * @throws KafkaError when they do not answer for a topic that exists
 */
export async function pendingOf(admin: KafkaAdmin, waiting: Waiting, since: number, exists: ReadonlySet<string>): Promise<Pending> {
  const groups = [...new Set([waiting.group, ...waiting.sources.flatMap(({ readBy }) => readBy ?? [])])]
  const positions = new Map<string, ReadonlyMap<string, CommittedOffset>>()
  for (const group of groups) positions.set(group, byPlace(await admin.groupOffsets(group)))
  const bounds = await boundsOf(admin, waiting.sources, exists)
  const stands = waiting.sources.map(source => standOf(source, positions, waiting.group, bounds))
  const own = stands.filter(({ source, open }) => source.readBy === undefined && open)
  return {
    any: stands.some(({ open }) => open),
    records: own.reduce((sum, { records }) => sum + records, 0),
    topics: own.filter(({ records }) => records > 0).map(({ source }) => source.topic),
    arrived: own.some(({ source }) => source.open) ? await arrivals(admin, own, since, bounds) : 0,
    unread: stands.flatMap(({ source: { topic, readBy: group }, open, records }) =>
      open && group !== undefined ? [{ topic, group, records }] : [],
    ),
  }
}

type Bounds = ReadonlyMap<string, readonly [from: number, to: number]>

interface Stand {
  readonly source: WaitingSource
  readonly open: boolean
  readonly records: number
}

const placeOf = ({ topic, partition }: { readonly topic: string; readonly partition: number }): string => `${topic}/${partition}`

const partitionsOf = ({ topic, partitions }: WaitingSource) => Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))

const byPlace = (offsets: readonly CommittedOffset[]): ReadonlyMap<string, CommittedOffset> =>
  new Map(offsets.map(offset => [placeOf(offset), offset]))

async function boundsOf(admin: KafkaAdmin, sources: readonly WaitingSource[], exists: ReadonlySet<string>): Promise<Bounds> {
  const places = sources.flatMap(partitionsOf)
  const query = (at: 'earliest' | 'latest'): readonly OffsetQuery[] => places.map(place => ({ ...place, at }))
  const answers = await admin.listOffsets([...query('earliest'), ...query('latest')])
  const bounds = new Map<string, readonly [number, number]>()
  places.forEach((place, i) => {
    const pair = [answers[i], answers[places.length + i]]
    const error = pair.find(answer => answer?.error !== undefined)?.error
    if (error === undefined) bounds.set(placeOf(place), [offsetOf(pair[0]), offsetOf(pair[1])])
    else if (error.code !== 'UnknownTopic' || exists.has(place.topic)) throw error
  })
  return bounds
}

const offsetOf = (answer: OffsetAnswer | undefined): number => Number(answer?.offset ?? NaN)

function standOf(
  source: WaitingSource,
  positions: ReadonlyMap<string, ReadonlyMap<string, CommittedOffset>>,
  group: string,
  bounds: Bounds,
): Stand {
  const own = positions.get(source.readBy ?? group)
  let open = false
  let records = 0
  for (const place of partitionsOf(source)) {
    const [from, to] = bounds.get(placeOf(place)) ?? [0, 0]
    const committed = own?.get(placeOf(place))?.offset
    // Above the end, it is a position in an earlier topic of the same name: nothing of this one is done.
    const start = committed === undefined || Number(committed) > to ? from : Math.max(from, Number(committed))
    const behind = to - start
    if (behind <= 0) continue
    open = true
    records += countedOf(source, own, place.partition) ?? behind
  }
  return { source, open, records }
}

function countedOf(
  { counted }: WaitingSource,
  positions: ReadonlyMap<string, CommittedOffset> | undefined,
  partition: number,
): number | undefined {
  if (counted === undefined) return undefined
  const noted = positions?.get(placeOf({ topic: counted.topic, partition }))
  return noted && counted.count(noteOf(noted.metadata))
}

async function arrivals(admin: KafkaAdmin, stands: readonly Stand[], since: number, bounds: Bounds): Promise<number> {
  const places = stands
    .flatMap(({ source }) => (source.open === true ? partitionsOf(source) : []))
    .filter(place => bounds.has(placeOf(place)))
  const answers = await admin.listOffsets(places.map(place => ({ ...place, at: { timestamp: since } })))
  return places.reduce((sum, place, i) => {
    const [, to] = bounds.get(placeOf(place)) ?? [0, 0]
    const first = answers[i]?.error === undefined ? offsetOf(answers[i]) : to
    return sum + Math.max(0, to - first)
  }, 0)
}
