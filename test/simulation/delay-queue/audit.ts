import type { QueueConfig } from '../../../src/kinds/delay-queue/config.ts'
import type { LogRecord } from '../../../src/kafka/log.ts'
import { textHeader } from '../../support/delay-queue/world.ts'
import type { Cluster } from '../../support/model/cluster.ts'
import { Broken, originOf } from '../broken.ts'
import type { Order, Sent } from './users.ts'

export const TARGETS = ['due', 'other', 'small']
const DEAD = 'q.dlq'
/** A cancel that was appended this long before the due time has been read before the firing. */
const CANCEL_SLACK_MS = 1_000
/** Order is promised for what was appended this long before it is due. */
const ORDER_SLACK_MS = 2_000

export interface Evidence {
  readonly cluster: Cluster
  readonly config: QueueConfig
  readonly sent: readonly Sent[]
  readonly orders: readonly Order[]
  /** Memory was short: order, and cancels in time, are not promised then. */
  readonly short: boolean
  /** The most that a worker's clock was off, as far as it could not know: what was early by more, it knew to be early. */
  readonly skewMs: number
}

const toldOrigin = (record: LogRecord): string =>
  `${textHeader(record, 'sluice-origin-topic')}/${textHeader(record, 'sluice-origin-partition')}@${textHeader(record, 'sluice-origin-offset')}`

/** How each message has ended so far, as a read_committed reader sees it. */
export function ends({ cluster }: Evidence): ReadonlyMap<string, readonly LogRecord[]> {
  const found = new Map<string, LogRecord[]>()
  for (const record of [...TARGETS, DEAD].flatMap(topic => cluster.visible(topic))) {
    const origin = toldOrigin(record)
    const same = found.get(origin)
    if (same === undefined) found.set(origin, [record])
    else same.push(record)
  }
  return found
}

/** What must hold at any moment. @throws Broken */
export function auditSoFar(evidence: Evidence): void {
  const { sent, orders } = evidence
  const known = new Map(sent.map(message => [originOf(message), message]))
  for (const [origin, records] of ends(evidence)) {
    const message = known.get(origin)
    const [record] = records
    if (message === undefined || record === undefined) {
      if (orders.some(order => originOf(order) === origin)) continue
      throw new Broken(`a record of ${origin} was delivered, which no committed message stands at`)
    }
    if (records.length > 1) throw new Broken(`ended ${records.length} times: ${records.map(originOf).join(', ')}`, message)
    checkEnd(evidence, message, record)
  }
  if (!evidence.short)
    for (const topic of TARGETS) for (const log of evidence.cluster.partitionsOf(topic) ?? []) checkOrder(evidence, known, log.visible())
}

/** What must hold when all has come to rest. @throws Broken */
export function auditRest(evidence: Evidence): void {
  auditSoFar(evidence)
  const found = ends(evidence)
  for (const message of evidence.sent) if (!found.has(originOf(message))) mayBeAbsent(evidence, message)
}

function checkEnd(evidence: Evidence, message: Sent, record: LogRecord): void {
  const { id, dueMs, appendedMs } = message
  if (record.key?.toString() !== message.key || record.value?.equals(message.value) !== true) throw new Broken('came out altered', message)
  if (record.topic === DEAD) {
    checkDead(evidence, message, record)
    return
  }
  if (record.topic !== message.target) throw new Broken(`was delivered to ${record.topic}`, message)
  if (message.bad) throw new Broken('is bad and was delivered', message)
  const fires = ordersOf(evidence, message, 'fire')
  const firedAtMs = Number(textHeader(record, 'sluice-fired-at'))
  if (fires.length === 0) {
    if (firedAtMs < dueMs) throw new Broken(`was delivered ${dueMs - firedAtMs} ms early`, message)
    const early = dueMs - evidence.skewMs - evidence.cluster.log(record).visibleFromMs(record.offset)
    if (early > 0) throw new Broken(`was delivered ${early} ms early by the clock of the brokers`, message)
  }
  if (firedAtMs >= message.expiresAtMs) throw new Broken(`was delivered after it expired at ${message.expiresAtMs}`, message)
  const inTimeMs = Math.max(dueMs, appendedMs) - CANCEL_SLACK_MS - 2 * evidence.skewMs
  const cancel = ordersOf(evidence, message, 'cancel').find(order => order.appendedMs <= inTimeMs)
  const firedBefore = fires.some(fire => fire.offset < (cancel?.offset ?? 0))
  if (cancel !== undefined && !firedBefore && !evidence.short && id !== undefined)
    throw new Broken(`was delivered though ${originOf(cancel)} cancels it`, message)
}

