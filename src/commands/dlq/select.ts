import { Option } from 'commander'
import type { Command } from 'commander'
import type { LogRecord } from '../../kafka/log.ts'
import { selectionOf } from '../../kinds/dead-letter-redrive/selection.ts'
import type { Select } from '../../kinds/dead-letter-redrive/resource.ts'
import { readRanges } from '../delay/read-ranges.ts'
import type { Range } from '../delay/read-ranges.ts'
import { parseMoment, parseOffset } from '../moments.ts'
import type { DeadLetterDesk } from './open.ts'

/** The selectors of a DeadLetterRedrive, as options. */
export interface SelectOptions {
  readonly all?: boolean
  readonly fingerprint?: string
  readonly class?: string
  readonly key?: string
  readonly header?: Select['header']
  readonly from?: string
  readonly to?: string
  readonly offsets?: Select['offsets']
}

export const withSelectOptions = (command: Command): Command =>
  command
    .addOption(option('--fingerprint <fingerprint>', 'only this failure, as sluice dlq groups shows it'))
    .addOption(option('--class <name>', 'only this class of error'))
    .addOption(option('--key <key>', 'only this record key'))
    .addOption(option('--header <name[=value]>', 'only records with this header').argParser(parseHeader))
    .addOption(option('--from <instant>', 'only what died from then on: RFC 3339, or epoch ms').argParser(parseInstant))
    .addOption(option('--to <instant>', 'only what died before then').argParser(parseInstant))
    .addOption(option('--offsets <partition:from-to>', 'only these offsets, both included; may be repeated').argParser(parseOffsets))

const option = (flags: string, description: string): Option => new Option(flags, description).helpGroup('Which dead letters:')

const parseInstant = (text: string): string => new Date(parseMoment(text)).toISOString()

function parseHeader(text: string): NonNullable<Select['header']> {
  const [name = '', value] = text.split(/=(.*)/s, 2)
  if (name === '') throw new Error('--header: write NAME or NAME=VALUE')
  return { name, ...(value !== undefined && { value }) }
}

function parseOffsets(text: string, before: Select['offsets'] = []): NonNullable<Select['offsets']> {
  const [, partition, from, to] = /^([0-9]+):([0-9]+)(?:-([0-9]+))?$/.exec(text) ?? []
  if (partition === undefined || from === undefined)
    throw new Error(`--offsets: "${text.slice(0, 40)}": write PARTITION:FROM-TO, such as 0:120-140`)
  const range = { partition: Number(partition), from: parseOffset(from, '--offsets'), to: parseOffset(to ?? from, '--offsets') }
  if (range.from > range.to) throw new Error(`--offsets: ${text}: from is above to`)
  return [...before, range]
}

/** undefined: nothing was said. */
export function selectOf({ fingerprint, class: errorClass, key, header, from, to, offsets, all }: SelectOptions): Select | undefined {
  const select: Select = {
    ...(fingerprint !== undefined && { fingerprint }),
    ...(errorClass !== undefined && { errorClass }),
    ...(key !== undefined && { key }),
    ...(header !== undefined && { header }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(offsets !== undefined && { offsets }),
  }
  const some = Object.keys(select).length > 0
  if (some && all === true) throw new Error('--all selects everything: remove it, or the other selectors')
  return some ? select : all === true ? { all: true } : undefined
}

/** Visits what is selected, in offset order per partition. Answers remarks for what could not be seen. */
export async function visitDeadLetters(
  desk: DeadLetterDesk,
  select: Select,
  visit: (record: LogRecord, handled: 'Redrive' | 'Discard' | undefined) => void,
  enough: () => boolean = () => false,
): Promise<readonly string[]> {
  const selected = selectionOf(select)
  const hidden = await readRanges(
    desk.reader,
    await narrowed(desk, select),
    record => {
      if (enough()) return 'enough'
      if (selected(record)) visit(record, desk.handled[record.partition]?.at(record.offset)?.how)
      return enough() ? 'enough' : 'more'
    },
    desk.clock,
  )
  return hidden.map(({ topic, partition }) => `${topic}[${partition}]: a transaction is open; what stands behind it is not seen yet`)
}

/** Offsets and times say where to begin; brokers find a time by their index. */
async function narrowed({ ranges, admin }: DeadLetterDesk, { offsets, from }: Select): Promise<readonly Range[]> {
  const wanted = offsets === undefined ? ranges : ranges.flatMap(range => withinOffsets(range, offsets))
  if (from === undefined || wanted.length === 0) return wanted
  const answers = await admin.listOffsets(wanted.map(({ topic, partition }) => ({ topic, partition, at: { timestamp: Date.parse(from) } })))
  return wanted.map((range, i) => {
    const answer = answers[i]
    const start = answer?.error === undefined ? Number(answer?.offset ?? range.from) : range.from
    return { ...range, from: Math.min(range.to, Math.max(range.from, start)) }
  })
}

function withinOffsets(range: Range, offsets: NonNullable<Select['offsets']>): readonly Range[] {
  const own = offsets.filter(({ partition }) => partition === range.partition)
  if (own.length === 0) return []
  const from = Math.max(range.from, Math.min(...own.map(one => one.from)))
  const to = Math.min(range.to, Math.max(...own.map(one => one.to + 1)))
  return from < to ? [{ ...range, from, to }] : []
}
