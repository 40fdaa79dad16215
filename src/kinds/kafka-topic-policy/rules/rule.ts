import type { KeySample } from '../../../operator/observed.ts'

/** A topic as a rule sees it: the configs that it will have once the policy is applied. A key that was not looked at is undefined. */
export interface JudgedTopic {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number
  /** Value of a config key. */
  text(key: string): string | undefined
  /** The same as a number; undefined where it is none. */
  number(key: string): number | undefined
  /** Whether the cleanup policy includes the word. */
  cleans(how: 'delete' | 'compact'): boolean
  /** What its newest records say of their keys; undefined: nothing is known. */
  readonly keys: KeySample | undefined
  /** Whether `spec.config` of the policy, rather than a typed field, sets the key. */
  isFreeConfig(key: string): boolean
}

export interface Rule {
  /** Stable: alerts and documentation refer to it. */
  readonly code: string
  /** Judged only for policies that set at least one of these. */
  readonly about: readonly string[]
  /** Needed besides, to judge. */
  readonly needs: readonly string[]
  /** What is wrong with the topic and the way out, or undefined. */
  judge(topic: JudgedTopic): string | undefined
}
