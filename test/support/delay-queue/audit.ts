import type { QueueConfig } from '../../../src/kinds/delay-queue/config.ts'
import type { LogRecord } from '../../../src/worker/task.ts'
import { textHeader } from './world.ts'
import type { World } from './world.ts'

/** A message that a user wrote, with what is needed to say what must become of it. */
export interface Sent {
  readonly name: string
  readonly topic: string
  readonly offset: number
  readonly appendedMs: number
  readonly dueMs: number
  readonly key: string
  readonly target: string
  readonly id?: string
  readonly version: number
  /** Never delivered. */
  readonly bad: boolean
  /** Bad on arrival: it neither replaces nor repeats another. */
  readonly unread: boolean
}

/** A cancel or a fire. */
export interface Order {
  readonly op: 'cancel' | 'fire'
  readonly id: string
  readonly offset: number
  readonly appendedMs: number
}

const nameOf = (record: LogRecord): string => textHeader(record, 'name') ?? '?'

/** Checks after a run that has come to rest: what was promised about every message. Throws with the first promise broken. */
export function audit(world: World, config: QueueConfig, sent: readonly Sent[], orders: readonly Order[], ordered: boolean): void {
  const targets = ['due', 'other', 'small']
  const delivered = targets.flatMap(topic => world.log(topic).committed)
  const letters = world.log('q.dlq').committed.filter(record => textHeader(record, 'name') !== undefined)
  const ends = new Map<string, LogRecord[]>()
  for (const record of [...delivered, ...letters]) ends.set(nameOf(record), [...(ends.get(nameOf(record)) ?? []), record])
  for (const message of sent) {
    const found = ends.get(message.name) ?? []
    if (found.length > 1) broken(message, `ended ${found.length} times`)
    if (found.length === 0) mayBeAbsent(message, sent, orders, config)
    for (const record of found) checkEnd(message, record, orders)
  }
  if (ordered)
    for (const topic of targets) checkOrder(world.log(topic).committed, new Map(sent.map(message => [message.name, message])), orders)
  checkFires(world, ends, sent, orders)
  checkPositions(world, ends, sent)
}

/** The position of the input never passes a fire before everything that it reaches has ended, in whatever tier it was. */
function checkFires(world: World, ends: ReadonlyMap<string, readonly LogRecord[]>, sent: readonly Sent[], orders: readonly Order[]): void {
  for (const fire of orders.filter(({ op }) => op === 'fire')) {
    const passed = world.passed.find(({ offset }) => offset > fire.offset)
    if (passed === undefined) throw new Error(`${JSON.stringify(fire)} was never answered`)
    for (const message of sent) {
      if (message.id !== fire.id || !isBefore(message, fire)) continue
      const endedAtMs = ends.get(message.name)?.[0]?.timestampMs ?? 0
      if (endedAtMs > passed.atMs) broken(message, `ended ${endedAtMs - passed.atMs} ms after ${JSON.stringify(fire)} was passed`)
    }
  }
}

const isBefore = (message: Sent, order: Order): boolean =>
  message.topic === 'q.in' ? message.offset < order.offset : message.appendedMs <= order.appendedMs

function broken(message: Sent, what: string): never {
  throw new Error(`${JSON.stringify(message)} ${what}`)
}

function checkEnd(message: Sent, record: LogRecord, orders: readonly Order[]): void {
  const { id, offset, appendedMs, dueMs } = message
  if (record.topic === 'q.dlq') return
  if (message.bad) broken(message, 'is bad and was delivered')
  const fired = orders.some(order => order.op === 'fire' && order.id === id && isBefore(message, order))
  const firedAtMs = Number(textHeader(record, 'sluice-fired-at'))
  if (firedAtMs < dueMs && !fired) broken(message, `was delivered ${dueMs - firedAtMs} ms early`)
  const cancel = orders.find(
    order => order.op === 'cancel' && order.id === id && order.offset > offset && order.appendedMs <= Math.max(dueMs, appendedMs) - 1_000,
  )
  const firedBefore = orders.some(
    order => order.op === 'fire' && order.id === id && order.offset > offset && order.offset < (cancel?.offset ?? 0),
  )
  if (cancel !== undefined && message.topic === 'q.in' && !firedBefore)
    broken(message, `was delivered though cancelled by ${JSON.stringify(cancel)}`)
}

/** A message may end without a trace only by a cancel, a higher version or a repetition, or as too late. */
function mayBeAbsent(message: Sent, sent: readonly Sent[], orders: readonly Order[], config: QueueConfig): void {
  const { id, offset, version } = message
  if (config.late?.policy === 'Drop') return
  if (id === undefined || message.topic !== 'q.in') broken(message, 'was lost')
  const cuts = orders.filter(order => order.op === 'cancel' && order.id === id).map(order => order.offset)
  if (cuts.some(cut => cut > offset)) return
  const rivals = sent.filter(other => other.topic === 'q.in' && other.id === id && !other.unread && other.name !== message.name)
  const lastCut = Math.max(-1, ...cuts.filter(cut => cut < offset))
  if (rivals.some(other => other.version > version && other.offset > lastCut)) return
  const windowMs = config.deduplicationMs ?? 0
  const repeats = (other: Sent): boolean =>
    other.version === version && other.offset < offset && other.offset > lastCut && message.appendedMs - other.appendedMs < windowMs
  if (!rivals.some(repeats)) broken(message, 'was lost')
}

/** Per key and target: by due time, and equal due times as they arrived, for what was appended 2 s ahead. */
function checkOrder(records: readonly LogRecord[], sent: ReadonlyMap<string, Sent>, orders: readonly Order[]): void {
  const last = new Map<string, Sent>()
  for (const record of records) {
    const message = sent.get(nameOf(record))
    if (message === undefined || message.dueMs - message.appendedMs < 2_000) continue
    if (orders.some(order => order.op === 'fire' && order.id === message.id)) continue
    const before = last.get(message.key)
    if (before !== undefined && comesAfter(before, message)) broken(message, `was delivered after ${JSON.stringify(before)}`)
    last.set(message.key, message)
  }
}

const comesAfter = (before: Sent, message: Sent): boolean =>
  before.dueMs > message.dueMs || (before.dueMs === message.dueMs && before.topic === message.topic && before.offset > message.offset)

/** The committed position of the input never stands above a message without an end: neither delivered, dead nor in a tier. */
export function checkPositions(world: World, ends: ReadonlyMap<string, readonly LogRecord[]>, sent: readonly Sent[]): void {
  const inTiers = new Set(
    world.sources.filter(topic => topic.startsWith('q.tier.')).flatMap(topic => world.log(topic).committed.map(nameOf)),
  )
  for (const message of sent) {
    if (message.id !== undefined || ends.has(message.name) || inTiers.has(message.name)) continue
    if ((world.commits.get(message.topic)?.offset ?? 0) > message.offset)
      broken(message, `waits below the committed position of ${message.topic}`)
  }
}

/** The same in the middle of a run. */
export function auditPositions(world: World, sent: readonly Sent[]): void {
  const ends = new Map<string, LogRecord[]>()
  for (const topic of ['due', 'other', 'small', 'q.dlq'])
    for (const record of world.log(topic).committed) ends.set(nameOf(record), [record])
  checkPositions(world, ends, sent)
}
