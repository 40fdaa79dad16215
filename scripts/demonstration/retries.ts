import type { Consumer, Kafka, Producer } from 'kafkajs'
import { renderTable } from '../../src/commands/output.ts'
import { Rejected, retrying } from '../../src/retry/index.ts'
import type { Arrivals } from './arrivals.ts'
import type { Story } from './story.ts'
import { eventually } from './story.ts'

const SOURCE = 'orders.created'
const PIPELINE = 'default.billing'
export const RETRY_DEAD_LETTERS = `${PIPELINE}.dlq`
/** Waits of at most 1 s and 2 s, on a machine that also runs Kafka. */
const LIMIT_MS = 30_000
/** With jitter Equal a wait is from half of what the back-off says to all of it. */
const WAITS_MS = [1_000, 2_000]

/** A failure that the rule of the sample sends to the dead letters at once. */
class InvalidOrder extends Error {
  override readonly name = 'InvalidOrder'
}

interface Order {
  readonly name: string
  readonly does: string
  readonly handle: (attempt: number) => void
  readonly deliveries: number
  /** undefined: it is handled in the end. */
  readonly disposition?: string
}

const ORDERS: readonly Order[] = [
  { name: 'plain', does: 'works', handle: () => undefined, deliveries: 1 },
  {
    name: 'patient',
    does: 'fails twice: the bank is busy',
    handle: attempt => {
      if (attempt < 3) throw new Error(`the bank is busy, attempt ${attempt}`)
    },
    deliveries: 3,
  },
  {
    name: 'broken',
    does: 'always fails',
    handle: () => {
      throw new TypeError('total is not a number')
    },
    deliveries: 3,
    disposition: 'exhausted',
  },
  {
    name: 'invalid',
    does: 'fails with InvalidOrder, for which there is a rule',
    handle: () => {
      throw new InvalidOrder('no such customer')
    },
    deliveries: 1,
    disposition: 'non-retriable',
  },
  {
    name: 'refused',
    does: 'is refused by the application for good',
    handle: () => {
      throw new Rejected('we do not sell to ourselves')
    },
    deliveries: 1,
    disposition: 'rejected',
  },
]

/** An application on kafkajs with `sluice/retry`: what fails comes back after its wait, or becomes a dead letter. */
export class FlakyApplication {
  /** When the orders of this run were delivered, by their value. */
  readonly seen = new Map<string, number[]>()
  readonly #consumer: Consumer
  readonly #run: string
  #mended = false

  private constructor(consumer: Consumer, run: string) {
    this.#consumer = consumer
    this.#run = run
  }

  static async start(kafka: Kafka, producer: Producer, run: string): Promise<FlakyApplication> {
    const consumer = kafka.consumer({ groupId: 'billing', maxWaitTimeInMs: 20, readUncommitted: false })
    const flaky = new FlakyApplication(consumer, run)
    const application = retrying({
      source: SOURCE,
      group: 'billing',
      pipeline: PIPELINE,
      handle: ({ value, attempt }) => {
        flaky.#handle(value?.toString() ?? '', attempt)
      },
    })
    await consumer.connect()
    await consumer.subscribe({ topics: application.topics, fromBeginning: true })
    await consumer.run({ eachMessage: application.eachMessage(producer) })
    return flaky
  }

  readonly valueOf = ({ name }: Pick<Order, 'name'>): string => `${this.#run} ${name}`

  /** From now on it handles whatever it is given. */
  mend(): void {
    this.#mended = true
  }

  async stop(): Promise<void> {
    await this.#consumer.disconnect()
  }

  #handle(value: string, attempt: number): void {
    const order = ORDERS.find(each => this.valueOf(each) === value)
    if (order === undefined) return
    this.seen.set(value, [...(this.seen.get(value) ?? []), Date.now()])
    if (!this.#mended) order.handle(attempt)
  }
}

export async function showRetries(
  story: Story,
  { seen, valueOf }: FlakyApplication,
  producer: Producer,
  arrivals: Arrivals,
): Promise<void> {
  await producer.send({ topic: SOURCE, messages: ORDERS.map(order => ({ key: order.name, value: valueOf(order) })) })
  const ended = (order: Order): boolean =>
    order.disposition === undefined ? (seen.get(valueOf(order))?.length ?? 0) >= order.deliveries : arrivals.of(valueOf(order)).length > 0
  await eventually(() => ORDERS.every(ended), LIMIT_MS)
  story.say(table(valueOf, seen, arrivals))
  judge(story, valueOf, seen, arrivals)
}

type ValueOf = (order: Order) => string
type Seen = ReadonlyMap<string, readonly number[]>

const waitsOf = (times: readonly number[]): readonly number[] => times.slice(1).map((at, i) => at - (times[i] ?? NaN))

function table(valueOf: ValueOf, seen: Seen, arrivals: Arrivals): string {
  const rows = ORDERS.map(order => {
    const times = seen.get(valueOf(order)) ?? []
    const [letter] = arrivals.of(valueOf(order))
    const waits = waitsOf(times)
      .map(wait => `${wait} ms`)
      .join(', ')
    const told = letter?.headers
    const reason = told === undefined ? 'handled' : `${told['sluice-disposition'] ?? '?'}: ${told['sluice-error-message'] ?? '?'}`
    return [order.does, times.length, waits, reason]
  })
  const columns = [
    { heading: 'AN ORDER THAT' },
    { heading: 'DELIVERED', align: 'right' as const },
    { heading: 'WAITS' },
    { heading: 'IN THE END' },
  ]
  return renderTable({ columns, rows })
}

function judge(story: Story, valueOf: ValueOf, seen: Seen, arrivals: Arrivals): void {
  const deliveries = ORDERS.map(order => seen.get(valueOf(order))?.length ?? 0)
  const wanted = ORDERS.map(order => order.deliveries)
  story.check(
    'each order was delivered as often as it should',
    String(deliveries) === String(wanted),
    `${deliveries.join()} times, not ${wanted.join()}`,
  )
  const early = [...seen.values()].flatMap(times => waitsOf(times).filter((wait, i) => wait < (WAITS_MS[i] ?? 0) / 2))
  story.check('no failed order came back before its wait was over', early.length === 0, `after ${early.join(', ')} ms`)
  const dispositions = ORDERS.map(order => arrivals.of(valueOf(order)).map(({ headers }) => headers['sluice-disposition']))
  story.check(
    `dead letters are in ${RETRY_DEAD_LETTERS} once, with their reason`,
    ORDERS.every(({ disposition }, i) => String(dispositions[i]) === String(disposition === undefined ? [] : [disposition])),
    JSON.stringify(dispositions),
  )
}
