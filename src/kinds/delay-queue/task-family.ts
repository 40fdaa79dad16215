import type { TaskFamily, WorkedKind } from '../../worker/task.ts'
import { parseConfig } from './config.ts'
import { metrics } from './metrics.ts'
import { queries } from './queries.ts'
import { QueueProtocol } from './queue-protocol.ts'
import { DelayTask } from './task.ts'

export const worked: WorkedKind = {
  kind: 'DelayQueue',
  tasks(resource, namespace): TaskFamily {
    const config = parseConfig(resource.name, resource.config)
    const { input, fixed, tiers, journal, ids } = config.topics
    return {
      resource: { kind: 'DelayQueue', namespace, name: resource.name },
      input,
      sources: [input, ...fixed.map(({ topic }) => topic), ...tiers.map(({ topic }) => topic)],
      fed: tiers.map(({ topic }) => topic),
      states: [journal, ids],
      create: partition => new DelayTask(config, new QueueProtocol(config, `${namespace}/${resource.name}`, partition), partition),
      metrics,
      queries,
    }
  },
}
