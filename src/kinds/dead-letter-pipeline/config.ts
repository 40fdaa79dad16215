import { Type } from 'typebox'
import type { Static } from 'typebox'
import Value from 'typebox/value'
import type { DeadLetterPipelineSpec } from './resource.ts'

const Topic = Type.String({ minLength: 1, maxLength: 249 })
const WholeMs = Type.Integer({ minimum: 1 })
const closed = { additionalProperties: false }

const Rule = Type.Object(
  {
    match: Type.Object(
      {
        status: Type.Optional(Type.Array(Type.Union([Type.String(), Type.Integer()]))),
        errorClass: Type.Optional(Type.Array(Type.String())),
        errorPattern: Type.Optional(Type.String()),
        header: Type.Optional(Type.Object({ name: Type.String(), value: Type.Optional(Type.String()) }, closed)),
      },
      closed,
    ),
    action: Type.Union([Type.Literal('Retry'), Type.Literal('DeadLetter'), Type.Literal('Drop')]),
    retryAfterMax: Type.Optional(Type.String()),
    deadLetterTopic: Type.Optional(Topic),
  },
  closed,
)
/** A rule of the spec as it is. */
export type RuleConfig = NonNullable<DeadLetterPipelineSpec['rules']>[number]

const Breaker = Type.Object(
  {
    /** Share of failed calls within the window that opens it, once there were `minimum`. */
    failureRatio: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    minimum: Type.Integer({ minimum: 1 }),
    windowMs: WholeMs,
    /** Failures in a row that open it. */
    consecutiveFailures: Type.Optional(Type.Integer({ minimum: 1 })),
    probeIntervalMs: WholeMs,
  },
  closed,
)
export type BreakerConfig = Static<typeof Breaker>

const File = Type.String({ minLength: 1 })
const Http = Type.Object(
  {
    /** Topic that the application would read. */
    source: Topic,
    /** Nothing more of it is read: the pipeline was deleted, and finishes what has failed before. */
    sourceClosed: Type.Optional(Type.Literal(true)),
    target: Type.Object(
      {
        url: Type.String({ minLength: 1 }),
        timeoutMs: WholeMs,
        maxInFlight: Type.Integer({ minimum: 1 }),
        headersFolder: Type.Optional(File),
        tls: Type.Optional(
          Type.Object(
            {
              caFile: Type.Optional(File),
              certificateFile: Type.Optional(File),
              keyFile: Type.Optional(File),
              insecureSkipVerify: Type.Optional(Type.Boolean()),
            },
            closed,
          ),
        ),
      },
      closed,
    ),
    breaker: Type.Optional(Breaker),
    /** Set with `ordering: Key`: what failed and waits is noted here. As many partitions as the source. */
    waitingTopic: Type.Optional(Topic),
  },
  closed,
)
export type HttpConfig = Static<typeof Http>

/** The kind's part of the worker contract: what the operator worked out of the spec, in plain numbers. */
export const PipelineConfig = Type.Object(
  {
    partitions: Type.Integer({ minimum: 1 }),
    /** Longest wait that any failure can be given. */
    maxDelayMs: WholeMs,
    topics: Type.Object(
      {
        retry: Topic,
        redelivery: Topic,
        tiers: Type.Array(Type.Object({ topic: Topic, delayMs: WholeMs }, closed)),
        journal: Topic,
        deadLetter: Topic,
      },
      closed,
    ),
    /** Consumer group of the application. */
    group: Type.String({ minLength: 1, maxLength: 249 }),
    maxAttempts: Type.Integer({ minimum: 1 }),
    backoff: Type.Object(
      {
        initialMs: WholeMs,
        factor: Type.Number({ minimum: 1 }),
        maxMs: WholeMs,
        jitter: Type.Union([Type.Literal('Full'), Type.Literal('Equal'), Type.Literal('None')]),
      },
      closed,
    ),
    /** Longest time since the first failure. */
    deadlineMs: Type.Optional(WholeMs),
    rules: Type.Unsafe<readonly RuleConfig[]>(Type.Array(Rule)),
    /** Dead letters carry kafka_dlt-* as well. */
    springHeaders: Type.Boolean(),
    /** The dead letters are watched: what was handled of them, and how long they stay. */
    watch: Type.Optional(Type.Object({ handled: Topic, retentionMs: WholeMs }, closed)),
    /** Sluice calls the application; absent: it reads the topics itself. */
    http: Type.Optional(Http),
  },
  closed,
)
export type PipelineConfig = Static<typeof PipelineConfig>

/** @throws Error naming the first field that is not as the schema has it; operator and worker are then of different versions. */
export function parseConfig(name: string, config: unknown): PipelineConfig {
  if (Value.Check(PipelineConfig, config)) return config
  const [first] = Value.Errors(PipelineConfig, config)
  throw new Error(
    `DeadLetterPipeline/${name}: the contract does not fit this worker: ${first ? `${first.instancePath || 'config'} ${first.message}` : 'unreadable'}; ` +
      'run operator and workers of the same version',
  )
}
