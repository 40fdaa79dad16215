import type { Observed, TopicView } from '../../../src/operator/observed.ts'
import type { Plan } from '../../../src/operator/plan.ts'
import { noteOf } from '../../../src/operator/contract.ts'
import type { DeadLetterPipeline } from '../../../src/kinds/dead-letter-pipeline/resource.ts'
import { kind } from '../../../src/kinds/dead-letter-redrive/index.ts'
import type { RedriveConfig } from '../../../src/kinds/dead-letter-redrive/config.ts'
import type { DeadLetterRedrive, DeadLetterRedriveSpec } from '../../../src/kinds/dead-letter-redrive/resource.ts'
import type { Fleet } from '../fleet.ts'
import type { Setting } from '../subject.ts'
import { EPOCH_MS } from '../virtual-time.ts'
import { DEAD } from './deaths.ts'

const LOOK_MS = 1_000
export const GROUP = 'sluice.shop.p.redrive'

const pipeline: DeadLetterPipeline = {
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DeadLetterPipeline',
  metadata: { name: 'p', namespace: 'shop' },
  spec: { connectionRef: { name: 'main' }, source: { topic: 'orders', group: 'billing' }, delivery: { topic: {} }, topicPrefix: 'p' },
}

/** A run as it began: the ends that it captured, and what it was to do. */
export interface Run {
  readonly config: RedriveConfig
  readonly startedMs: number
  completedMs: number
}

/** What the operator does about redrives: the real plans, one worker for the one that runs, none otherwise. */
export class RedriveOperator {
  readonly redrives: DeadLetterRedrive[] = []
  /** By the name of the run. */
  readonly runs = new Map<string, Run>()
  readonly #setting: Setting
  #fleet: Fleet | undefined
  #config: RedriveConfig | undefined
  #told = ''
  #retired = false

  constructor(setting: Setting) {
    this.#setting = setting
  }

  /** Of the redrive that runs, or ran last. */
  get config(): RedriveConfig | undefined {
    return this.#config
  }

  get over(): boolean {
    return this.redrives.every(({ status }) => status?.phase === 'Completed')
  }

  create(spec: Omit<DeadLetterRedriveSpec, 'pipelineRef'>): void {
    const name = `heal-${this.redrives.length + 1}`
    const creationTimestamp = new Date(this.#nowMs).toISOString()
    this.redrives.push({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'DeadLetterRedrive',
      metadata: { name, namespace: 'shop', creationTimestamp },
      spec: { pipelineRef: { name: 'p' }, ...spec },
    })
    this.#setting.trace.note('user', `creates ${name}: ${JSON.stringify(spec)}`)
  }

  change(at: number, spec: Partial<DeadLetterRedriveSpec>): void {
    const redrive = this.redrives[at]
    if (redrive === undefined) return
    this.redrives[at] = { ...redrive, spec: { ...redrive.spec, ...spec } }
    this.#setting.trace.note('user', `changes ${redrive.metadata.name}: ${JSON.stringify(spec)}`)
  }

  start(fleet: Fleet): void {
    this.#fleet = fleet
    this.#look()
  }

  retire(): void {
    this.#retired = true
  }

  get #nowMs(): number {
    return Math.floor(EPOCH_MS + this.#setting.time.nowMs())
  }

  #look(): void {
    this.#setting.time.after(LOOK_MS, () => {
      if (this.#retired) return
      const plans = this.redrives.map((_, at) => this.#reconcile(at))
      this.#deploy(plans.find(({ workers }) => workers !== undefined)?.workers?.config as RedriveConfig | undefined)
      this.#look()
    })
  }

  #reconcile(at: number): Plan {
    const redrive = this.redrives[at]!
    const observed = this.#observed(redrive)
    const question = kind.readings?.(redrive, observed)
    const readings = question && {
      positions: question.group === undefined ? [] : this.#positions(),
      ...(question.ends && { bounds: this.#ends() }),
    }
    const plan = kind.plan(redrive, { ...observed, ...(readings && { readings }) })
    const before = redrive.status?.phase
    this.redrives[at] = { ...redrive, status: plan.status }
    const { phase } = plan.status as { readonly phase?: string }
    if (phase !== before) this.#setting.trace.note('operator', `${redrive.metadata.name} is ${phase ?? ''}`)
    const config = plan.workers?.config as RedriveConfig | undefined
    if (config !== undefined && !this.runs.has(config.run))
      this.runs.set(config.run, { config, startedMs: this.#setting.time.nowMs(), completedMs: Infinity })
    if (phase === 'Completed' && before !== phase)
      for (const run of this.runs.values())
        if (run.config.run.startsWith(`shop/${redrive.metadata.name}/`)) run.completedMs = this.#setting.time.nowMs()
    return plan
  }

  #observed(redrive: DeadLetterRedrive): Observed {
    const { cluster } = this.#setting
    const names = [DEAD, 'p.handled', 'p.audit', 'p.redelivery', 'elsewhere']
    const view = (name: string): TopicView => ({
      name,
      id: `id of ${name}`,
      partitions: cluster.partitionsOf(name)?.length ?? 0,
      replicationFactor: 1,
      underReplicated: 0,
      configs: new Map(),
    })
    return {
      now: this.#nowMs,
      connection: {
        ref: { kind: 'KafkaConnection', namespace: 'shop', name: 'main' },
        defaults: { replicationFactor: 1 },
        probe: undefined,
      },
      topics: new Map(names.map(name => [name, view(name)])),
      vanishing: new Set(),
      siblings: this.redrives.filter(other => other !== redrive),
      answers: new Map(),
      subject: pipeline,
    }
  }

  #positions() {
    const { cluster } = this.#setting
    return (cluster.partitionsOf(DEAD) ?? []).flatMap(({ topic, partition }) => {
      const commit = cluster.group(GROUP).offset({ topic, partition })
      return commit === undefined ? [] : [{ topic, partition, offset: commit.offset, note: noteOf(commit.metadata) }]
    })
  }

  #ends(): readonly (readonly [number, number])[] {
    return (this.#setting.cluster.partitionsOf(DEAD) ?? []).map(({ low, high }) => [low, high] as const)
  }

  /** As a platform does it: what changes is replaced, what is gone is stopped. */
  #deploy(config: RedriveConfig | undefined): void {
    const told = config === undefined ? '' : JSON.stringify(config)
    if (config !== undefined && told !== this.#told) {
      this.#config = config
      this.#fleet?.renew()
    }
    this.#told = told
    const wanted = config === undefined ? 0 : 1
    if (this.#fleet?.wanted !== wanted) this.#fleet?.scale(wanted)
  }
}
