import type { Message, Producer } from 'kafkajs'
import { renderTable } from '../../src/commands/output.ts'
import type { Arrivals } from './arrivals.ts'
import type { Story } from './story.ts'
import { clockTime, eventually } from './story.ts'

const IN = 'default.pay-timeout.in'
const FIXED = 'default.pay-timeout.fixed.5s'
export const TARGET = 'orders.timeouts'
export const OWN_TARGET = 'orders.reminders'
export const DEAD_LETTERS = 'default.pay-timeout.dlq'

/** A message on its way: what was asked for, and when that makes it due. */
interface Sent {
  readonly asked: string
  readonly value: string
  readonly target: string
  /** undefined: it must never come. */
  readonly dueMs: number | undefined
}

interface Request {
  readonly asked: string
  readonly topic?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly target?: string
  /** When it is due, given the time at which the broker appended it. */
  readonly due: (appendedMs: number) => number
}

const CROWD = 300
/** Nothing waits longer than this after it is due, on a machine that also runs Kafka: later is wrong. */
const LATENESS_LIMIT_MS = 2_000
const ARRIVAL_LIMIT_MS = 20_000

export async function showDelays(story: Story, producer: Producer, arrivals: Arrivals, run: string): Promise<void> {
  const sent: Sent[] = []
  for (const [i, request] of requests().entries()) sent.push(await send(producer, request, `${run} order ${i + 1}`))
  const cancelled = await sendAndCancel(producer, `${run} order 4711`)
  const crowd = await sendCrowd(producer, run)
  const bad = await sendBad(producer, `${run} order without sense`)
  story.say(
    `sent ${sent.length} orders to look at, ${crowd.length} more with delays from 0.5 to 6 s, one to cancel, one that makes no sense\n`,
  )
  const last = Math.max(...[...sent, ...crowd].map(({ dueMs }) => dueMs ?? 0))
  const everything = [...sent, ...crowd]
  await eventually(() => everything.every(({ value }) => arrivals.of(value).length > 0), last - Date.now() + ARRIVAL_LIMIT_MS)
  story.say(table(sent, arrivals))
  judge(story, everything, arrivals)
  await showCancelled(story, cancelled, arrivals)
  await showBad(story, bad, arrivals)
}

function requests(): readonly Request[] {
  const at = Date.now() + 3_000
  const relative = (delayMs: number) => (appendedMs: number) => appendedMs + delayMs
  return [
    { asked: 'sluice-delay: 1s', headers: { 'sluice-delay': '1s' }, due: relative(1_000) },
    { asked: 'sluice-delay: 2500 (ms)', headers: { 'sluice-delay': '2500' }, due: relative(2_500) },
    { asked: 'x-delay: 1500 (another convention)', headers: { 'x-delay': '1500' }, due: relative(1_500) },
    { asked: `sluice-deliver-at: ${clockTime(at)}`, headers: { 'sluice-deliver-at': new Date(at).toISOString() }, due: () => at },
    {
      asked: 'sluice-deliver-at: an hour ago',
      headers: { 'sluice-deliver-at': String(Date.now() - 3_600_000) },
      due: appendedMs => appendedMs,
    },
    { asked: 'no header, to .fixed.5s', topic: FIXED, due: relative(5_000) },
    {
      asked: `sluice-delay: 4s, to ${OWN_TARGET}`,
      headers: { 'sluice-delay': '4s', 'sluice-target-topic': OWN_TARGET },
      target: OWN_TARGET,
      due: relative(4_000),
    },
  ]
}

async function send(producer: Producer, { asked, topic, headers, target, due }: Request, value: string): Promise<Sent> {
  const appendedMs = await append(producer, topic ?? IN, { key: value, value, headers: { ...headers } })
  return { asked, value, target: target ?? TARGET, dueMs: due(appendedMs) }
}

/** Answers when the broker appended the record: delays count from there. */
async function append(producer: Producer, topic: string, message: Message): Promise<number> {
  const [answer] = await producer.send({ topic, messages: [message] })
  return Number(answer?.logAppendTime)
}

/** A payment came in: the order must not time out. Schedule and cancel share key and id. */
async function sendAndCancel(producer: Producer, value: string): Promise<Sent> {
  const id = { 'sluice-id': 'order-4711' }
  const appendedMs = await append(producer, IN, { key: value, value, headers: { ...id, 'sluice-delay': '4s' } })
  await append(producer, IN, { key: value, value: '', headers: { ...id, 'sluice-op': 'cancel' } })
  return { asked: 'sluice-delay: 4s, then sluice-op: cancel', value, target: TARGET, dueMs: appendedMs + 4_000 }
}

