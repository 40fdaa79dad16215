import { partitionOf } from '../../../src/kafka/partitioner.ts'
import type { LogRecord } from '../../../src/kafka/log.ts'
import type { RedriveConfig } from '../../../src/kinds/dead-letter-redrive/config.ts'
import type { DeadLetterRedrive, Select } from '../../../src/kinds/dead-letter-redrive/resource.ts'
import { textHeader } from '../../support/delay-queue/world.ts'
import type { Cluster } from '../../support/model/cluster.ts'
import { Broken, originOf } from '../broken.ts'
import type { Death } from './deaths.ts'
import type { Run } from './operator.ts'

const TARGETS = ['p.redelivery', 'elsewhere']
/** What is said of failures: attempts start anew. */
const RESET = /^sluice-(attempt|max-attempts|first-failure-at|last-failure-at|retry-deadline|disposition|error-.*)$/

export interface Evidence {
  readonly cluster: Cluster
  readonly deaths: readonly Death[]
  readonly redrives: readonly DeadLetterRedrive[]
  readonly runs: ReadonlyMap<string, Run>
  readonly guests: readonly RedriveConfig[]
}

/** What was moved, by the name of the dead letter. */
const movedOf = ({ cluster }: Evidence): ReadonlyMap<string, readonly LogRecord[]> =>
  Map.groupBy(
    TARGETS.flatMap(topic => cluster.visible(topic)),
    record => textHeader(record, 'name') ?? '',
  )

const configOf = ({ runs, guests }: Evidence, run: string): RedriveConfig | undefined =>
  runs.get(run)?.config ?? guests.find(guest => guest.run === run)

/** What must hold at any moment. @throws Broken */
export function auditSoFar(evidence: Evidence): void {
  const deaths = new Map(evidence.deaths.map(death => [death.name, death]))
  for (const [name, records] of movedOf(evidence)) {
    const death = deaths.get(name)
    const [record] = records
    if (death === undefined || record === undefined) throw new Broken(`${name} was moved, which no committed dead letter is`)
    if (records.length > 1) throw new Broken(`was moved ${records.length} times: ${records.map(originOf).join(', ')}`, death)
    const problem = problemOf(evidence, death, record)
    if (problem !== undefined) throw new Broken(problem, death)
  }
}

/** What must hold when all redrives are completed; the last of them selected everything. @throws Broken */
export function auditRest(evidence: Evidence): void {
  auditSoFar(evidence)
  const moved = movedOf(evidence)
  const marks = marksOf(evidence)
  for (const death of evidence.deaths) {
    const found = marks.filter(({ partition, from, to }) => partition === death.partition && death.offset >= from && death.offset < to)
    const [record] = moved.get(death.name) ?? []
    if (found.length > 1) throw new Broken(`is marked as handled ${found.length} times`, death)
    const [mark] = found
    if (record !== undefined && textHeader(record, 'sluice-redrive-id') !== mark?.run)
      throw new Broken(`was moved by ${textHeader(record, 'sluice-redrive-id') ?? ''} and is marked by ${mark?.run ?? 'nobody'}`, death)
    if (record === undefined && mark !== undefined && mark.how !== 'Discard') throw new Broken('is marked as moved and was not', death)
    if (mark === undefined) mayStay(evidence, death)
    for (const run of evidence.runs.values()) checkRun(evidence, run, death, mark?.run)
  }
  for (const redrive of evidence.redrives) checkCounts(evidence, redrive, moved)
}

function problemOf(evidence: Evidence, { record: dead, partition, offset }: Death, record: LogRecord): string | undefined {
  const run = textHeader(record, 'sluice-redrive-id') ?? ''
  const config = configOf(evidence, run)
  if (config === undefined) return `was moved by ${run}, which nobody knows`
  const [from, to] = config.bounds[partition] ?? [0, 0]
  if (offset < from || offset >= to) return `was moved by ${run}, which ends at ${to}`
  if (config.dryRun || config.action === 'Discard') return `was moved by ${run}, which moves nothing`
  if (!selects(config.select, dead)) return `was moved by ${run}, which does not select it`
  if (record.topic !== config.topics.target) return `was moved by ${run} to ${record.topic}`
  const count = countOf(dead)
  if (count >= config.maxRedrives) return `was moved by ${run} though it was redriven ${count} times`
  if (textHeader(record, 'sluice-redrive-count') !== String(count + 1))
    return `says it was redriven ${textHeader(record, 'sluice-redrive-count') ?? ''} times after ${count}`
  if (record.key?.toString() !== dead.key?.toString() || record.value?.toString() !== dead.value?.toString()) return 'came out altered'
  const partitions = evidence.cluster.partitionsOf(record.topic)?.length ?? 1
  const wanted = dead.key === null ? Number(textHeader(dead, 'sluice-origin-partition')) % partitions : partitionOf(dead.key, partitions)
  if (record.partition !== wanted) return `was moved to partition ${record.partition} instead of ${wanted}`
  const stale = record.headers.find(([name]) => RESET.test(name))
  if (stale !== undefined) return `was moved with ${stale[0]} of its last failure`
  const [is, should] = [keptOf(record), transformed(config, dead)]
  return is === should ? undefined : `was moved with headers ${is} instead of ${should}`
}

