import { writeSync } from 'node:fs'
import { deadLetterOf, headersOf, payloadOf } from '../../dead-letters/dead-letter.ts'
import type { DeadLetter } from '../../dead-letters/dead-letter.ts'
import type { DeadLetterDesk } from '../../dead-letters/desk.ts'
import { Groups } from '../../dead-letters/groups.ts'
import { visitDeadLetters } from '../../dead-letters/visit.ts'
import type { LogRecord } from '../../kafka/log.ts'
import type { Select } from '../../kinds/dead-letter-redrive/resource.ts'
import { harmless } from '../output.ts'
import type { Answer } from '../output.ts'

/** What a look leaves out. */
export interface LookOptions {
  readonly limit: number
  readonly unhandled: boolean
}

const LONGEST_MESSAGE = 60
const short = (text: string): string =>
  (text.length <= LONGEST_MESSAGE ? text : `${text.slice(0, LONGEST_MESSAGE - 1)}…`).replace(/\s+/g, ' ')
const nameOf = ({ namespace, name }: DeadLetterDesk): string => `${namespace}/${name}`

/** `sluice dlq list` */
export async function list(desk: DeadLetterDesk, select: Select, { limit, unhandled }: LookOptions): Promise<Answer> {
  const found: DeadLetter[] = []
  const remarks = await visitDeadLetters(desk, select, {
    visit: (record, handled) => {
      if (found.length < limit && !(unhandled && handled !== undefined)) found.push(deadLetterOf(record, handled))
    },
    enough: () => found.length >= limit,
  })
  const table = {
    columns: [
      { heading: 'PARTITION', align: 'right' as const },
      { heading: 'OFFSET', align: 'right' as const },
      ...['DIED', 'KEY', 'FINGERPRINT', 'CLASS', 'MESSAGE', 'HANDLED'].map(heading => ({ heading })),
    ],
    rows: found.map(one => [
      one.partition,
      one.offset,
      one.died,
      one.key,
      one.fingerprint,
      short(one.class),
      short(one.message),
      one.handled,
    ]),
  }
  const more = found.length >= limit ? [`the first ${limit} in reading order; --limit shows more, the selectors fewer`] : []
  return { data: { pipeline: nameOf(desk), deadLetters: found, remarks }, text: [table, ...more, ...remarks] }
}

/** `sluice dlq groups` */
export async function groups(desk: DeadLetterDesk, select: Select, { limit, unhandled }: LookOptions): Promise<Answer> {
  const counted = new Groups()
  const remarks = await visitDeadLetters(desk, select, {
    visit: (record, handled) => {
      if (!unhandled || handled === undefined) counted.add(record, handled)
    },
  })
  const shown = counted.top(limit)
  const table = {
    columns: [
      { heading: 'FINGERPRINT' },
      { heading: 'COUNT', align: 'right' as const },
      { heading: 'UNHANDLED', align: 'right' as const },
      ...['FIRST SEEN', 'LAST SEEN', 'CLASS', 'MESSAGE', 'SAMPLE'].map(heading => ({ heading })),
    ],
    rows: shown.map(({ fingerprint, count: all, unhandled: open, firstSeen, lastSeen, sample, class: errorClass }) => [
      fingerprint,
      all,
      open,
      firstSeen,
      lastSeen,
      short(errorClass),
      short(sample.message),
      `${sample.partition}:${sample.offset}`,
    ]),
  }
  const remark = `${counted.total} dead letters of ${counted.kinds} kinds in ${desk.topics.deadLetter}`
  return { data: { pipeline: nameOf(desk), total: counted.total, groups: shown, remarks }, text: [table, remark, ...remarks] }
}

/** `sluice dlq show` @throws Error when there is no such dead letter */
export async function show(desk: DeadLetterDesk, partition: number, offset: number, payload: boolean): Promise<Answer> {
  const found: (readonly [LogRecord, DeadLetter])[] = []
  await visitDeadLetters(
    desk,
    { offsets: [{ partition, from: offset, to: offset }] },
    { visit: (record, handled) => found.push([record, deadLetterOf(record, handled)]) },
  )
  const [record, told] = found[0] ?? []
  if (record === undefined || told === undefined)
    throw new Error(`${desk.topics.deadLetter}[${partition}] has no dead letter at offset ${offset}: see sluice dlq list`)
  const data = { ...told, headers: headersOf(record), ...(payload && payloadOf(record)) }
  const headers = {
    columns: [{ heading: 'HEADER' }, { heading: 'VALUE' }],
    rows: record.headers.map(([name, value]) => [name, value?.toString()]),
  }
  const about = `${desk.topics.deadLetter}[${partition}] offset ${offset}, died ${told.died ?? 'at an unknown time'}${told.handled === undefined ? '' : `, handled: ${told.handled}`}`
  return { data, text: [about, headers, ...(payload ? [harmless(record.value?.toString() ?? '(no value)')] : [])] }
}

const AGAIN_MS = 5

/** `sluice dlq export`: one JSON document a line. Written at once, so that a slow reader slows the reading and not the memory. */
export async function exportTo(file: number, desk: DeadLetterDesk, select: Select, { limit, unhandled }: LookOptions): Promise<number> {
  let written = 0
  const remarks = await visitDeadLetters(desk, select, {
    visit: (record, handled) => {
      if (written >= limit || (unhandled && handled !== undefined)) return
      const line = { ...deadLetterOf(record, handled), ...payloadOf(record), headers: headersOf(record) }
      writeAll(file, Buffer.from(`${JSON.stringify(line)}\n`))
      written++
    },
    enough: () => written >= limit,
  })
  for (const remark of remarks) process.stderr.write(`${remark}\n`)
  return written
}

function writeAll(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(file, bytes, at)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS)
    }
  }
}
