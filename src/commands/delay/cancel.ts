import { randomBytes } from 'node:crypto'
import type { KafkaLog, OutgoingRecord } from '../../kafka/log.ts'
import type { Answer } from '../output.ts'
import { Look } from './desk.ts'
import type { Desk } from './desk.ts'
import { findId, partitionsOf } from './get.ts'
import type { IdAnswer, IdQuestion } from './get.ts'
import { messageTable } from './shown.ts'

export interface CancelOptions extends IdQuestion {
  readonly execute: boolean
  /** How long to wait for a worker to carry it out; undefined: not at all. */
  readonly waitMs: number | undefined
}

const TRANSACTION_TIMEOUT_MS = 10_000
const LOOK_AGAIN_MS = 300

/** What a cancel came to; `failed` is exit status 1. */
export interface CancelOutcome {
  readonly answer: Answer
  readonly failed: boolean
}

/** `sluice delay cancel`: finds what it would end, writes the cancel only when told to. */
export async function cancel(desk: Desk, log: KafkaLog, options: CancelOptions): Promise<CancelOutcome> {
  const { id, key, execute, waitMs } = options
  const { queue } = desk
  const [partition = 0] = partitionsOf(desk, options)
  const before = await findId(desk, id, [partition])
  const elsewhere = before.messages.length > 0 ? [] : await partitionsWith(desk, id, partition)
  const ends = before.messages.filter(({ state }) => state === 'waiting' || state === 'overdue')
  const position = `${queue.config.topics.input}[${partition}]`
  const hint =
    elsewhere.length === 0
      ? []
      : [`messages of this id wait in partition ${elsewhere.join(', ')}: their producer chose it otherwise than Java does; add --partition`]
  const shown = [
    ends.length === 0 ? `nothing waits under id ${id} in partition ${partition}` : messageTable(ends, desk.clock.now()),
    ...hint,
  ]
  const data = { queue: `${queue.namespace}/${queue.name}`, id, partition, executed: execute, messages: ends, elsewhere }
  if (!execute) {
    const remark = `dry run: nothing was written; a cancel in ${position} would end ${ends.length === 1 ? 'one message' : `${ends.length} messages`}; --execute writes it`
    return { answer: { data, text: [...shown, remark] }, failed: false }
  }
  const [input] = await desk.reader.watermarks([{ topic: queue.config.topics.input, partition }])
  if (input === undefined || !('high' in input)) throw input ?? new Error(`${position} does not answer`)
  await write(log, cancelRecord(desk, id, key, partition))
  const written = `a cancel was written to ${position}`
  if (waitMs === undefined)
    return { answer: { data, text: [...shown, `${written}; --wait would have waited for its effect`] }, failed: false }
  const carriedOut = await untilCarriedOut(desk, id, partition, input.high, waitMs)
  const remark = carriedOut
    ? `${written} and carried out: what was written before under the id and had not been delivered, is cancelled`
    : `${written}, but no worker carried it out within ${waitMs} ms: see sluice delay stats`
  return { answer: { data: { ...data, carriedOut }, text: [...shown, remark, ...tooLate(ends, desk.clock.now())] }, failed: !carriedOut }
}

/** A message that was due before the cancel can have been delivered instead; nothing in the queue tells. */
function tooLate(ends: IdAnswer['messages'], nowMs: number): readonly string[] {
  const due = ends.filter(message => Date.parse(message.due ?? '') <= nowMs)
  if (due.length === 0) return []
  return [
    `${due.length} of them came due meanwhile and may have been delivered before the cancel: look for their origin offset in the target`,
  ]
}

async function partitionsWith(desk: Desk, id: string, but: number): Promise<readonly number[]> {
  const others = Array.from({ length: desk.queue.config.partitions }, (_, partition) => partition).filter(partition => partition !== but)
  if (others.length === 0) return []
  const { messages } = await findId(desk, id, others)
  return [...new Set(messages.filter(({ state }) => state === 'waiting' || state === 'overdue').map(message => message.partition))]
}

/** As a producer would write it: key and id of the message, no value. */
export const cancelRecord = ({ queue }: Pick<Desk, 'queue'>, id: string, key: string | undefined, partition: number): OutgoingRecord => ({
  topic: queue.config.topics.input,
  partition,
  key: key === undefined ? null : Buffer.from(key),
  value: null,
  headers: [
    ['sluice-op', Buffer.from('cancel')],
    ['sluice-id', Buffer.from(id)],
  ],
})

async function write(log: KafkaLog, record: OutgoingRecord): Promise<void> {
  const transactionalId = `sluice-cli-${randomBytes(8).toString('hex')}`
  const producer = await log.producer({ transactionalId, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS })
  try {
    await producer.initTransactions(TRANSACTION_TIMEOUT_MS)
    await producer.begin()
    producer.send(record)
    await producer.commit(TRANSACTION_TIMEOUT_MS)
  } finally {
    await producer.close()
  }
}

/** The ids remember a cancel in the transaction that carries it out: our own stands at the end of the input as it was before, or above. */
async function untilCarriedOut(desk: Desk, id: string, partition: number, from: number, waitMs: number): Promise<boolean> {
  const untilMs = desk.clock.monotonicMs() + waitMs
  for (;;) {
    const look = await Look.at(desk, [partition])
    const cut = look.surveys[0]?.remembered(id)?.cancelledBelow
    if (cut !== undefined && cut >= from) return true
    if (desk.clock.monotonicMs() >= untilMs) return false
    await desk.clock.sleep(LOOK_AGAIN_MS)
  }
}
