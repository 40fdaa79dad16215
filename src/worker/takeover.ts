import type { Clock } from '../api/clock.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { Commit, GroupConsumer, LogReader, TopicPartition, Watermarks } from '../kafka/log.ts'
import type { Logger } from '../observability/logger.ts'
import type { Doorbell } from './doorbell.ts'
import type { Fencing } from './fencing.ts'
import { Impossible } from './hosted.ts'
import type { Hosted, StopReason } from './hosted.ts'
import { checkIds, notedIds } from './identity.ts'
import type { IdNotes } from './identity.ts'
import { decodeOwnership, unwrapped } from './metadata.ts'
import type { WorkerMetrics } from './metrics.ts'
import type { Reading } from './reading.ts'
import type { Start } from './task.ts'
import type { TopicIdQueries } from './topic-ids.ts'
import type { Transactions } from './transactions.ts'
import { anew, fromAnEnd, pastTheGap, withoutNotes } from './way-out.ts'

const STABLE_TIMEOUT_MS = 5000
const RETRY_MS = 500

export interface TakeoverOptions {
  readonly group: string
  readonly member: () => GroupConsumer
  readonly reader: LogReader
  readonly reading: Reading
  readonly transactions: Transactions
  readonly fencing: Fencing
  readonly topicIds: TopicIdQueries
  readonly bell: Pick<Doorbell, 'ring'>
  readonly clock: Clock
  readonly metrics: WorkerMetrics
  readonly logger: Logger
  /** The session is over: nothing here is worth another try. */
  readonly ended: () => boolean
}

/** The partition is being given up while it is taken over. */
class Leaving extends Error {}

/**
 * Makes an assigned partition ours: the order of these steps is what keeps records from being lost or doubled (README, law 3). Never rejects; the task
 * runs, is stopped with a reason, or is being given up.
 */
export async function takeOver(hosted: Hosted, options: TakeoverOptions): Promise<void> {
  const { clock, logger, metrics, reading, ended, bell } = options
  const beganMs = clock.monotonicMs()
  for (;;) {
    try {
      await steps(hosted, options)
      metrics.restoreSeconds.observe((clock.monotonicMs() - beganMs) / 1000)
      logger.info({ task: hosted.name, tookMs: Math.round(clock.monotonicMs() - beganMs) }, 'took over a partition')
      return
    } catch (error) {
      if (error instanceof Leaving || hosted.leaving || ended()) return
      // Whatever Kafka refuses now (no leader yet, a missing ACL, a missing topic) may be repaired while we wait; /readyz says what it is.
      if (!(error instanceof KafkaError)) {
        const reason = error instanceof Impossible ? error.reason : 'TaskFailed'
        await reading.stopTask(hosted, reason, error instanceof Error ? error.message : String(error))
        const { standIn } = error as Partial<Impossible>
        if (standIn !== undefined) hosted.committed = new Map([...hosted.committed, [standIn.topic, standIn]])
        // The offsets that were found are written back, with the reason beside them: that is how the operator learns it.
        hosted.claimed = hosted.committed.size > 0
        bell.ring()
        return
      }
      if (hosted.message !== error.message) logger.warn({ task: hosted.name, code: error.code }, error.message)
      hosted.message = error.message
      hosted.hindered = true
      hosted.renew()
      await clock.sleep(RETRY_MS)
    }
  }
}

async function steps(hosted: Hosted, options: TakeoverOptions): Promise<void> {
  const { clock, reading, reader, transactions } = options
  await fencePredecessors(hosted, options)
  const { committed, notes } = await stableOffsets(hosted, options)
  hosted.committed = committed
  await identify(hosted, notes, options)
  const ends = await stateEnds(hosted, reader)
  check(hosted)
  await reading.restore(hosted, startsOf(hosted, committed, ends, options.group), highs(ends))
  check(hosted)
  const wanted = hosted.task.started(committed, highs(ends), hosted.brokerTime.now(clock))
  const bounds = await sourceBounds(hosted, wanted, reader)
  const starts = startsIn(hosted, wanted, { bounds, ends, group: options.group })
  checkRange(hosted, starts, bounds, options.group)
  const claim = [...starts].map(([topic, offset]) => committed.get(topic) ?? { topic, partition: hosted.partition, offset, metadata: '' })
  check(hosted)
  await transactions.claim(hosted, claim)
  hosted.committed = new Map(claim.map(commit => [commit.topic, commit]))
  hosted.keptAtMs = clock.monotonicMs()
  hosted.claimed = true
  check(hosted)
  hosted.state = 'running'
  await reading.open(hosted, starts, highs(bounds))
}

function check(hosted: Hosted): void {
  if (hosted.leaving) throw new Leaving()
}

/** An owner that did not let go may have a transaction open that commits offsets and outputs of this partition: end it now, not in 20 s. */
async function fencePredecessors(hosted: Hosted, { member, fencing }: TakeoverOptions): Promise<void> {
  const commits = await Promise.all(hosted.sources().map(source => member().committedNow(source)))
  const owners = commits.map(commit => (commit === undefined ? undefined : decodeOwnership(commit.metadata)))
  const open = owners.flatMap(owner => (owner === undefined || owner.released ? [] : [owner.transactionalId]))
  check(hosted)
  await Promise.all([...new Set(open)].map(id => fencing.fence(id)))
}

interface Found {
  readonly committed: ReadonlyMap<string, Commit>
  readonly notes: IdNotes
}

