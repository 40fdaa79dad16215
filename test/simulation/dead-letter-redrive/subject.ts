import type { RedriveConfig } from '../../../src/kinds/dead-letter-redrive/config.ts'
import type { DeadLetterRedriveSpec, Select } from '../../../src/kinds/dead-letter-redrive/resource.ts'
import { worked } from '../../../src/kinds/dead-letter-redrive/task-family.ts'
import type { Contract } from '../../../src/worker/contract.ts'
import type { OutgoingRecord, Refusal } from '../../../src/kafka/log.ts'
import type { Random } from '../../support/delay-queue/random.ts'
import type { Fleet } from '../fleet.ts'
import type { Setting, Subject } from '../subject.ts'
import { auditRest, auditSoFar } from './audit.ts'
import type { Evidence } from './audit.ts'
import { DEAD, Deaths, REDELIVERY } from './deaths.ts'
import { GROUP, RedriveOperator } from './operator.ts'

/** What a redrive at a low rate takes, and the waits between two. */
const REDRIVE_MS = 25_000
/** The target that refuses what is large. */
const ELSEWHERE = 'elsewhere'

/** Redrives of one pipeline, and now and then one from the command line: every dead letter moves once, whatever crashes and whoever else selects it. */
export class RedriveSubject implements Subject {
  readonly name = 'redrive'
  readonly kinds = [worked]
  readonly group = GROUP
  readonly sources = [DEAD]
  readonly transactional = ['p.handled', DEAD, REDELIVERY]
  readonly compacted = []
  readonly #setting: Setting
  readonly #deaths: Deaths
  readonly #operator: RedriveOperator
  /** Runs of the command line. */
  readonly #guests: RedriveConfig[] = []
  #lastAsked = false

  constructor(setting: Setting) {
    const { random, cluster, weather } = setting
    this.#setting = setting
    for (const topic of [DEAD, 'p.handled', 'p.audit']) cluster.createTopic(topic, weather.partitions)
    for (const topic of [REDELIVERY, ELSEWHERE]) cluster.createTopic(topic, 1 + random.below(3))
    this.#deaths = new Deaths(setting)
    this.#operator = new RedriveOperator(setting)
  }

  refuses({ topic, value }: OutgoingRecord): Refusal['code'] | undefined {
    return topic === ELSEWHERE && (value?.toString().endsWith('7') ?? false) ? 'MessageTooLarge' : undefined
  }

  contract(): Contract | undefined {
    const { config } = this.#operator
    return config && this.#contract(config)
  }

  share(): void {
    // Redrives share no workers.
  }

  start(fleet: Fleet): void {
    const { random, time, weather } = this.#setting
    fleet.scale(0)
    this.#deaths.start()
    this.#operator.start(fleet)
    const redrives = 1 + random.below(3)
    for (let i = 0; i < redrives; i += 1)
      time.after(random.below(weather.stormMs), () => {
        this.#operator.create(specOf(random))
        if (random.chance(0.4)) this.#suspend(this.#operator.redrives.length - 1)
      })
    if (random.chance(0.4))
      time.after(random.below(weather.stormMs), () => {
        this.#guest(fleet)
      })
  }

  calm(): void {
    this.#operator.redrives.forEach(({ spec }, at) => {
      if (spec.suspend === true) this.#operator.change(at, { suspend: false })
    })
    this.#lastAsked = true
    this.#askForTheRest()
  }

  retire(): void {
    this.#operator.retire()
  }

  get usersDone(): boolean {
    return this.#deaths.done
  }

  get lastDueMs(): number {
    return this.#setting.weather.stormMs + this.#operator.redrives.length * REDRIVE_MS
  }

  get atRest(): boolean {
    return this.#lastAsked && this.#operator.over && !this.#setting.cluster.logs.some(log => log.lastStable !== log.high)
  }

  get messages(): number {
    return this.#deaths.all.length
  }

  auditSoFar(): void {
    auditSoFar(this.#evidence)
  }

  auditRest(): void {
    auditRest(this.#evidence)
  }

  get #evidence(): Evidence {
    const { redrives, runs } = this.#operator
    return { cluster: this.#setting.cluster, deaths: this.#deaths.all, redrives, runs, guests: this.#guests }
  }

  #contract(config: RedriveConfig): Contract {
    return {
      version: 1,
      generation: 1,
      namespace: 'shop',
      group: GROUP,
      connection: { bootstrapServers: ['model'] },
      resources: [{ kind: 'DeadLetterRedrive', name: this.name, generation: 1, config: JSON.parse(JSON.stringify(config)) as unknown }],
      memoryBudgetBytes: this.#setting.weather.memoryBudgetBytes,
    }
  }

  #suspend(at: number): void {
    const { random, time } = this.#setting
    time.after(random.below(8_000), () => {
      this.#operator.change(at, { suspend: true })
      time.after(random.below(8_000), () => {
        this.#operator.change(at, { suspend: false })
      })
    })
  }

  /** `sluice dlq redrive` or `sluice dlq discard`, while who knows what else goes on; interrupted after a while. */
  #guest(fleet: Fleet): void {
    const { random, cluster } = this.#setting
    const config: RedriveConfig = {
      run: `shop/dlq/${this.#guests.length + 1}`,
      by: 'ann',
      pipeline: 'shop/p',
      action: random.pick(['Redrive', 'Discard'] as const),
      topics: { deadLetter: DEAD, handled: 'p.handled', audit: 'p.audit', target: REDELIVERY },
      topicId: `id of ${DEAD}`,
      bounds: (cluster.partitionsOf(DEAD) ?? []).map(({ low, high }) => [low, high]),
      select: selectOf(random),
      dryRun: false,
      maxRedrives: 3,
      setHeaders: {},
      removeHeaders: [],
    }
    const { target: _, ...topics } = config.topics
    const asked = config.action === 'Discard' ? { ...config, topics } : config
    this.#guests.push(asked)
    fleet.invite(this.#contract(asked), 2_000 + random.below(15_000))
  }

  /** Whatever is left moves in the end: what does not has been moved, discarded or parked. */
  #askForTheRest(): void {
    this.#lastAsked = this.#deaths.done && this.#operator.over
    if (this.#lastAsked) this.#operator.create({ select: { all: true }, maxRedrives: 1_000 })
    else
      this.#setting.time.after(1_000, () => {
        this.#askForTheRest()
      })
  }
}

const selectOf = (random: Random): Select =>
  random.pick<Select>([
    { all: true },
    { all: true },
    { fingerprint: `f${random.below(3)}` },
    { errorClass: 'Timeout' },
    { header: { name: 'marked' } },
    { key: 'b', errorClass: 'TypeError' },
    { partitions: [0] },
    { offsets: [{ partition: 0, from: 2, to: 2 + random.below(20) }] },
    { fingerprint: 'nothing is like this' },
  ])

function specOf(random: Random): Omit<DeadLetterRedriveSpec, 'pipelineRef'> {
  const elsewhere = random.chance(0.2)
  return {
    select: selectOf(random),
    maxRedrives: 1 + random.below(4),
    ...(random.chance(0.25) && { ratePerSecond: random.pick([5, 50]) }),
    ...(random.chance(0.25) && { maxMessages: 1 + random.below(20) }),
    ...(random.chance(0.15) && { dryRun: true }),
    ...(elsewhere && { to: 'Topic' as const, topic: ELSEWHERE }),
    ...(random.chance(0.2) && { transform: { setHeaders: { ticket: 'T-1' }, removeHeaders: ['own'] } }),
  }
}
