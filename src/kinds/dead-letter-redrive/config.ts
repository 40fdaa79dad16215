import { Type } from 'typebox'
import type { Static } from 'typebox'
import Value from 'typebox/value'
import type { Select } from './resource.ts'

const Topic = Type.String({ minLength: 1, maxLength: 249 })
const Offset = Type.Integer({ minimum: 0 })
const Text = Type.String()
const closed = { additionalProperties: false }

const Selection = Type.Object(
  {
    all: Type.Optional(Type.Boolean()),
    fingerprint: Type.Optional(Text),
    errorClass: Type.Optional(Text),
    key: Type.Optional(Text),
    from: Type.Optional(Text),
    to: Type.Optional(Text),
    partitions: Type.Optional(Type.Array(Type.Integer())),
    offsets: Type.Optional(Type.Array(Type.Object({ partition: Type.Integer(), from: Offset, to: Offset }, closed))),
    header: Type.Optional(Type.Object({ name: Text, value: Type.Optional(Text) }, closed)),
  },
  closed,
)

/** The kind's part of the worker contract, and what `sluice dlq` runs in its own process. */
export const RedriveConfig = Type.Object(
  {
    /** Tells this run from every other, also from one of an earlier resource of the same name; the value of `sluice-redrive-id`. */
    run: Type.String({ minLength: 1, maxLength: 300 }),
    /** Who asked for it, as far as is known. */
    by: Text,
    /** `<namespace>/<name>`. */
    pipeline: Text,
    /** Discard marks records as handled and writes them nowhere. */
    action: Type.Union([Type.Literal('Redrive'), Type.Literal('Discard')]),
    topics: Type.Object({ deadLetter: Topic, handled: Topic, audit: Topic, target: Type.Optional(Topic) }, closed),
    /** UUID of the dead letter topic: markers about an earlier topic of the same name say nothing of this one. */
    topicId: Text,
    /** First offset and end of each partition as they were when the run began. */
    bounds: Type.Array(Type.Tuple([Offset, Offset])),
    select: Type.Unsafe<Select>(Selection),
    ratePerSecond: Type.Optional(Type.Integer({ minimum: 1 })),
    maxMessages: Type.Optional(Type.Integer({ minimum: 1 })),
    dryRun: Type.Boolean(),
    maxRedrives: Type.Integer({ minimum: 1 }),
    setHeaders: Type.Record(Text, Text),
    removeHeaders: Type.Array(Text),
  },
  closed,
)
export type RedriveConfig = Static<typeof RedriveConfig>

/** @throws Error naming the first field that is not as the schema has it; operator and worker are then of different versions. */
export function parseConfig(name: string, config: unknown): RedriveConfig {
  if (Value.Check(RedriveConfig, config)) return config
  const [first] = Value.Errors(RedriveConfig, config)
  throw new Error(
    `DeadLetterRedrive/${name}: the contract does not fit this worker: ${first ? `${first.instancePath || 'config'} ${first.message}` : 'unreadable'}; ` +
      'run operator and workers of the same version',
  )
}
