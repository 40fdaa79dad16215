import type { TaskFamily, WorkedKind } from '../../worker/task.ts'
import { parseConfig } from './config.ts'
import { metrics } from './metrics.ts'
import { Share } from './share.ts'
import { RedriveTask } from './task.ts'

/** Nobody waits for the first of them: 25,400 records/s instead of 20,000 with 1,000. */
const MOST_OUTPUTS = 4_000

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
      mostOutputs: MOST_OUTPUTS,
      create: partition => new RedriveTask(config, partition, share),
      metrics,
    }
  },
}
