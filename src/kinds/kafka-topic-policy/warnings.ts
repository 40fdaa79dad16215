import type { KeySample, Observed, TopicView } from '../../operator/observed.ts'
import type { Configs } from './desired.ts'
import type { KafkaTopicPolicySpec, KafkaTopicPolicyStatus } from './resource.ts'
import type { JudgedTopic, Rule } from './rules/rule.ts'

export type Warning = NonNullable<KafkaTopicPolicyStatus['warnings']>[number]

export const MAX_WARNINGS = 20
const MAX_MESSAGE = 1024

/** Collects findings: one entry per code, with the first topic by name and how many more there are; five thousand alike say no more. */
export class Warnings {
  readonly #found = new Map<string, { readonly topic: string; readonly message: string; more: number }>()
  readonly #rules: readonly Rule[]
  readonly #spec: KafkaTopicPolicySpec
  readonly #keys: Observed['keys']

  constructor(rules: readonly Rule[], spec: KafkaTopicPolicySpec, keys: Observed['keys']) {
    this.#rules = rules
    this.#spec = spec
    this.#keys = keys
  }

  judge(view: TopicView, wanted: Configs): void {
    if (this.#rules.length === 0) return
    const topic = judged(view, wanted, this.#spec, this.#keys?.get(view.name))
    for (const rule of this.#rules) {
      const message = rule.judge(topic)
      if (message !== undefined) this.add(rule.code, view.name, message)
    }
  }

  add(code: string, topic: string, message: string): void {
    const before = this.#found.get(code)
    if (before === undefined) this.#found.set(code, { topic, message, more: 0 })
    else before.more++
  }

  list(): readonly Warning[] {
    return [...this.#found].slice(0, MAX_WARNINGS).map(([code, { topic, message, more }]) => ({
      code,
      ...(topic === '' ? {} : { topic }),
      message: `${message}${more === 0 ? '' : ` (and ${more} more ${more === 1 ? 'topic' : 'topics'})`}`.slice(0, MAX_MESSAGE),
    }))
  }
}

/** The topic as it will be. */
export function judged(view: TopicView, wanted: Configs, spec: KafkaTopicPolicySpec, keys?: KeySample): JudgedTopic {
  const text = (key: string): string | undefined => wanted[key] ?? view.configs.get(key)?.value ?? undefined
  return {
    name: view.name,
    partitions: view.partitions,
    replicationFactor: view.replicationFactor,
    text,
    number: key => {
      const value = text(key)
      return value === undefined || value === '' || !Number.isFinite(Number(value)) ? undefined : Number(value)
    },
    cleans: how =>
      (text('cleanup.policy') ?? '')
        .split(',')
        .map(word => word.trim())
        .includes(how),
    keys,
    isFreeConfig: key => typeof spec.config?.[key] === 'string',
  }
}