async function sendBad(producer: Producer, value: string): Promise<Sent> {
  await append(producer, IN, { key: value, value, headers: { 'sluice-delay': 'soon' } })
  return { asked: 'sluice-delay: soon', value, target: DEAD_LETTERS, dueMs: undefined }
}

async function sendCrowd(producer: Producer, run: string): Promise<readonly Sent[]> {
  const crowd = Array.from({ length: CROWD }, (_, i) => ({
    partition: i % 3,
    delayMs: 500 + Math.round((5_500 * i) / CROWD),
    value: `${run} crowd ${i}`,
  }))
  const messages = crowd.map(({ partition, delayMs, value }) => ({ partition, value, headers: { 'sluice-delay': String(delayMs) } }))
  const answers = await producer.send({ topic: IN, messages })
  const appended = new Map(answers.map(({ partition, logAppendTime }) => [partition, Number(logAppendTime)]))
  return crowd.map(({ partition, delayMs, value }) => ({
    asked: `${delayMs}`,
    value,
    target: TARGET,
    dueMs: (appended.get(partition) ?? NaN) + delayMs,
  }))
}

function table(sent: readonly Sent[], arrivals: Arrivals): string {
  const rows = sent.map(({ asked, value, dueMs = NaN }) => {
    const [arrival] = arrivals.of(value)
    return arrival === undefined
      ? [asked, clockTime(dueMs), 'never', undefined, undefined]
      : [asked, clockTime(dueMs), clockTime(arrival.atMs), arrival.atMs - dueMs, arrival.topic]
  })
  const columns = [
    { heading: 'ASKED FOR' },
    { heading: 'DUE' },
    { heading: 'DELIVERED' },
    { heading: 'LATE BY (ms)', align: 'right' as const },
    { heading: 'ON TOPIC' },
  ]
  return renderTable({ columns, rows })
}

function judge(story: Story, sent: readonly Sent[], arrivals: Arrivals): void {
  const came = sent.map(message => ({ ...message, arrivals: arrivals.of(message.value) }))
  const lateness = came
    .flatMap(({ dueMs = NaN, arrivals: [first] }) => (first === undefined ? [] : [first.atMs - dueMs]))
    .sort((a, b) => a - b)
  const at = (share: number): number => lateness[Math.min(lateness.length - 1, Math.floor(share * lateness.length))] ?? NaN
  const names = (wrong: typeof came): string =>
    wrong
      .slice(0, 3)
      .map(({ value }) => value)
      .join(', ')
  const missing = came.filter(message => message.arrivals.length === 0)
  const twice = came.filter(message => message.arrivals.length > 1)
  const elsewhere = came.filter(message => message.arrivals.some(arrival => arrival.topic !== message.target))
  story.check(`all ${came.length} came`, missing.length === 0, `${missing.length} did not: ${names(missing)}`)
  story.check('each once, on its topic', twice.length + elsewhere.length === 0, `twice: ${names(twice)}; elsewhere: ${names(elsewhere)}`)
  story.check('none early', (lateness[0] ?? -1) >= 0, `one came ${-(lateness[0] ?? NaN)} ms early`)
  story.check(`late by ${at(0.5)} ms at the median, ${at(0.99)} ms at the 99th percentile, ${at(1)} ms at most`, at(1) < LATENESS_LIMIT_MS)
}

async function showCancelled(story: Story, { value, dueMs = NaN }: Sent, arrivals: Arrivals): Promise<void> {
  // Half a second beyond its time: all of its neighbours have come by then.
  await new Promise(resolve => setTimeout(resolve, Math.max(0, dueMs + 500 - Date.now())))
  story.check(`order-4711 was paid and cancelled in time: due at ${clockTime(dueMs)}, it never came`, arrivals.of(value).length === 0)
}

async function showBad(story: Story, { value, asked }: Sent, arrivals: Arrivals): Promise<void> {
  await eventually(() => arrivals.of(value).length > 0, ARRIVAL_LIMIT_MS)
  const [letter] = arrivals.of(value)
  const reason =
    letter === undefined
      ? 'it is nowhere'
      : `${letter.headers['sluice-disposition'] ?? '?'}: ${letter.headers['sluice-error-message'] ?? '?'}`
  story.check(
    `"${asked}" makes no sense: the message is in ${DEAD_LETTERS} with its reason`,
    letter?.topic === DEAD_LETTERS && letter.headers['sluice-disposition'] === 'poison',
    reason,
  )
  story.say(reason)
}
