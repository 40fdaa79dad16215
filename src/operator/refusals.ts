import { failureProblem, type Failure } from './apply.ts'
import { topicOf } from './diff.ts'
import type { Change, Problem } from './plan.ts'

interface Refusal {
  /** The changes of the topic that were refused, as text. */
  readonly asked: string
  readonly attempts: number
  readonly againAtMs: number
  readonly problems: readonly Problem[]
}

export interface RefusalOptions {
  readonly initialMs: number
  readonly maxMs: number
}

/**
 * Remembers what the brokers refused, per topic of one resource: asking the same again waits, doubling, while another change is tried at
 * once. Without this every look at a resource with one bad value would send the same refused request again.
 */
export class Refusals {
  readonly #refused = new Map<string, Refusal>()
  readonly #options: RefusalOptions

  constructor(options: RefusalOptions) {
    this.#options = options
  }

  /** Splits changes into those to try now and the problems of those that wait. Topics that no change is wanted for any more are forgotten. */
  sift(changes: readonly Change[], monotonicMs: number): { readonly now: readonly Change[]; readonly waiting: readonly Problem[] } {
    if (this.#refused.size === 0) return { now: changes, waiting: [] }
    const now: Change[] = []
    const waiting: Problem[] = []
    const byTopic = groupByTopic(changes)
    for (const topic of this.#refused.keys()) if (!byTopic.has(topic)) this.#refused.delete(topic)
    for (const [topic, asked] of byTopic) {
      const refusal = this.#refused.get(topic)
      if (refusal?.asked === JSON.stringify(asked) && monotonicMs < refusal.againAtMs) waiting.push(...refusal.problems)
      else now.push(...asked)
    }
    return { now, waiting }
  }

  /** Notes the outcome of `tried`; answers one problem per refused topic and error. */
  note(tried: readonly Change[], failed: readonly Failure[], monotonicMs: number): readonly Problem[] {
    const failures = Map.groupBy(failed, ({ change }) => topicOf(change) ?? '')
    return [...groupByTopic(tried)].flatMap(([topic, asked]) => {
      const failure = failures.get(topic)
      if (failure === undefined) this.#refused.delete(topic)
      return failure === undefined ? [] : this.#refuse(topic, JSON.stringify(asked), failure, monotonicMs)
    })
  }

  /** When the first waiting topic may be tried again. */
  nextAtMs(): number | undefined {
    return this.#refused.size === 0 ? undefined : Math.min(...[...this.#refused.values()].map(({ againAtMs }) => againAtMs))
  }

  #refuse(topic: string, asked: string, failures: readonly Failure[], monotonicMs: number): readonly Problem[] {
    const before = this.#refused.get(topic)
    const attempts = before?.asked === asked ? before.attempts + 1 : 1
    const waitMs = Math.min(this.#options.maxMs, this.#options.initialMs * 2 ** Math.min(attempts - 1, 30))
    const problems = [...Map.groupBy(failures, ({ error }) => error)].map(([error, of]) =>
      failureProblem(
        of.map(({ change }) => change),
        error,
      ),
    )
    this.#refused.set(topic, { asked, attempts, againAtMs: monotonicMs + waitMs, problems })
    return problems
  }
}

const groupByTopic = (changes: readonly Change[]) => Map.groupBy(changes, change => topicOf(change) ?? '')
