import type { CallLine, CallOutcome, CallRequest, Caller } from '../../../src/worker/caller.ts'

/** A call as the application would have it. */
export interface FakeCall {
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

interface Waiting extends FakeCall {
  readonly end: (outcome: CallOutcome) => void
}

/** Calls that end when and as a test says. */
export class FakeCaller implements Caller {
  readonly calls: FakeCall[] = []
  waiting: readonly Waiting[] = []
  mostAtOnce = 0
  refusal: Error | undefined
  /** Status, outcome, or undefined: it is left waiting. */
  answer: (call: FakeCall) => number | CallOutcome | undefined = () => undefined

  get bodies(): readonly string[] {
    return this.calls.map(({ body }) => body)
  }

  open(): CallLine {
    if (this.refusal !== undefined) throw this.refusal
    return {
      call: (request, ended) => this.#call(request, ended),
      close: () => undefined,
    }
  }

  /** All that wait, and all that come. */
  answerAll(status: number): void {
    this.answer = () => status
    this.answerWaiting()
  }

  answerWaiting(): void {
    for (const waiting of this.waiting) this.#tryToEnd(waiting)
  }

  #call({ headers, body }: CallRequest, ended: (outcome: CallOutcome) => void): () => void {
    const call = { body: body?.toString() ?? '', headers: Object.fromEntries(headers) }
    const waiting: Waiting = { ...call, end: ended }
    this.calls.push(call)
    this.waiting = [...this.waiting, waiting]
    this.mostAtOnce = Math.max(this.mostAtOnce, this.waiting.length)
    setImmediate(() => {
      this.#tryToEnd(waiting)
    })
    return () => {
      this.waiting = this.waiting.filter(other => other !== waiting)
    }
  }

  #tryToEnd(waiting: Waiting): void {
    if (!this.waiting.includes(waiting)) return
    const answer = this.answer(waiting)
    if (answer === undefined) return
    this.waiting = this.waiting.filter(other => other !== waiting)
    waiting.end(typeof answer === 'number' ? { type: 'answered', status: answer, tookMs: 1 } : answer)
  }
}
