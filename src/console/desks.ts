import type { Clock } from '../api/clock.ts'
import { openDesk } from '../dead-letters/desk.ts'
import type { DeadLetterDesk } from '../dead-letters/desk.ts'
import type { KafkaAdminFactory } from '../kafka/admin.ts'
import type { KafkaLogFactory } from '../kafka/log.ts'
import type { DeadLetterPipeline } from '../kinds/dead-letter-pipeline/resource.ts'
import { deadLetterTopics, pipelineTopics } from '../kinds/dead-letter-pipeline/topics.ts'
import { resolveConnection } from '../operator/connection-settings.ts'
import type { SecretReader } from '../operator/ports.ts'
import { Refused } from './ports.ts'
import type { ResourceReader } from './ports.ts'

export interface DeskOptions {
  readonly resources: ResourceReader
  readonly secrets: SecretReader
  readonly adminFactory: KafkaAdminFactory
  /** Loaded when the first look needs it: the native client is large. */
  readonly logFactory: () => Promise<KafkaLogFactory>
  readonly clock: Clock
}

const CLIENT = { clientId: 'sluice-console' }

/** Opens a look at the dead letters of pipelines, over the KafkaConnection of each. */
export class Desks {
  readonly #options: DeskOptions

  constructor(options: DeskOptions) {
    this.#options = options
  }

  /** @param topic one of `deadLetterTopics`; undefined: the pipeline's own */
  async with<T>(
    pipeline: DeadLetterPipeline,
    topic: string | undefined,
    signal: AbortSignal,
    work: (desk: DeadLetterDesk) => Promise<T>,
  ): Promise<T> {
    const { adminFactory, logFactory, clock } = this.#options
    const topics = pipelineTopics(pipeline)
    if (topic !== undefined && !deadLetterTopics(topics).includes(topic))
      throw new Refused(404, `${topic.slice(0, 249)} is no dead letter topic of this pipeline`)
    const settings = await this.#settingsOf(pipeline)
    const admin = adminFactory(settings, CLIENT)
    try {
      const reader = await (await logFactory())(settings, CLIENT).reader()
      try {
        const { namespace, name } = pipeline.metadata
        const { handled, audit, redelivery } = topics
        const wanted = { deadLetter: topic ?? topics.deadLetter, handled, audit, redelivery }
        return await work(await openDesk({ namespace, name, topics: wanted, admin, reader, clock, signal }))
      } finally {
        await reader.close()
      }
    } finally {
      await admin.close()
    }
  }

  async #settingsOf({ metadata: { namespace }, spec }: DeadLetterPipeline) {
    const { resources, secrets } = this.#options
    const { name } = spec.connectionRef
    const connection = resources.get({ kind: 'KafkaConnection', namespace, name })
    if (connection === undefined) throw new Refused(503, `KafkaConnection ${name} does not exist in namespace ${namespace}`)
    const resolution = await resolveConnection(connection, secrets)
    if (!resolution.ok) throw new Refused(503, resolution.message)
    return resolution.connection.settings
  }
}
