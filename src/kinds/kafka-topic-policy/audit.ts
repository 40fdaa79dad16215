import { sameConfigValue } from '../../operator/config-value.ts'
import type { TopicView } from '../../operator/observed.ts'
import type { Configs } from './desired.ts'
import type { KafkaTopicPolicyStatus } from './resource.ts'

export type Drift = NonNullable<KafkaTopicPolicyStatus['drift']>[number]

export const MAX_DRIFT = 20

/** Counts topics and keeps the first differences: a status is for people and has a size limit; the counts tell the whole. */
export class Audit {
  readonly #drift: Drift[] = []
  #matched = 0
  #drifted = 0
  #bytes = 0
  #sized = false

  /** A topic that is there. `partitions`: wanted at least. */
  topic(view: TopicView, wanted: Configs, partitions: number | undefined): void {
    this.#matched++
    if (view.sizeBytes !== undefined) {
      this.#sized = true
      this.#bytes += view.sizeBytes
    }
    const before = this.#differences
    if (partitions !== undefined && partitions !== view.partitions)
      this.#differs(view.name, 'partitions', String(partitions), String(view.partitions))
    for (const key in wanted) {
      const desired = wanted[key] ?? ''
      const actual = view.configs.get(key)?.value ?? null
      if (!sameConfigValue(key, actual, desired)) this.#differs(view.name, key, desired, actual)
    }
    if (this.#differences > before) this.#drifted++
  }

  /** A topic that is to be created. */
  missing(topic: string, partitions: number): void {
    this.#matched++
    this.#drifted++
    this.#differs(topic, 'partitions', String(partitions), null)
  }

  get matched(): number {
    return this.#matched
  }

  counts(): NonNullable<KafkaTopicPolicyStatus['topics']> {
    return {
      matched: this.#matched,
      compliant: this.#matched - this.#drifted,
      drifted: this.#drifted,
      ...(this.#sized ? { bytes: rounded(this.#bytes) } : {}),
    }
  }

  drift(): readonly Drift[] {
    return this.#drift
  }

  #differences = 0

  #differs(topic: string, key: string, desired: string, actual: string | null): void {
    this.#differences++
    if (this.#drift.length < MAX_DRIFT) this.#drift.push({ topic, key, desired, ...(actual === null ? {} : { actual }) })
  }
}

const EXACT_BELOW = 2 ** 20

/** Two digits: every topic in use grows, and a status that is written at each look would never come to rest. */
const rounded = (bytes: number): number => (bytes < EXACT_BELOW ? bytes : Number(bytes.toPrecision(2)))
