import type { QueueConfig } from '../../../src/kinds/delay-queue/config.ts'
import { ladder } from '../../../src/kinds/delay-queue/ladder.ts'
import { worked } from '../../../src/kinds/delay-queue/task-family.ts'
import type { OutgoingRecord } from '../../../src/kafka/log.ts'
import type { Contract } from '../../../src/worker/contract.ts'
import type { Random } from '../../support/delay-queue/random.ts'
import type { Refusal } from '../../../src/kafka/log.ts'
import { PoolFellow } from '../pool-fellow.ts'
import { passed } from '../subject.ts'
import type { Setting, Subject } from '../subject.ts'
import { EPOCH_MS } from '../virtual-time.ts'
import { PLENTY_BYTES } from '../weather.ts'
import { TARGETS, auditRest, auditSoFar } from './audit.ts'
import type { Evidence } from './audit.ts'
import { FIXED_MS, SMALL_BYTES, Users } from './users.ts'

const MAX_DELAY_MS = 600_000

/** A delay queue: every message comes out once, on time and in order, or says why not. */
export class QueueSubject implements Subject {
  readonly name = 'q'
  readonly kinds = [worked]
  readonly group = 'shop.q'
  readonly sources: readonly string[]
  readonly transactional = ['q.journal', 'q.ids', 'q.in', 'due', 'q.tier.16s']
  readonly compacted = ['q.ids']
  readonly journal = 'q.journal'
  readonly #setting: Setting
  readonly #config: QueueConfig
  readonly #fellow: PoolFellow
  readonly #users: Users

  constructor(setting: Setting) {
    const { random, cluster, weather } = setting
    this.#setting = setting
    this.#config = configOf(weather.partitions, random)
    const { input, fixed, tiers, journal, ids, deadLetter } = this.#config.topics
    this.sources = [input, ...[...fixed, ...tiers].map(({ topic }) => topic)]
    for (const topic of [...this.sources, journal, ids]) cluster.createTopic(topic, weather.partitions)
    for (const topic of [...TARGETS, deadLetter]) cluster.createTopic(topic, 1 + random.below(2))
    this.#fellow = new PoolFellow(cluster, { group: this.group, ...weather })
    this.#users = new Users(setting)
  }

  refuses({ topic, value }: OutgoingRecord): Refusal['code'] | undefined {
    return topic === 'small' && (value?.length ?? 0) > SMALL_BYTES ? 'MessageTooLarge' : undefined
  }

  contract(): Contract {
    return this.#fellow.contract({ kind: 'DelayQueue', name: this.name, generation: 1, config: this.#config })
  }

  share(): void {
    this.#fellow.turn()
  }

  start(): void {
    this.#users.start()
  }

  calm(): void {
    // Users write no more than they began with.
  }

  retire(): void {
    // Nobody tells the workers of a queue anything.
  }

  get usersDone(): boolean {
    return this.#users.done
  }

  get lastDueMs(): number {
    return Math.max(EPOCH_MS, ...this.#users.sent.map(({ dueMs }) => dueMs)) - EPOCH_MS
  }

  get atRest(): boolean {
    return passed(this.#setting.cluster, this.group, this.sources)
  }

  get messages(): number {
    return this.#users.sent.length
  }

  auditSoFar(skewMs: number): void {
    auditSoFar(this.#evidence(skewMs))
  }

  auditRest(skewMs: number): void {
    auditRest(this.#evidence(skewMs))
  }

  #evidence(skewMs: number): Evidence {
    const { sent, orders } = this.#users
    const { cluster, weather } = this.#setting
    return { cluster, config: this.#config, sent, orders, short: weather.memoryBudgetBytes < PLENTY_BYTES, skewMs }
  }
}

function configOf(partitions: number, random: Random): QueueConfig {
  return {
    partitions,
    maxDelayMs: MAX_DELAY_MS,
    topics: {
      input: 'q.in',
      fixed: [{ topic: 'q.fixed.10s', delayMs: FIXED_MS }],
      tiers: ladder(MAX_DELAY_MS).map(delayMs => ({ topic: `q.tier.${delayMs / 1000}s`, delayMs })),
      journal: 'q.journal',
      ids: 'q.ids',
      deadLetter: 'q.dlq',
    },
    target: 'due',
    allowedTargets: ['other', 'absent', 'small'],
    ...(random.chance(0.3) && { deduplicationMs: 1_000 + random.below(30_000) }),
    ...(random.chance(0.15) && { maxFireRate: 5 + random.below(30) }),
    ...(random.chance(0.2) && {
      late: { policy: random.pick(['DeadLetter', 'Drop'] as const), afterMs: 1_000 + random.below(10_000) },
    }),
  }
}
