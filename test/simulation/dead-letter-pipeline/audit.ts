import type { PipelineConfig } from '../../../src/kinds/dead-letter-pipeline/config.ts'
import type { LogRecord } from '../../../src/kafka/log.ts'
import { textHeader } from '../../support/delay-queue/world.ts'
import type { Cluster } from '../../support/model/cluster.ts'
import { Broken, originOf } from '../broken.ts'
import { REDELIVERY } from './application.ts'
import type { Written } from './application.ts'
import { expectationOf } from './expectation.ts'
import type { Expected } from './expectation.ts'

export const DEAD = 'p.dlq'
export const FATAL = 'p.fatal'
const WHOLE = /^[0-9]+$/

export interface Evidence {
  readonly cluster: Cluster
  readonly config: PipelineConfig
  readonly written: readonly Written[]
  readonly orders: readonly string[]
  readonly handled: ReadonlySet<string>
  /** The most that a worker's clock was off. */
  readonly skewMs: number
}

/** How each write has ended so far, as a read_committed reader sees it. */
function endsOf({ cluster }: Evidence): ReadonlyMap<string, readonly LogRecord[]> {
  const found = new Map<string, LogRecord[]>()
  for (const record of [REDELIVERY, DEAD, FATAL].flatMap(topic => cluster.visible(topic))) {
    const name = textHeader(record, 'write') ?? ''
    const same = found.get(name)
    if (same === undefined) found.set(name, [record])
    else same.push(record)
  }
  return found
}

const byName = (written: readonly Written[]): ReadonlyMap<string, readonly Written[]> => Map.groupBy(written, ({ name }) => name)

/** What must hold at any moment. @throws Broken */
export function auditSoFar(evidence: Evidence): void {
  const writes = byName(evidence.written)
  for (const [name, records] of endsOf(evidence)) {
    const same = writes.get(name)
    const [write] = same ?? []
    if (same === undefined || write === undefined) throw new Broken(`a record of ${name} came out, which no committed record stands for`)
    if (records.length > same.length)
      throw new Broken(
        `stands ${same.length} times in the retry topic and ended ${records.length} times: ${records.map(originOf).join(', ')}`,
        write,
      )
    for (const record of records) checkEnd(evidence, same, record)
  }
}

/** What must hold when all has come to rest. @throws Broken */
export function auditRest(evidence: Evidence): void {
  auditSoFar(evidence)
  const ends = endsOf(evidence)
  const finished = new Set(evidence.handled)
  for (const [name, same] of byName(evidence.written)) {
    const [write] = same
    if (write === undefined) continue
    const dropped = expectationOf(evidence.config, write).verdict === 'drop'
    const ended = ends.get(name)?.length ?? 0
    if (ended !== (dropped ? 0 : same.length))
      throw new Broken(
        `stands ${same.length} times in the retry topic and ended ${ended} times${dropped ? ', though a rule drops it' : ''}`,
        write,
      )
    const dead = dropped || ends.get(name)?.some(({ topic }) => topic !== REDELIVERY) === true
    if (dead) finished.add(textHeader(write.record, 'order') ?? '')
  }
  for (const order of evidence.orders)
    if (!finished.has(order)) throw new Broken(`${order} is neither handled, nor a dead letter, nor dropped by a rule`)
}

/** Of writes that cannot be told apart, the end must fit one. */
function checkEnd(evidence: Evidence, same: readonly Written[], record: LogRecord): void {
  const problems = same.map(write => problemOf(evidence, write, record))
  if (problems.includes(undefined)) return
  throw new Broken(problems[0] ?? '', same[0])
}

function problemOf({ cluster, config, skewMs }: Evidence, write: Written, record: LogRecord): string | undefined {
  const { key, value, headers } = write.record
  const expected = expectationOf(config, write)
  if (record.key?.toString() !== key?.toString() || record.value?.toString() !== value?.toString()) return 'came out altered'
  if (ownOf(record) !== ownOf({ headers })) return `came out with headers ${ownOf(record)} instead of ${ownOf({ headers })}`
  const twice = record.headers.find(([name], i) => isContext(name) && record.headers.findIndex(([other]) => other === name) !== i)
  if (twice !== undefined) return `came out with ${twice[0]} twice`
  return (
    contextProblem(config, write, record) ??
    (record.topic === REDELIVERY
      ? redeliveryProblem(cluster, skewMs, write, record, expected)
      : deadLetterProblem(cluster, record, expected))
  )
}

