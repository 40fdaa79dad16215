import type { PipelineConfig } from '../../../src/kinds/dead-letter-pipeline/config.ts'
import { worked } from '../../../src/kinds/dead-letter-pipeline/task-family.ts'
import { decodeNote, statusOf } from '../../../src/kinds/dead-letter-pipeline/watch/note.ts'
import { ladder } from '../../../src/kinds/delay-queue/ladder.ts'
import { worked as queueWorked } from '../../../src/kinds/delay-queue/task-family.ts'
import type { OutgoingRecord, Refusal } from '../../../src/kafka/log.ts'
import { noteOf } from '../../../src/worker/contract.ts'
import type { Contract } from '../../../src/worker/contract.ts'
import type { Random } from '../../support/delay-queue/random.ts'
import { PoolFellow } from '../pool-fellow.ts'
import { passed } from '../subject.ts'
import type { Setting, Subject } from '../subject.ts'
import { Application, REDELIVERY, RETRY, SOURCE } from './application.ts'
import { DEAD, FATAL, auditRest, auditSoFar } from './audit.ts'
import type { Evidence } from './audit.ts'

const HANDLED = 'p.handled'
/** Headers of one record that the topics behind a pipeline take. */
const MOST_HEADER_BYTES = 6_000

/** A pipeline and its application: whatever is handed over comes back in time or ends as a dead letter, once. */
export class PipelineSubject implements Subject {
  readonly name = 'p'
  readonly kinds = [worked, queueWorked]
  readonly group = 'shop.p'
  readonly sources: readonly string[]
  readonly transactional = ['p.journal', RETRY, REDELIVERY, DEAD]
  readonly compacted = []
  readonly journal = 'p.journal'
  readonly #setting: Setting
  readonly #config: PipelineConfig
  readonly #fellow: PoolFellow
  readonly #application: Application
  #calmMs = 0

  constructor(setting: Setting) {
    const { random, cluster, weather } = setting
    this.#setting = setting
    this.#config = configOf(weather.partitions, Math.max(...weather.delaysMs), random)
    this.sources = [RETRY, ...this.#config.topics.tiers.map(({ topic }) => topic)]
    for (const topic of [...this.sources, REDELIVERY, 'p.journal']) cluster.createTopic(topic, weather.partitions)
    const deadPartitions = 1 + random.below(3)
    for (const topic of [DEAD, HANDLED]) cluster.createTopic(topic, deadPartitions)
    for (const topic of [SOURCE, FATAL]) cluster.createTopic(topic, 1 + random.below(3))
    this.#fellow = new PoolFellow(cluster, { group: this.group, ...weather })
    this.#application = new Application(setting)
  }

  refuses({ topic, headers }: OutgoingRecord): Refusal['code'] | undefined {
    if (![REDELIVERY, DEAD, FATAL].includes(topic)) return undefined
    const bytes = headers.reduce((sum, [name, value]) => sum + name.length + (value?.length ?? 0), 0)
    return bytes > MOST_HEADER_BYTES ? 'MessageTooLarge' : undefined
  }

  contract(): Contract {
    return this.#fellow.contract({ kind: 'DeadLetterPipeline', name: this.name, generation: 1, config: this.#config })
  }

  share(): void {
    this.#fellow.turn()
  }

  start(): void {
    this.#application.start()
  }

  calm(): void {
    this.#application.calm()
    this.#calmMs = this.#setting.time.nowMs()
  }

  retire(): void {
    // Nobody tells the workers of a pipeline anything.
  }

  get usersDone(): boolean {
    return this.#application.done
  }

  /** A record that fails for the first time now is dead after all of its waits. */
  get lastDueMs(): number {
    return this.#calmMs + this.#config.maxAttempts * (this.#config.maxDelayMs + 2_000)
  }

  get atRest(): boolean {
    return this.#application.idle && passed(this.#setting.cluster, this.group, this.sources) && this.#watched
  }

  /** The watch has noted as many dead letters as there are. */
  get #watched(): boolean {
    const { cluster } = this.#setting
    const noted = (cluster.partitionsOf(DEAD) ?? []).map(log => cluster.group(this.group).offset(log)?.metadata ?? '')
    const notes = noted.flatMap(metadata => decodeNote(noteOf(metadata)) ?? [])
    return cluster.visible(DEAD).length === (statusOf(notes)?.count ?? 0)
  }

  get messages(): number {
    return this.#application.written.length
  }

  auditSoFar(skewMs: number): void {
    auditSoFar(this.#evidence(skewMs))
  }

  auditRest(skewMs: number): void {
    auditRest(this.#evidence(skewMs))
  }

  #evidence(skewMs: number): Evidence {
    const { written, orders, handled } = this.#application
    return { cluster: this.#setting.cluster, config: this.#config, written, orders, handled, skewMs }
  }
}

function configOf(partitions: number, longestMs: number, random: Random): PipelineConfig {
  const maxMs = random.pick([50, 2_000, 6_000, Math.min(longestMs, 40_000)])
  const honouredMs = 20_000
  const maxDelayMs = Math.max(maxMs, honouredMs)
  return {
    partitions,
    maxDelayMs,
    topics: {
      retry: RETRY,
      redelivery: REDELIVERY,
      tiers: ladder(maxDelayMs).map(delayMs => ({ topic: `p.tier.${delayMs / 1000}s`, delayMs })),
      journal: 'p.journal',
      deadLetter: DEAD,
    },
    group: 'billing',
    maxAttempts: 1 + random.below(5),
    backoff: {
      initialMs: Math.min(maxMs, random.pick([5, 100, 1_000, 5_000])),
      factor: random.pick([1, 1.5, 2, 5]),
      maxMs,
      jitter: random.pick(['None', 'Full', 'Equal'] as const),
    },
    ...(random.chance(0.4) && { deadlineMs: 500 + random.below(20_000) }),
    rules: random.chance(0.6)
      ? [
          { match: { errorClass: ['Fatal'] }, action: 'DeadLetter', deadLetterTopic: FATAL },
          { match: { errorPattern: 'duplicate key .* exists' }, action: 'Drop' },
          { match: { errorClass: ['Busy'] }, action: 'Retry', retryAfterMax: `${honouredMs / 1000}s` },
          { match: { errorClass: ['Busy', 'string'] }, action: 'DeadLetter' },
        ]
      : [],
    springHeaders: random.chance(0.2),
    watch: { handled: HANDLED, retentionMs: 30 * 86_400_000 },
  }
}
