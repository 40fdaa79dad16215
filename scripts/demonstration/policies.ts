import type { Admin } from 'kafkajs'
import kafkajs from 'kafkajs'
import { formatDuration } from '../../src/api/duration.ts'
import { formatSize } from '../../src/api/size.ts'
import { renderTable } from '../../src/commands/output.ts'
import type { Story } from './story.ts'

/** A topic that was there before Sluice, with settings that somebody chose. */
export const LEGACY = { topic: 'orders.legacy', configs: { 'retention.ms': '3600000', 'compression.type': 'gzip' } } as const

const DAY = 86_400_000
const EVENTS = {
  'cleanup.policy': 'delete',
  'retention.ms': 7 * DAY,
  'retention.bytes': 2 ** 30,
  'segment.ms': DAY,
  'segment.bytes': 256 * 2 ** 20,
  'max.message.bytes': 2_097_152,
}
const STATE = {
  'cleanup.policy': 'compact',
  'segment.ms': 3_600_000,
  'min.cleanable.dirty.ratio': 0.1,
  'max.compaction.lag.ms': 3_600_000,
  'delete.retention.ms': DAY,
}

/** What the samples ask for, by topic. */
const WANTED: Readonly<Record<string, Readonly<Record<string, string | number>>>> = {
  'orders.created': EVENTS,
  'orders.timeouts': EVENTS,
  [LEGACY.topic]: EVENTS,
  'orders.reminders': EVENTS,
  'customers.profile': STATE,
}
const SHOWN = [
  'cleanup.policy',
  'retention.ms',
  'retention.bytes',
  'segment.ms',
  'segment.bytes',
  'max.message.bytes',
  'compression.type',
] as const

/** Reads the topics back from the broker and compares them with what the samples ask for. */
export async function showPolicies(story: Story, admin: Admin): Promise<void> {
  const topics = Object.keys(WANTED)
  const actual = await configsOf(admin, topics)
  const { topics: described } = await admin.fetchTopicMetadata({ topics })
  const partitions = new Map(described.map(topic => [topic.name, topic.partitions.length]))
  const rows = topics.map(topic => [topic, partitions.get(topic), ...SHOWN.map(key => shown(key, actual.get(topic)?.get(key)))])
  const columns = [{ heading: 'TOPIC' }, { heading: 'PARTITIONS', align: 'right' as const }, ...SHOWN.map(heading => ({ heading }))]
  story.say(renderTable({ columns, rows }))
  const wrong = topics.flatMap(topic =>
    Object.entries(WANTED[topic] ?? {}).flatMap(([key, want]) => {
      const is = actual.get(topic)?.get(key)
      return is === String(want) ? [] : [`${topic} ${key} is ${is ?? 'not told'}, wanted ${want}`]
    }),
  )
  story.check(
    `${topics.length} topics have the settings of the policies, ${Object.values(WANTED).flatMap(Object.keys).length} values compared`,
    wrong.length === 0,
    wrong.join('\n       '),
  )
  story.check(
    `${LEGACY.topic} was adopted: retention.ms ${LEGACY.configs['retention.ms']} -> ${7 * DAY}, and its compression.type gzip, which no policy names, is still there`,
    actual.get(LEGACY.topic)?.get('compression.type') === 'gzip',
  )
}

export async function configsOf(admin: Admin, topics: readonly string[]): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  const resources = topics.map(name => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name }))
  const answer = await admin.describeConfigs({ resources, includeSynonyms: false })
  return new Map(
    answer.resources.map(({ resourceName, configEntries }) => [
      resourceName,
      new Map(configEntries.map(entry => [entry.configName, entry.configValue])),
    ]),
  )
}

function shown(key: string, value: string | undefined): string | undefined {
  if (value === undefined || value === '-1') return value === undefined ? undefined : 'unlimited'
  if (key.endsWith('.ms')) return formatDuration(Number(value))
  return key.endsWith('.bytes') ? formatSize(Number(value)) : value
}
