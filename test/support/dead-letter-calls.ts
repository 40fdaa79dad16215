import type { PipelineConfig } from '../../src/kinds/dead-letter-pipeline/config.ts'
import { worked } from '../../src/kinds/dead-letter-pipeline/task-family.ts'
import type { Call, CallOutcome, LogRecord } from '../../src/worker/task.ts'
import { aPipelineConfig } from './dead-letter-pipeline.ts'
import { EngineWorld } from './delay-queue/world.ts'
import type { Fate } from './delay-queue/world.ts'

export const WAITING = 'p.waiting'

export const aCallingConfig = (
  more: Omit<Partial<PipelineConfig>, 'http'> & { readonly http?: Partial<NonNullable<PipelineConfig['http']>> } = {},
): PipelineConfig =>
  aPipelineConfig({
    ...more,
    http: { source: 'orders', target: { url: 'http://app:8080/orders', timeoutMs: 1_000, maxInFlight: 8 }, ...more.http },
  })

/** A call in flight. */
export interface InFlight {
  readonly call: Call
  readonly value: string
  readonly attempt: number
  readonly key: string
}

const MOST_IN_FLIGHT = 8

/** One partition of a source with the task that calls for it, and an application that answers as a test says. */
export class CallWorld extends EngineWorld {
  inFlight: InFlight[] = []
  /** Every call ever begun, in order. */
  readonly begun: InFlight[] = []

  constructor(config: PipelineConfig) {
    const resource = { kind: 'DeadLetterPipeline', name: 'p', config: JSON.parse(JSON.stringify(config)) as unknown }
    const [family] = worked.moreTasks?.(resource, 'shop') ?? []
    if (family === undefined) throw new Error('this pipeline makes no calls')
    super(family, ['p.retry', 'p.dlq', 'p.fatal', 'small'])
  }

  produce(key: string | null, value: string): LogRecord {
    return this.write('orders', [], { key: key === null ? null : Buffer.from(key), value: Buffer.from(value) })
  }

  /** Begins what may begin. */
  pump(): void {
    const calls = this.task.calls?.(this.now, MOST_IN_FLIGHT - this.inFlight.length) ?? []
    for (const call of calls) {
      const headers = new Map(call.request.headers)
      const begun = {
        call,
        value: call.request.body?.toString() ?? '',
        attempt: Number(headers.get('sluice-attempt')),
        key: headers.get('idempotency-key') ?? '',
      }
      this.inFlight.push(begun)
      this.begun.push(begun)
    }
  }

  answer(flight: InFlight, outcome: CallOutcome | number): void {
    this.inFlight = this.inFlight.filter(other => other !== flight)
    const told: CallOutcome = typeof outcome === 'number' ? { type: 'answered', status: outcome, tookMs: 1 } : outcome
    this.observed.push(...(this.task.answered?.(flight.call, told, this.now) ?? []))
  }

  override crash(): void {
    this.inFlight = []
    super.crash()
  }

  /**
   * Reads, calls, answers and commits until nothing is left to do up to `untilMs`; the clock jumps from one wake-up to the next.
   * @param reply undefined: the application keeps the call.
   */
  callTo(
    untilMs: number,
    reply: (flight: InFlight) => CallOutcome | number | undefined = () => 200,
    fate: () => Fate = () => 'commit',
  ): void {
    for (let rounds = 0; ; rounds++) {
      if (rounds > 20_000) throw new Error('the task never comes to rest')
      this.read('orders', 1_000)
      this.pump()
      const answered = this.inFlight.map(flight => [flight, reply(flight)] as const).filter(([, outcome]) => outcome !== undefined)
      for (const [flight, outcome] of answered) if (this.inFlight.includes(flight)) this.answer(flight, outcome ?? 200)
      if (this.transact(fate()) || answered.length > 0) continue
      if (this.now >= untilMs) return
      const next = [this.task.callAt?.(this.now) ?? Infinity, this.task.wakeAt() ?? Infinity].filter(at => at > this.now)
      this.now = Math.min(...next, untilMs, this.now + 5_000)
    }
  }

  get position(): number {
    return this.commits.get('orders')?.offset ?? 0
  }
}
