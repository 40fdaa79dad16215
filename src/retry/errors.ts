/** Thrown by a handler: no delivery will ever succeed. The record becomes a dead letter at once, disposition `rejected`. */
export class Rejected extends Error {
  override readonly name: string = 'Rejected'
}

/** Thrown by a handler that knows when to come again, such as after a 429: the wait replaces the computed one, up to the cap of the pipeline. */
export class RetryAfter extends Error {
  override readonly name: string = 'RetryAfter'
  /** A duration such as `30s`, or milliseconds. */
  readonly after: string | number

  constructor(after: string | number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.after = after
  }
}
