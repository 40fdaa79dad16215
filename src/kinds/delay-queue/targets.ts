import { anyGlob } from '../../api/glob.ts'
import { isInternalTopic } from '../../api/topic-name.ts'
import type { QueueConfig } from './config.ts'
import type { DeadReason } from './source.ts'

const MOST_CACHED = 10_000

/** Where messages may go: the queue's target always, others where the spec and the connection both allow them. */
export class Targets {
  readonly #target: string | undefined
  readonly #own: ReadonlySet<string>
  readonly #allowed: (topic: string) => boolean
  readonly #ofConnection: (topic: string) => boolean
  readonly #verdicts = new Map<string, DeadReason | undefined>()

  constructor({ target, allowedTargets, allowedTopics, topics }: QueueConfig) {
    this.#target = target
    this.#allowed = anyGlob(allowedTargets)
    this.#ofConnection = allowedTopics === undefined ? () => true : anyGlob(allowedTopics)
    const waiting = [...topics.fixed, ...topics.tiers].map(({ topic }) => topic)
    this.#own = new Set([topics.input, topics.journal, topics.ids, topics.deadLetter, ...waiting])
  }

  /** The topic for a message that names `asked`, or none. */
  topicOf(asked: string | undefined): string | undefined {
    return asked ?? this.#target
  }

  /** Why a message that names `asked` (or none) cannot be delivered by this queue at all. */
  problem(asked: string | undefined): DeadReason | undefined {
    if (asked === this.#target && asked !== undefined) return undefined
    if (asked === undefined) return this.#target === undefined ? NO_TARGET : undefined
    if (this.#verdicts.has(asked)) return this.#verdicts.get(asked)
    if (this.#verdicts.size >= MOST_CACHED) this.#verdicts.clear()
    const problem = this.#judge(asked)
    this.#verdicts.set(asked, problem)
    return problem
  }

  #judge(asked: string): DeadReason | undefined {
    if (this.#own.has(asked) || isInternalTopic(asked)) return notAllowed(asked, 'it is a topic of the queue itself or of Kafka')
    if (!this.#allowed(asked)) return notAllowed(asked, 'it is not in spec.allowedTargets of the queue')
    if (!this.#ofConnection(asked)) return notAllowed(asked, 'it is outside spec.allowedTopics of the connection')
    return undefined
  }
}

const NO_TARGET: DeadReason = {
  disposition: 'target-missing',
  code: 'NoTarget',
  message: 'the queue has no spec.target and the message names none: set sluice-target-topic',
}

const notAllowed = (topic: string, why: string): DeadReason => ({
  disposition: 'target-not-allowed',
  code: 'TargetNotAllowed',
  message: `${topic} cannot be a target: ${why}`,
})
