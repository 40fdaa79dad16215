import { Rejected, RetryAfter } from 'sluice/retry'
import type { Delivery } from 'sluice/retry'

interface Order {
  readonly id: string
  readonly total: number
  /** The bank answers at this delivery. */
  readonly bankAnswersAt?: number
}

/** What the example does with an order; what it throws decides what becomes of it. */
export function bill({ value, attempt }: Delivery): void {
  const order = JSON.parse(value?.toString() ?? 'null') as Order
  if (order.total < 0) throw new Rejected(`order ${order.id} has a negative total`)
  if (attempt < (order.bankAnswersAt ?? 1)) throw new RetryAfter('1s', `the bank is busy with order ${order.id}`)
  if (order.total > 1_000_000) throw new RangeError(`order ${order.id} is beyond the limit`)
  console.log(`billed ${order.id} at delivery ${attempt}`)
}