const isKept = (name: string): boolean => !RESET.test(name) && !name.startsWith('sluice-redrive-')
const shown = (headers: readonly (readonly [string, Buffer | string | null])[]): string =>
  headers.map(([name, value]) => `${name}=${value?.toString() ?? ''}`).join(' ')

const keptOf = ({ headers }: LogRecord): string => shown(headers.filter(([name]) => isKept(name)))

function transformed({ setHeaders, removeHeaders }: RedriveConfig, { headers }: LogRecord): string {
  const kept = headers.filter(([name]) => isKept(name) && !removeHeaders.includes(name) && setHeaders[name] === undefined)
  return shown([...kept, ...Object.entries(setHeaders)])
}

/** What is no number counts as too often. */
function countOf(record: LogRecord): number {
  const told = textHeader(record, 'sluice-redrive-count')
  if (told === undefined) return 0
  return /^[0-9]+$/.test(told) ? Number(told) : Infinity
}

function selects(select: Select, record: LogRecord): boolean {
  const { fingerprint, errorClass, key, header, partitions, offsets } = select
  const { partition, offset } = record
  return (
    (fingerprint === undefined || textHeader(record, 'sluice-error-fingerprint') === fingerprint) &&
    (errorClass === undefined || textHeader(record, 'sluice-error-class') === errorClass) &&
    (key === undefined || record.key?.toString() === key) &&
    (header === undefined || textHeader(record, header.name) !== undefined) &&
    (partitions?.includes(partition) ?? true) &&
    (offsets?.some(range => range.partition === partition && offset >= range.from && offset <= range.to) ?? true)
  )
}

interface Mark {
  readonly partition: number
  readonly from: number
  readonly to: number
  readonly run: string
  readonly how: unknown
}

const marksOf = ({ cluster }: Evidence): readonly Mark[] =>
  cluster.visible('p.handled').map(({ partition, value }) => {
    const { f, e, r, h } = JSON.parse(value?.toString() ?? '') as { f: number; e: number; r: string; h: unknown }
    return { partition, from: f, to: e, run: r, how: h }
  })

/** Only what was redriven too often stays behind the last redrive, and what died after it began. */
function mayStay({ runs }: Evidence, { record, partition, offset, ...death }: Death): void {
  const last = [...runs.values()].at(-1)
  const [, end = 0] = last?.config.bounds[partition] ?? []
  if (countOf(record) >= (last?.config.maxRedrives ?? 0) || offset >= end) return
  throw new Broken('was left behind by a redrive of everything', { ...death, partition, offset })
}

/** A redrive without limit has moved what it selects when it is completed, unless somebody who began before that did. */
function checkRun({ runs }: Evidence, { config, completedMs }: Run, death: Death, by: string | undefined): void {
  const [from, to] = config.bounds[death.partition] ?? [0, 0]
  const meant = death.offset >= from && death.offset < to && selects(config.select, death.record)
  if (!meant || config.dryRun || config.maxMessages !== undefined || completedMs === Infinity) return
  // `elsewhere` refuses some for good.
  if (countOf(death.record) >= config.maxRedrives || config.topics.target === 'elsewhere') return
  if (by === undefined) throw new Broken(`was left behind by ${config.run}, which selects it`, death)
  const other = runs.get(by)
  if (other !== undefined && other.startedMs > completedMs)
    throw new Broken(`was moved by ${by}, though ${config.run} selects it and was completed before`, death)
}

/** The status tells what happened. */
function checkCounts(
  evidence: Evidence,
  { metadata, spec, status }: DeadLetterRedrive,
  moved: ReadonlyMap<string, readonly LogRecord[]>,
): void {
  if (status?.phase !== 'Completed') throw new Broken(`${metadata.name} is ${status?.phase ?? 'unknown'}`)
  const { matched = 0, sent = 0, skipped = 0, failed = 0 } = status
  const run = [...evidence.runs.keys()].find(name => name.startsWith(`shop/${metadata.name}/`))
  const really = [...moved.values()].filter(([record]) => record !== undefined && textHeader(record, 'sluice-redrive-id') === run).length
  if (sent !== really) throw new Broken(`${metadata.name} says that it sent ${sent}, and ${really} are there`)
  if (sent > (spec.maxMessages ?? Infinity)) throw new Broken(`${metadata.name} sent ${sent}, above its limit of ${spec.maxMessages ?? ''}`)
  if (spec.dryRun !== true && sent + skipped + failed !== matched)
    throw new Broken(`${metadata.name} counts ${matched} matched, and ${sent} + ${skipped} + ${failed} that became of them`)
}
