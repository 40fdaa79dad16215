/**
 * Port: calls to an application. The adapter does the talking and knows nothing of tasks; what a call asks for and what an answer means is the kind's.
 */
export interface Caller {
  /** @throws Error naming what is wrong with the target for good, such as a file that is not there. */
  open(target: CallTarget): CallLine
}

/** Everything that calls of one resource have in common. Tasks that share the object share the line, and with it the bound of calls in flight. */
export interface CallTarget {
  /** http or https, without user information. */
  readonly url: string
  /** From the connection attempt to the last byte of the answer. */
  readonly timeoutMs: number
  /** Calls under way at once in this process. */
  readonly maxInFlight: number
  /** Folder below the secrets root: each file is a header that goes with every call. */
  readonly headersFolder?: string
  /** Files below the secrets root. */
  readonly tls?: {
    readonly caFile?: string
    readonly certificateFile?: string
    readonly keyFile?: string
    readonly insecureSkipVerify?: boolean
  }
}

export interface CallRequest {
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer | null
}

/** What came of a call. `tookMs` is monotonic time. */
export type CallOutcome = CallAnswer | CallFailure

/** The application answered, whole. */
export interface CallAnswer {
  readonly type: 'answered'
  readonly status: number
  /** Header `Retry-After` as it came. */
  readonly retryAfter?: string
  /** Header `Location` as it came. */
  readonly location?: string
  readonly tookMs: number
}

export interface CallFailure {
  readonly type: 'failed'
  readonly reason: CallFailureReason
  /** For people: no payload, no secret. */
  readonly message: string
  readonly tookMs: number
}

/**
 * `address-forbidden`: nothing was sent, since the address is one that workers must not call. `incomplete`: the answer broke off. Its status is not to be
 * trusted: whoever sent it may have died over the work.
 */
export type CallFailureReason =
  'timeout' | 'refused' | 'reset' | 'unreachable' | 'dns' | 'tls' | 'protocol' | 'incomplete' | 'address-forbidden'

export interface CallLine {
  /**
   * Begins a call. `ended` is told the outcome once, later than this returns, and never after the call was let go.
   * @returns lets go of the call: its connection is closed.
   */
  call(request: CallRequest, ended: (outcome: CallOutcome) => void): () => void
  close(): void
}