function contextProblem({ maxAttempts }: PipelineConfig, write: Written, record: LogRecord): string | undefined {
  const told = (name: string): string => textHeader(record, name) ?? ''
  const before = (name: string): string | undefined => textHeader(write.record, name)
  const whole = (name: string, otherwise: string): string => (WHOLE.test(before(name) ?? '') ? (before(name) ?? '') : otherwise)
  const known = ['sluice-origin-topic', 'sluice-origin-partition', 'sluice-origin-offset'].every(name => before(name) !== undefined)
  const wanted: Readonly<Record<string, string>> = {
    'sluice-max-attempts': String(maxAttempts),
    'sluice-first-failure-at': whole('sluice-first-failure-at', String(write.appendedMs)),
    'sluice-last-failure-at': String(write.appendedMs),
    'sluice-origin-topic': known ? (before('sluice-origin-topic') ?? '') : write.topic,
    'sluice-origin-partition': known ? (before('sluice-origin-partition') ?? '') : String(write.partition),
    'sluice-origin-offset': known ? (before('sluice-origin-offset') ?? '') : String(write.offset),
    ...(WHOLE.test(before('sluice-retry-deadline') ?? '') && { 'sluice-retry-deadline': before('sluice-retry-deadline') ?? '' }),
  }
  for (const [name, value] of Object.entries(wanted)) if (told(name) !== value) return `says ${name}: ${told(name)} instead of ${value}`
  return told('sluice-retry-after') === '' ? undefined : 'carries the wait of an earlier failure'
}

function redeliveryProblem(
  cluster: Cluster,
  skewMs: number,
  write: Written,
  record: LogRecord,
  { verdict, made, earliestMs }: Expected,
): string | undefined {
  if (verdict !== 'redeliver' && verdict !== 'redeliver or expire') return `was delivered again, though it should ${verdict}`
  if (record.partition !== write.partition) return `was delivered again in partition ${record.partition}`
  if (textHeader(record, 'sluice-attempt') !== String(made + 1))
    return `was delivered again as attempt ${textHeader(record, 'sluice-attempt') ?? ''} after ${made}`
  const early = earliestMs - skewMs - cluster.log(record).visibleFromMs(record.offset)
  return early > 0 ? `was delivered again ${early} ms early` : undefined
}

function deadLetterProblem(cluster: Cluster, record: LogRecord, expected: Expected): string | undefined {
  const { verdict, made, topic } = expected
  const disposition = textHeader(record, 'sluice-disposition') ?? ''
  if (!expected.dispositions.includes(disposition)) return `was dead-lettered as "${disposition}", though it should ${verdict}`
  const wantedTopic = topic ?? DEAD
  if (record.topic !== wantedTopic) return `was dead-lettered to ${record.topic} instead of ${wantedTopic}`
  if (textHeader(record, 'sluice-attempt') !== String(made))
    return `says ${textHeader(record, 'sluice-attempt') ?? ''} deliveries instead of ${made}`
  const origin = Number(textHeader(record, 'sluice-origin-partition'))
  const partitions = cluster.partitionsOf(record.topic)?.length ?? 1
  return record.partition === origin % partitions
    ? undefined
    : `of origin partition ${origin} is a dead letter in partition ${record.partition} of ${partitions}`
}

const isContext = (name: string): boolean => name.startsWith('sluice-')

/** What the application wrote beside the context, in order. */
const ownOf = ({ headers }: Pick<LogRecord, 'headers'>): string =>
  headers
    .filter(([name]) => !isContext(name) && !name.startsWith('kafka_dlt-'))
    .map(([name, value]) => `${name}=${value?.toString() ?? ''}`)
    .join(' ')
