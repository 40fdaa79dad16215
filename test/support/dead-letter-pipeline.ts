import type { PipelineConfig } from '../../src/kinds/dead-letter-pipeline/config.ts'
import { worked } from '../../src/kinds/dead-letter-pipeline/task-family.ts'
import { ladder } from '../../src/kinds/delay-queue/ladder.ts'
import type { LogRecord } from '../../src/worker/task.ts'
import { EngineWorld, headers } from './delay-queue/world.ts'

/** Waits of 1, 2, 4, ... s without jitter, four deliveries in all. */
export const aPipelineConfig = (more: Partial<PipelineConfig> = {}): PipelineConfig => ({
  partitions: 1,
  maxDelayMs: 300_000,
  topics: {
    retry: 'p.retry',
    redelivery: 'p.redelivery',
    tiers: ladder(300_000).map(delayMs => ({ topic: `p.tier.${delayMs / 1000}s`, delayMs })),
    journal: 'p.journal',
    deadLetter: 'p.dlq',
  },
  group: 'billing',
  maxAttempts: 4,
  backoff: { initialMs: 1_000, factor: 2, maxMs: 300_000, jitter: 'None' },
  rules: [],
  springHeaders: false,
  ...more,
})

/** One partition of a pipeline, and an application that hands over what failed. */
export class PipelineWorld extends EngineWorld {
  constructor(config: PipelineConfig) {
    const resource = { kind: 'DeadLetterPipeline', name: 'p', config: JSON.parse(JSON.stringify(config)) as unknown }
    super(worked.tasks(resource, 'shop'), ['p.redelivery', 'p.dlq', 'p.fatal', 'small'])
  }

  /** What the application writes to `.retry` when it cannot handle a record. */
  fail(value: string, told: Readonly<Record<string, string>> = {}): LogRecord {
    return this.write('p.retry', headers(told), { key: Buffer.from('k'), value: Buffer.from(value) })
  }

  /** The application fails a redelivered record again: the headers go back as they came. */
  failAgain(record: LogRecord): LogRecord {
    return this.write('p.retry', record.headers, record)
  }

  get redelivered(): readonly LogRecord[] {
    return this.log('p.redelivery').committed
  }

  get deadLetters(): readonly LogRecord[] {
    return this.log('p.dlq').committed
  }
}