async function stableOffsets(hosted: Hosted, { member }: TakeoverOptions): Promise<Found> {
  const committed = new Map<string, Commit>()
  const notes = new Map<string, string>()
  for (const source of hosted.sources()) {
    check(hosted)
    // One by one: a single unstable partition blocks the answer for all.
    const commit = await member().committed(source, { timeoutMs: STABLE_TIMEOUT_MS })
    const owner = commit && decodeOwnership(commit.metadata)
    // Nobody has moved it since it was written in place of one that had expired.
    if (commit === undefined || owner?.stopped?.reason === EXPIRED) continue
    committed.set(source.topic, unwrapped(commit))
    notes.set(source.topic, owner?.ids ?? '')
  }
  return { committed, notes }
}

const EXPIRED: StopReason = 'OffsetsExpired'

/** Offsets mean nothing in another topic of the same name. */
async function identify(hosted: Hosted, notes: IdNotes, { topicIds, group }: TakeoverOptions): Promise<void> {
  const { sources, states } = hosted.family
  const noted = notedIds(hosted, notes)
  hosted.ids = noted
  const ids = await topicIds.of([...sources, ...states])
  check(hosted)
  checkIds(hosted, noted, ids, group)
  hosted.ids = new Map([...noted, ...ids])
}

interface Bounds {
  /** Of the sources. */
  readonly bounds: ReadonlyMap<string, Watermarks>
  /** Of the states. */
  readonly ends: ReadonlyMap<string, Watermarks>
  readonly group: string
}

function startsIn(
  { partition, family: { input } }: Hosted,
  wanted: ReadonlyMap<string, Start>,
  { bounds, ends, group }: Bounds,
): ReadonlyMap<string, number> {
  const low = (topic: string): number => bounds.get(topic)?.low ?? 0
  // States that are whole, and do not name a source, say that nothing of it was ever done.
  const incomplete = [...ends].find(([, state]) => state.low > 0)?.[0]
  return new Map(
    [...wanted].map(([topic, start]) => {
      if (start !== 'unknown') return [topic, offsetOf(start, bounds.get(topic))]
      if (incomplete === undefined) return [topic, 0]
      const message =
        `the group has no offset of ${topic}[${partition}], though it was worked on: brokers forget those of a group that is away for offsets.retention.minutes, and ${incomplete} no longer tells. ` +
        `Find out what was delivered last. ${fromAnEnd(group, topic)}`
      throw new Impossible(EXPIRED, message, { topic: input, partition, offset: low(input), metadata: '' })
    }),
  )
}

/** After the fencing: a transaction that committed late lies below these ends. */
const stateEnds = (hosted: Hosted, reader: LogReader): Promise<ReadonlyMap<string, Watermarks>> => watermarksOf(hosted.states(), reader)

async function watermarksOf(partitions: readonly TopicPartition[], reader: LogReader): Promise<ReadonlyMap<string, Watermarks>> {
  const answers = await reader.watermarks(partitions)
  const found = new Map<string, Watermarks>()
  partitions.forEach(({ topic }, index) => {
    const answer = answers[index]
    if (answer instanceof KafkaError) throw answer
    if (answer !== undefined) found.set(topic, answer)
  })
  return found
}

const highs = (watermarks: ReadonlyMap<string, Watermarks>): ReadonlyMap<string, number> =>
  new Map([...watermarks].map(([topic, { high }]) => [topic, high]))

function startsOf(
  hosted: Hosted,
  committed: ReadonlyMap<string, Commit>,
  ends: ReadonlyMap<string, Watermarks>,
  group: string,
): ReadonlyMap<string, number> {
  const starts = new Map<string, number>()
  const wanted = hosted.task.restoreFrom(committed)
  for (const [topic, { low, high }] of ends) {
    const from = wanted.get(topic) ?? 'earliest'
    if (from !== 'earliest' && from > high) {
      const message = `${topic}[${hosted.partition}] ends at ${high}, but the last commit knew it up to ${from}: was the topic deleted and created again? Restore it. ${withoutNotes(group, committed.values())}`
      throw new Impossible('OffsetOutOfRange', message)
    }
    // What retention removed of a state topic is older than anything that can still be pending (the kind sizes it so).
    starts.set(topic, from === 'earliest' ? low : Math.max(from, low))
  }
  return starts
}

function offsetOf(start: Exclude<Start, 'unknown'>, bounds: Watermarks | undefined): number {
  if (typeof start === 'number') return start
  const { low = 0, high = 0 } = bounds ?? {}
  return start === 'earliest' || start.orEarliest < low || start.orEarliest > high ? low : start.orEarliest
}

function sourceBounds(
  { partition }: Hosted,
  starts: ReadonlyMap<string, unknown>,
  reader: LogReader,
): Promise<ReadonlyMap<string, Watermarks>> {
  return watermarksOf(
    [...starts.keys()].map(topic => ({ topic, partition })),
    reader,
  )
}

/** Below the log start, records were deleted unread; above the end, this is another topic of the same name. Skipping is for people to decide. */
function checkRange(hosted: Hosted, starts: ReadonlyMap<string, number>, found: ReadonlyMap<string, Watermarks>, group: string): void {
  const { partition, family } = hosted
  for (const [topic, { low, high }] of found) {
    const start = starts.get(topic) ?? 0
    if (start < low) {
      throw new Impossible(
        'OffsetOutOfRange',
        `${topic}[${partition}] was read up to ${start}, but its log starts at ${low}: ${low - start} offsets were deleted unread. ${pastTheGap(group, { topic, partition })}`,
      )
    }
    if (start > high) {
      throw new Impossible(
        'OffsetOutOfRange',
        `${topic}[${partition}] was read up to ${start}, but its log ends at ${high}: was the topic deleted and created again? ${anew(group, topic, family.states)}`,
      )
    }
  }
}