function checkDead({ config }: Evidence, message: Sent, record: LogRecord): void {
  const disposition = textHeader(record, 'sluice-disposition') ?? ''
  const atMs = record.timestampMs
  if (disposition === 'late' && config.late?.policy === 'DeadLetter') return
  if (disposition === 'expired' && message.expiresAtMs < Infinity && atMs >= message.dueMs - 10_000) return
  if (message.bad && disposition !== '') return
  throw new Broken(`was dead-lettered as "${disposition}": ${textHeader(record, 'sluice-error-message')}`, message)
}

/** Orders that reach the message: of its id, behind it. Of a fixed delay, fires only, and by the time of their append. */
function ordersOf({ orders }: Evidence, { id, topic, partition, offset, appendedMs }: Sent, op: Order['op']): readonly Order[] {
  if (id === undefined || (topic !== 'q.in' && op !== 'fire')) return []
  const isBehind = (order: Order): boolean => (topic === 'q.in' ? order.offset > offset : order.appendedMs >= appendedMs)
  return orders.filter(order => order.op === op && order.id === id && order.partition === partition && isBehind(order))
}

/** A message may end without a trace only by a cancel, a higher version or a repetition, or as too late where the queue drops that. */
function mayBeAbsent(evidence: Evidence, message: Sent): void {
  const { config, sent, orders } = evidence
  const { id, topic, partition, offset, version } = message
  if (config.late?.policy === 'Drop') return
  if (id === undefined || topic !== 'q.in') throw new Broken('was lost', message)
  if (ordersOf(evidence, message, 'cancel').length > 0) return
  const cuts = orders.filter(order => order.op === 'cancel' && order.id === id && order.partition === partition && order.offset < offset)
  const lastCut = Math.max(-1, ...cuts.map(cut => cut.offset))
  const rivals = sent.filter(
    other => other.topic === topic && other.id === id && other.partition === partition && !other.unread && other.offset !== offset,
  )
  if (rivals.some(other => other.version > version && other.offset > lastCut)) return
  const repeats = (other: Sent): boolean =>
    other.version === version &&
    other.offset < offset &&
    other.offset > lastCut &&
    message.appendedMs - other.appendedMs < (config.deduplicationMs ?? 0)
  if (!rivals.some(repeats)) throw new Broken('was lost', message)
}

/** Per key and target partition: by due time, and equal due times as they arrived. */
function checkOrder(evidence: Evidence, known: ReadonlyMap<string, Sent>, records: readonly LogRecord[]): void {
  const last = new Map<string, Sent>()
  for (const record of records) {
    const message = known.get(toldOrigin(record))
    if (message === undefined || message.dueMs - message.appendedMs < ORDER_SLACK_MS + evidence.skewMs) continue
    if (ordersOf(evidence, message, 'fire').length > 0) continue
    const before = last.get(message.key)
    if (before !== undefined && comesAfter(before, message))
      throw new Broken(`was delivered after ${before.name} (${originOf(before)}, due ${before.dueMs})`, message)
    last.set(message.key, message)
  }
}

const comesAfter = (before: Sent, message: Sent): boolean =>
  before.dueMs > message.dueMs || (before.dueMs === message.dueMs && before.topic === message.topic && before.offset > message.offset)
