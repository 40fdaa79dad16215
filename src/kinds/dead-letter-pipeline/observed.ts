import type { EpochMs } from '../../api/resource.ts'
import type { Observation } from '../../worker/task.ts'
import type { Batch } from '../delay-queue/batch.ts'
import type { Item } from '../delay-queue/source.ts'
import { madeOf, readFailure } from './failure.ts'
import { METRIC } from './metrics.ts'
import type { MetricName } from './metrics.ts'

/** Classes are chosen by applications: a label must stay bounded. */
const MOST_CLASSES = 20
const MOST_CLASS_LENGTH = 120
const MANY_ATTEMPTS = 10

/** What committed batches did, for metrics. */
export class PipelineObservations {
  readonly #pipeline: string
  readonly #classes = new ErrorClasses()

  constructor(pipeline: string) {
    this.#pipeline = pipeline
  }

  of(batch: Batch, now: EpochMs): readonly Observation[] {
    const counts = new Map<string, { metric: MetricName; value: number; labels: Readonly<Record<string, string>> }>()
    const seen: Observation[] = []
    const count = (metric: MetricName, more: Readonly<Record<string, string>>): void => {
      const key = `${metric} ${Object.values(more).join(' ')}`
      const counted = counts.get(key)
      if (counted === undefined) counts.set(key, { metric, value: 1, labels: { pipeline: this.#pipeline, ...more } })
      else counted.value++
    }
    batch.ended.forEach((item, i) => {
      const ending = batch.endings[i]
      if (ending === 'delivered') {
        seen.push({ metric: METRIC.lateness, value: Math.max(0, now - item.dueMs) / 1000, labels: { pipeline: this.#pipeline } })
        count(METRIC.redelivered, { attempt: attemptOf(item) })
      } else if (ending === 'deadLettered') {
        count(METRIC.deadLetters, {
          disposition: batch.reasons[i]?.disposition ?? 'poison',
          class: this.#classes.of(readFailure(item.record.headers, item.headerCount, '').errorClass),
        })
      } else if (ending === 'ruleDropped') count(METRIC.dropped, {})
    })
    return [...seen, ...counts.values()]
  }
}

/** The first names that a task meets; whatever comes after them has one name. */
export class ErrorClasses {
  readonly #known = new Set<string>()

  of(errorClass: string): string {
    const name = errorClass.slice(0, MOST_CLASS_LENGTH)
    if (name === '' || this.#known.has(name)) return name
    if (this.#known.size >= MOST_CLASSES) return 'other'
    this.#known.add(name)
    return name
  }
}

function attemptOf(item: Item): string {
  const next = (madeOf(item.record.headers, item.headerCount) ?? 1) + 1
  return next >= MANY_ATTEMPTS ? `${MANY_ATTEMPTS}+` : String(next)
}
