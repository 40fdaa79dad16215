import type { CallOutcome, Observation } from '../../../worker/task.ts'
import { ErrorClasses } from '../observed.ts'
import { METRIC } from '../metrics.ts'
import type { Entry } from './entry.ts'
import { shortOf } from './reply.ts'

export interface CallTaskView {
  readonly topic: string
  readonly partition: number
  readonly inFlight: number
  readonly open: boolean
  readonly waitingKeys: number
  readonly blocked: number
  readonly full: boolean
  readonly ordered: boolean
}

/** What calls did, for metrics. */
export class CallObservations {
  readonly #pipeline: string
  readonly #classes = new ErrorClasses()

  constructor(pipeline: string) {
    this.#pipeline = pipeline
  }

  called(outcome: CallOutcome): readonly Observation[] {
    const pipeline = this.#pipeline
    return [
      { metric: METRIC.calls, value: 1, labels: { pipeline, outcome: shortOf(outcome) } },
      { metric: METRIC.callSeconds, value: outcome.tookMs / 1000, labels: { pipeline } },
    ]
  }

  /** What ended here and not in the retry topic. */
  ended(entries: readonly Entry[]): readonly Observation[] {
    const pipeline = this.#pipeline
    return entries.flatMap(({ ending, waited }): readonly Observation[] => {
      if (ending?.type === 'dropped') return [{ metric: METRIC.dropped, value: 1, labels: { pipeline } }]
      if (ending?.type !== 'dead') return []
      const labels = { pipeline, disposition: ending.reason.disposition, class: this.#classes.of(waited?.errorClass ?? '') }
      return [{ metric: METRIC.deadLetters, value: 1, labels }]
    })
  }

  gauges({ topic, partition, inFlight, open, waitingKeys, blocked, full, ordered }: CallTaskView): readonly Observation[] {
    const pipeline = this.#pipeline
    const own = { pipeline, partition: String(partition) }
    return [
      { metric: METRIC.callsInFlight, value: inFlight, labels: { ...own, topic } },
      { metric: METRIC.breakerOpen, value: open ? 1 : 0, labels: { pipeline } },
      ...(ordered
        ? [
            { metric: METRIC.waitingKeys, value: waitingKeys, labels: own },
            { metric: METRIC.blocked, value: blocked, labels: own },
            { metric: METRIC.orderingFull, value: full ? 1 : 0, labels: own },
          ]
        : []),
    ]
  }
}
