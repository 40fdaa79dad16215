import type { TaskFamily, WorkedKind } from '../../worker/task.ts'
import type { EngineConfig } from '../delay-queue/protocol.ts'
import { DelayTask } from '../delay-queue/task.ts'
import { parseConfig } from './config.ts'
import { metrics } from './metrics.ts'
import { RetryProtocol } from './retry-protocol.ts'

export const worked: WorkedKind = {
  kind: 'DeadLetterPipeline',
  tasks(resource, namespace): TaskFamily {
    const config = parseConfig(resource.name, resource.config)
    const { partitions, maxDelayMs } = config
    const { retry, tiers, journal } = config.topics
    const engine: EngineConfig = { partitions, maxDelayMs, topics: { input: retry, fixed: [], tiers, journal } }
    const name = `${namespace}/${resource.name}`
    return {
      resource: { kind: 'DeadLetterPipeline', namespace, name: resource.name },
      input: retry,
      sources: [retry, ...tiers.map(({ topic }) => topic)],
      states: [journal],
      create: partition => new DelayTask(engine, new RetryProtocol(config, name, partition), partition),
      metrics,
    }
  },
}
