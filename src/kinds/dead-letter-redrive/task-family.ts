import type { TaskFamily, WorkedKind } from '../../worker/task.ts'
import { parseConfig } from './config.ts'
import { metrics } from './metrics.ts'
import { Share } from './share.ts'
import { RedriveTask } from './task.ts'

export const worked: WorkedKind = {
  kind: 'DeadLetterRedrive',
  tasks(resource, namespace): TaskFamily {
    const config = parseConfig(resource.name, resource.config)
    const { deadLetter, handled } = config.topics
    const share = new Share(config.dryRun ? undefined : config.ratePerSecond, config.maxMessages, config.bounds.length)
    return {
      resource: { kind: 'DeadLetterRedrive', namespace, name: resource.name },
      input: deadLetter,
      sources: [deadLetter],
      states: [handled],
      create: partition => new RedriveTask(config, partition, share),
      metrics,
    }
  },
}
