import { Type } from 'typebox'
import type { Static } from 'typebox'
import Value from 'typebox/value'

const Topic = Type.String({ minLength: 1, maxLength: 249 })
const WholeMs = Type.Integer({ minimum: 1 })
const Waiting = Type.Object({ topic: Topic, delayMs: WholeMs }, { additionalProperties: false })

/** The kind's part of the worker contract: what the operator worked out of the spec, in plain numbers. */
export const QueueConfig = Type.Object(
  {
    partitions: Type.Integer({ minimum: 1 }),
    maxDelayMs: WholeMs,
    topics: Type.Object(
      {
        input: Topic,
        fixed: Type.Array(Waiting),
        tiers: Type.Array(Waiting),
        journal: Topic,
        ids: Topic,
        deadLetter: Topic,
      },
      { additionalProperties: false },
    ),
    target: Type.Optional(Topic),
    /** Globs: what a message may name itself. */
    allowedTargets: Type.Array(Type.String()),
    /** Globs of the connection: nothing outside may be written; absent: every topic that is not internal. */
    allowedTopics: Type.Optional(Type.Array(Type.String())),
    late: Type.Optional(
      Type.Object(
        { policy: Type.Union([Type.Literal('DeadLetter'), Type.Literal('Drop')]), afterMs: WholeMs },
        { additionalProperties: false },
      ),
    ),
    deduplicationMs: Type.Optional(WholeMs),
    maxFireRate: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  },
  { additionalProperties: false },
)
export type QueueConfig = Static<typeof QueueConfig>

/** @throws Error naming the first field that is not as the schema has it; operator and worker are then of different versions. */
export function parseConfig(name: string, config: unknown): QueueConfig {
  if (Value.Check(QueueConfig, config)) return config
  const [first] = Value.Errors(QueueConfig, config)
  throw new Error(
    `DelayQueue/${name}: the contract does not fit this worker: ${first ? `${first.instancePath || 'config'} ${first.message}` : 'unreadable'}; ` +
      'run operator and workers of the same version',
  )
}
