import { decodeJournal } from '../../src/kinds/delay-queue/journal.ts'
import type { LogRecord } from '../../src/kafka/log.ts'
import { textHeader } from '../support/delay-queue/world.ts'
import type { Cluster } from '../support/model/cluster.ts'
import type { About } from './broken.ts'

interface Happened {
  readonly atMs: number
  readonly where: string
  readonly what: string
}

/** What stands in the logs about a message, or all of it: every copy, committed or not. */
export function historyOf(cluster: Cluster, about: About | undefined): readonly Happened[] {
  return cluster.logs.flatMap(log =>
    log.entries().flatMap(({ record, state }): Happened[] => {
      if (record === undefined) return []
      if (record.topic.endsWith('.journal') && record.partition === about?.partition)
        return [{ atMs: record.timestampMs, where: `${log.topic}/${log.partition}`, what: `@${record.offset} ${state} ${told(record)}` }]
      if (!concerns(record, about)) return []
      const headers = record.headers.map(([name, value]) => `${name}=${value?.toString() ?? ''}`).join(' ')
      return [{ atMs: record.timestampMs, where: `${log.topic}/${log.partition}`, what: `@${record.offset} ${state} ${headers}` }]
    }),
  )
}

const told = (record: LogRecord): string =>
  decodeJournal(record)
    .map(({ role, watermark, done }) => `${role} to ${watermark}, done ${done.join(' ')}`)
    .join('; ')

function concerns(record: LogRecord, about: About | undefined): boolean {
  if (about === undefined) return false
  if (textHeader(record, 'name') === about.name) return true
  if (about.id === undefined) return false
  return textHeader(record, 'sluice-id') === about.id || record.key?.toString() === about.id
}
