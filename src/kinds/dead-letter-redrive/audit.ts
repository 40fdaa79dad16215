import type { EpochMs } from '../../api/resource.ts'
import type { OutgoingRecord } from '../../worker/task.ts'
import type { RedriveConfig } from './config.ts'
import type { Progress } from './progress.ts'

/** What happened to one partition of a dead letter topic, for people who ask later. */
export function auditRecord(
  config: RedriveConfig,
  partition: number,
  event: 'Started' | 'Finished',
  progress: Progress,
  now: EpochMs,
): OutgoingRecord {
  const { run, by, action, topics, select, maxMessages, ratePerSecond, setHeaders, removeHeaders } = config
  const [from, to] = config.bounds[partition] ?? [0, 0]
  const { matched, sent, handled, parked, failed } = progress
  const told = {
    event: `${action}${event}`,
    at: new Date(now).toISOString(),
    by,
    run,
    pipeline: config.pipeline,
    topic: topics.deadLetter,
    partition,
    offsets: { from, to },
    select,
    ...(topics.target !== undefined && { target: topics.target }),
    ...(maxMessages !== undefined && { maxMessages }),
    ...(ratePerSecond !== undefined && { ratePerSecond }),
    ...(Object.keys(setHeaders).length > 0 && { setHeaders: Object.keys(setHeaders) }),
    ...(removeHeaders.length > 0 && { removeHeaders }),
    ...(event === 'Finished' && { matched, sent, handled, parked, failed }),
  }
  return { topic: topics.audit, partition, key: Buffer.from(run), value: Buffer.from(JSON.stringify(told)), headers: [] }
}
