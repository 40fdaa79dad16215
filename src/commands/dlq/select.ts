import { Option } from 'commander'
import type { Command } from 'commander'
import type { Select } from '../../kinds/dead-letter-redrive/resource.ts'
import { parseMoment, parseOffset } from '../moments.ts'

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
