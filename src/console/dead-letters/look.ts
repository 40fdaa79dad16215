import type { LogRecord } from '../../kafka/log.ts'
import { deadLetterOf, headersOf, payloadOf } from '../../dead-letters/dead-letter.ts'
import type { DeadLetter } from '../../dead-letters/dead-letter.ts'
import type { DeadLetterDesk } from '../../dead-letters/desk.ts'
import { Groups } from '../../dead-letters/groups.ts'
import { visitDeadLetters } from '../../dead-letters/visit.ts'
import type { Marker } from '../../kinds/dead-letter-redrive/handled.ts'
import { Refused } from '../ports.ts'
import type { Asked, Route } from '../route.ts'
import type { LineStream } from '../stream.ts'
import { search } from './searches.ts'
import { mayRead, mayReadPayloads, pipelineOf, PIPELINE } from './section.ts'
import type { DeadLetterSection } from './section.ts'
import { selectIn } from './selectors.ts'

const MOST_GROUPS_SHOWN = 200
const PAGE_RECORDS = 100
const MOST_PAGE_RECORDS = 500
const RECORD = `${PIPELINE}/records/:partition/:offset`

/** Groups, records, one record, its payload. */
export const lookRoutes = (section: DeadLetterSection): readonly Route[] => [
  { method: 'GET', path: `${PIPELINE}/groups`, right: mayRead, tell: (asked, lines) => search(section, asked, lines, groups(asked)) },
  {
    method: 'GET',
    path: `${PIPELINE}/records`,
    right: mayRead,
    tell: (asked, lines) => search(section, asked, lines, records(asked, lines)),
  },
  { method: 'GET', path: RECORD, right: mayRead, answer: asked => one(section, asked, headersTold) },
  {
    method: 'GET',
    path: `${RECORD}/payload`,
    right: mayReadPayloads,
    answer: asked => {
      const { caller, params, query } = asked
      // Told before it is read: what was shown and not written down would be worse than the opposite.
      section.logger.info(
        { audit: 'PayloadShown', by: caller.name, ...params, topic: query.get('topic') ?? undefined },
        'A payload is shown',
      )
      return one(section, asked, payloadOf)
    },
  },
]

type Search = Parameters<typeof search>[3]

function groups({ query }: Asked): Search {
  const unhandled = query.get('unhandled') === 'true'
  const select = selectIn(query)
  return async (desk, watching) => {
    const counted = new Groups()
    const remarks = await visitDeadLetters(desk, select, {
      ...watching(),
      visit: (record, handled) => {
        if (!unhandled || handled === undefined) counted.add(record, handled)
      },
    })
    return { total: counted.total, kinds: counted.kinds, groups: counted.top(MOST_GROUPS_SHOWN), remarks }
  }
}

function records({ query }: Asked, lines: LineStream): Search {
  const limit = limitIn(query)
  const unhandled = query.get('unhandled') === 'true'
  const select = selectIn(query)
  const positions = new Map<number, number>(positionsIn(query))
  return async (desk, watching) => {
    let found: DeadLetter[] = []
    let count = 0
    const tell = (): void => {
      if (found.length > 0) lines.write({ type: 'records', records: found })
      found = []
    }
    const watch = watching(tell)
    const from = {
      ...desk,
      ranges: desk.ranges.map(range => ({ ...range, from: Math.max(range.from, positions.get(range.partition) ?? 0) })),
    }
    const remarks = await visitDeadLetters(from, select, {
      ...watch,
      passed: record => {
        positions.set(record.partition, record.offset + 1)
        watch.passed(record)
      },
      visit: (record, handled) => {
        if (count >= limit || (unhandled && handled !== undefined)) return
        count++
        found.push(deadLetterOf(record, handled))
      },
      enough: () => count >= limit,
    })
    tell()
    const after = [...positions].map(([partition, offset]) => `${partition}:${offset}`).join(',')
    return { remarks, ...(count >= limit && { after }) }
  }
}

type Told = (record: LogRecord) => object
const headersTold: Told = record => ({ headers: headersOf(record), valueBytes: record.value?.length ?? null })

/** @throws Refused when there is no such dead letter */
function one({ resources, desks }: DeadLetterSection, { params, query, signal }: Asked, tell: Told): Promise<object> {
  const [partition, offset] = [wholeNumber('partition', params.partition), wholeNumber('offset', params.offset)]
  return desks.with(pipelineOf(resources, params), query.get('topic') ?? undefined, signal, async desk => {
    const [record, handled] = (await recordAt(desk, partition, offset)) ?? []
    if (record === undefined)
      throw new Refused(
        404,
        `${desk.topics.deadLetter}[${partition}] has no dead letter at offset ${offset}: retention may have deleted it`,
      )
    return { ...deadLetterOf(record, handled), ...tell(record) }
  })
}

async function recordAt(
  desk: DeadLetterDesk,
  partition: number,
  offset: number,
): Promise<readonly [LogRecord, Marker['how'] | undefined] | undefined> {
  let found: readonly [LogRecord, Marker['how'] | undefined] | undefined
  await visitDeadLetters(
    desk,
    { offsets: [{ partition, from: offset, to: offset }] },
    { visit: (record, handled) => (found ??= [record, handled]), enough: () => found !== undefined },
  )
  return found
}

function limitIn(query: URLSearchParams): number {
  const limit = query.has('limit') ? wholeNumber('limit', query.get('limit') ?? '') : PAGE_RECORDS
  if (limit < 1 || limit > MOST_PAGE_RECORDS) throw new Refused(400, `limit must be from 1 to ${MOST_PAGE_RECORDS}`)
  return limit
}

/** Where the page before ended: `PARTITION:OFFSET,...` */
function positionsIn(query: URLSearchParams): readonly (readonly [number, number])[] {
  const text = query.get('after') ?? ''
  if (text === '') return []
  if (!/^[0-9]{1,6}:[0-9]{1,15}(,[0-9]{1,6}:[0-9]{1,15}){0,9999}$/.test(text))
    throw new Refused(400, 'after must be what the page before it answered')
  return text.split(',').map(pair => {
    const [partition, offset] = pair.split(':').map(Number)
    return [partition ?? 0, offset ?? 0]
  })
}

function wholeNumber(what: string, text = ''): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw new Refused(400, `${what} must be a whole number`)
  return Number(text)
}
