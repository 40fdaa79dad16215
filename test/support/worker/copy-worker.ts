import { confluentLog } from '../../../src/kafka/confluent-log.ts'
import { createLogger } from '../../../src/observability/logger.ts'
import { createMetrics } from '../../../src/observability/metrics.ts'
import { systemClock } from '../../../src/observability/system-clock.ts'
import { startWorker } from '../../../src/worker/worker.ts'
import { copyKind } from './copy-kind.ts'

/** A worker in a process of its own, to be killed and stopped: `node copy-worker.ts BOOTSTRAP GROUP PREFIX INSTANCE`. Prints `ready` and `ended`. */
const [bootstrap = '', group = '', prefix = '', instanceId = ''] = process.argv.slice(2)
const worker = await startWorker({
  contract: {
    version: 1,
    generation: 1,
    namespace: 'test',
    group,
    connection: { bootstrapServers: [bootstrap] },
    resources: [{ kind: 'Copy', name: 'copy', config: { prefix } }],
    memoryBudgetBytes: 64 * 1024 * 1024,
  },
  kinds: [copyKind],
  log: confluentLog({ bootstrapServers: [bootstrap] }, { clientId: instanceId }),
  clock: systemClock,
  logger: createLogger({ level: 'info', fields: { instanceId } }),
  metrics: createMetrics(),
  instanceId,
})
process.on('SIGTERM', () => {
  void worker.stop()
})
const watch = setInterval(() => {
  if (worker.ready().ready && worker.tasks().length > 0)
    console.log(
      'ready',
      worker
        .tasks()
        .map(({ partition }) => partition)
        .join(),
    )
}, 100)
const error = await worker.ended
clearInterval(watch)
console.log('ended', error?.message ?? 'well')
process.exit(error === undefined ? 0 : 1)
