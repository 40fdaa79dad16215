import type { RedriveConfig } from '../../src/kinds/dead-letter-redrive/config.ts'
import { readProgress } from '../../src/kinds/dead-letter-redrive/progress.ts'
import type { Progress } from '../../src/kinds/dead-letter-redrive/progress.ts'
import { worked } from '../../src/kinds/dead-letter-redrive/task-family.ts'
import type { LogRecord } from '../../src/worker/task.ts'
import { EngineWorld, headers } from './delay-queue/world.ts'
import type { Fate } from './delay-queue/world.ts'

export const aRedriveConfig = (more: Partial<RedriveConfig> = {}): RedriveConfig => ({
  run: 'shop/heal/1',
  by: 'ann',
  pipeline: 'shop/p',
  action: 'Redrive',
  topics: { deadLetter: 'p.dlq', handled: 'p.handled', audit: 'p.audit', target: 'p.redelivery' },
  topicId: 'topic-1',
  bounds: [[0, 1_000_000]],
  select: { all: true },
  dryRun: false,
  maxRedrives: 3,
  setHeaders: {},
  removeHeaders: [],
  ...more,
})

/** One partition of dead letters, and the redrives that are run on it one after another, in one group. */
export class RedriveWorld extends EngineWorld {
  readonly config: RedriveConfig

  constructor(config: RedriveConfig, before?: EngineWorld) {
    const resource = { kind: 'DeadLetterRedrive', name: config.run, config: JSON.parse(JSON.stringify(config)) as unknown }
    super(worked.tasks(resource, 'shop'), ['p.redelivery', 'p.audit', 'small', 'elsewhere'])
    this.config = config
    if (before === undefined) return
    this.now = before.now
    for (const [topic, log] of before.logs) this.logs.set(topic, log)
    for (const [topic, commit] of before.commits) this.commits.set(topic, commit)
    this.crash()
  }

  /** What a pipeline writes for a record whose attempts are spent. */
  die(value: string, told: Readonly<Record<string, string>> = {}): LogRecord {
    const context = {
      'sluice-disposition': 'exhausted',
      'sluice-attempt': '4',
      'sluice-error-class': 'Timeout',
      'sluice-error-fingerprint': 'aaaa',
      'sluice-origin-topic': 'orders',
      'sluice-origin-partition': '0',
      'sluice-origin-offset': '7',
    }
    return this.write('p.dlq', headers({ own: value, ...context, ...told }), { key: Buffer.from('k'), value: Buffer.from(value) })
  }

  get progress(): Progress | undefined {
    return readProgress(this.commits.get('p.dlq')?.metadata, this.config.run)
  }

  get end(): number {
    return this.log('p.dlq').stable
  }

  /** Until the task has nothing left to do; time passes only when it waits for it. */
  finish(fate: () => Fate = () => 'commit', limit = 500): void {
    const [from, to] = this.config.bounds[0]!
    if (from === to) return
    for (let turn = 0; turn < 100_000; turn++) {
      if (this.progress?.done === true && this.task.wakeAt() === undefined) return
      this.read('p.dlq', 1 + (turn % 50))
      if (this.transact(fate(), limit)) continue
      this.now = Math.max(this.now + 1, this.task.wakeAt() ?? 0)
    }
    throw new Error(`the redrive does not come to an end: ${JSON.stringify(this.progress)}`)
  }
}

export const values = (records: readonly LogRecord[]): readonly (string | undefined)[] => records.map(({ value }) => value?.toString())
