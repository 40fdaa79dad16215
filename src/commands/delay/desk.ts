import type { Clock } from '../../api/clock.ts'
import type { KafkaAdmin } from '../../kafka/admin.ts'
import { KafkaError } from '../../kafka/errors.ts'
import type { Commit, LogReader, TopicPartition, Watermarks } from '../../kafka/log.ts'
import { Survey } from '../../kinds/delay-queue/survey.ts'
import type { Found } from '../../kinds/delay-queue/survey.ts'
import type { Source } from '../../kinds/delay-queue/source.ts'
import { unwrapped } from '../../worker/metadata.ts'
import type { Queue } from './queue.ts'
import type { Range } from '../../kafka/read-ranges.ts'
import { readRanges } from '../../kafka/read-ranges.ts'

/** What a look at a queue needs. */
export interface Desk {
  readonly queue: Queue
  readonly admin: KafkaAdmin
  readonly reader: LogReader
  readonly clock: Clock
}

/** Offsets of one topic at the time of the look. */
interface Stand extends Range {
  readonly source: Source
  readonly survey: Survey
}

/** A message is read of one topic and then of another within this time, or its clock is off by that much. */
const MOTION_MS = 60_000

/** A look at a queue: its books are read, its records not yet. */
export class Look {
  readonly surveys: readonly Survey[]
  /** Committed position to end, per source and partition. */
  readonly stands: readonly Stand[]
  /** What the look cannot tell: for the last lines of an answer. */
  readonly remarks: string[]
  readonly #desk: Desk
  readonly #atMs: number
  readonly #seen = new Set<string>()

  private constructor(desk: Desk, surveys: readonly Survey[], stands: readonly Stand[], remarks: string[]) {
    this.#desk = desk
    this.#atMs = desk.clock.now()
    this.surveys = surveys
    this.stands = stands
    this.remarks = remarks
  }

  /**
   * The order is what keeps a queue at work from being seen wrongly. Journal before offsets: else what was delivered in between seems to wait. Ends of
   * the sources last: else what moved to a tier in between is seen nowhere; seen twice, it is told by its origin.
   */
  static async at(desk: Desk, partitions: readonly number[]): Promise<Look> {
    const { queue, reader, clock } = desk
    const { journal, ids } = queue.config.topics
    const surveys = partitions.map(partition => new Survey(queue.config, partition))
    const before = await commitsOf(desk)
    const journals = await endsOf(reader, surveys, [journal])
    const states = [...journals, ...(await endsOf(reader, surveys, [ids]))]
    const starts = new Map(surveys.map(survey => [survey, survey.restoreFrom(of(before, survey))]))
    const remarks: string[] = []
    const stateRanges = states.map(({ survey, topic, partition, low, high }) => {
      const from = starts.get(survey)?.get(topic) ?? 'earliest'
      return { topic, partition, from: from === 'earliest' ? low : Math.max(low, Math.min(from, high)), to: high }
    })
    const bySurvey = new Map(surveys.map(survey => [survey.partition, survey]))
    await readRanges(reader, stateRanges, record => (bySurvey.get(record.partition)?.loadState(record), 'more'), clock)
    const after = await commitsOf(desk)
    const positions = new Map(
      surveys.map(survey => {
        const ends = new Map(states.filter(state => state.survey === survey).map(({ topic, high }) => [topic, high]))
        return [survey, survey.started(of(after, survey), ends)]
      }),
    )
    const stands = (await endsOf(reader, surveys, surveys[0]?.sources.map(({ topic }) => topic) ?? [])).flatMap((end): Stand[] => {
      const { survey, topic, partition, low, high } = end
      const source = survey.sources.find(candidate => candidate.topic === topic)
      const position = positions.get(survey)?.get(topic) ?? low
      const from = Math.min(Math.max(position, low), high)
      if (from > position && position > 0)
        remarks.push(`${topic}[${partition}]: ${from - position} offsets were deleted before a worker had done with them`)
      return source === undefined ? [] : [{ survey, source, topic, partition, from, to: high }]
    })
    return new Look(desk, surveys, stands, remarks)
  }

  /**
   * Reads what waits: the input first, so that cancels in it are known. `enough` says that nothing due at this time or later is wanted any more; a message
   * that was moving between two topics is visited once.
   */
  async read(
    sources: readonly Source['type'][],
    visit: (found: Found) => void,
    enough: (source: Source, appendedMs: number) => boolean = () => false,
  ): Promise<void> {
    for (const types of [['input'], ['fixed', 'tier']] as const) {
      const stands = this.stands.filter(({ source }) => types.some(type => type === source.type) && sources.includes(source.type))
      const byName = new Map(stands.map(stand => [`${stand.topic}/${stand.partition}`, stand]))
      const hidden = await readRanges(
        this.#desk.reader,
        stands,
        record => {
          const stand = byName.get(`${record.topic}/${record.partition}`)
          if (stand === undefined || enough(stand.source, record.timestampMs)) return 'enough'
          const found = stand.survey.read(record)
          if (found === undefined || this.#moved(found, stand.source)) return 'more'
          visit(found)
          return 'more'
        },
        this.#desk.clock,
      )
      for (const { topic, partition } of hidden)
        this.remarks.push(`${topic}[${partition}]: a transaction is open; what stands behind it is not seen yet, by the workers neither`)
    }
  }

  /** What may be on its way while we look: all of the input, and of a tier what came in since or is about to leave. */
  #moved({ partition, originOffset, record }: Found, { type, delayMs }: Source): boolean {
    const { timestampMs } = record
    const moves = type === 'input' || timestampMs > this.#atMs - MOTION_MS || timestampMs + delayMs < this.#desk.clock.now() + MOTION_MS
    if (type === 'fixed' || !moves) return false
    const origin = `${partition}/${originOffset}`
    if (this.#seen.has(origin)) return true
    this.#seen.add(origin)
    return false
  }
}

/** Offsets of the group with the task's own note, by `topic/partition`. */
async function commitsOf({ admin, queue }: Desk): Promise<ReadonlyMap<string, Commit>> {
  const offsets = await admin.groupOffsets(queue.group)
  return new Map(
    offsets.map(({ topic, partition, offset, metadata }) => [
      `${topic}/${partition}`,
      unwrapped({ topic, partition, offset: Number(offset), metadata }),
    ]),
  )
}

const of = (commits: ReadonlyMap<string, Commit>, { partition, sources }: Survey): ReadonlyMap<string, Commit> =>
  new Map(
    sources.flatMap(({ topic }) => {
      const commit = commits.get(`${topic}/${partition}`)
      return commit === undefined ? [] : [[topic, commit] as const]
    }),
  )

/** @throws KafkaError for a partition that nobody answers for */
async function endsOf(
  reader: LogReader,
  surveys: readonly Survey[],
  topics: readonly string[],
): Promise<readonly (TopicPartition & Watermarks & { readonly survey: Survey })[]> {
  const asked = surveys.flatMap(survey => topics.map(topic => ({ survey, topic, partition: survey.partition })))
  const answers = await reader.watermarks(asked)
  return asked.map((one, i) => {
    const answer = answers[i]
    if (answer === undefined || answer instanceof KafkaError) throw answer ?? new Error(`no answer for ${one.topic}[${one.partition}]`)
    return { ...one, ...answer }
  })
}
