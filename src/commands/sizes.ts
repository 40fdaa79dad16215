import { Command } from 'commander'
import { anyGlob } from '../api/glob.ts'
import { formatSize } from '../api/size.ts'
import type { KafkaAdmin } from '../kafka/admin.ts'
import type { ClusterOptions } from './cluster-options.ts'
import { withAdmin, withClusterOptions } from './cluster-options.ts'
import type { Answer, Format, Table } from './output.ts'
import { outputOption, print } from './output.ts'

interface Options extends ClusterOptions {
  readonly topic?: readonly string[]
  readonly partitions?: boolean
  readonly internal?: boolean
  readonly top?: number
  readonly output: Format
}

/** `sluice sizes [--topic GLOB] [--partitions]` */
export const sizesCommand = (): Command =>
  withClusterOptions(new Command('sizes'))
    .description('Bytes on disk per topic, largest first, from the log dirs of the brokers: one replica of each partition, the largest.')
    .option('-t, --topic <glob>', 'only topics of this name, with * and ?; may be repeated', collect)
    .option('-p, --partitions', 'one line per partition')
    .option('--internal', 'internal topics as well')
    .option('--top <count>', 'only the largest', parseCount)
    .addOption(outputOption())
    .action(async (options: Options) => {
      print(await withAdmin(options, admin => sizes(admin, options)), options.output)
    })

const collect = (glob: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), glob]

function parseCount(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new Error(`--top: "${text.slice(0, 40)}" is not a number of lines`)
  return Number(text)
}

interface TopicSize {
  readonly topic: string
  readonly bytes: number
  readonly partitions: readonly { readonly partition: number; readonly bytes: number }[]
}

async function sizes(admin: KafkaAdmin, { topic: globs, partitions, internal, top }: Options): Promise<Answer> {
  const matches = globs === undefined ? () => true : anyGlob(globs)
  const names = (await admin.listTopics({ includeInternal: internal === true })).filter(matches)
  const described = await admin.describeTopics(names)
  const asked = [...described.values()].map(({ name, partitions: count }) => ({
    topic: name,
    partitions: Array.from({ length: count }, (_, i) => i),
  }))
  const bytes = asked.length === 0 ? new Map<string, ReadonlyMap<number, number>>() : await admin.logDirSizes(asked)
  const all = asked.map(({ topic, partitions: numbers }): TopicSize => {
    const each = numbers.map(partition => ({ partition, bytes: bytes.get(topic)?.get(partition) ?? 0 }))
    return { topic, bytes: each.reduce((sum, entry) => sum + entry.bytes, 0), partitions: each }
  })
  const topics = all.sort((a, b) => b.bytes - a.bytes || (a.topic < b.topic ? -1 : 1)).slice(0, partitions === true ? undefined : top)
  const totalBytes = all.reduce((sum, topic) => sum + topic.bytes, 0)
  const remark = `${all.length} topics, ${totalBytes} bytes (${formatSize(totalBytes)})`
  return { data: { totalBytes, topics }, text: [partitions === true ? partitionTable(topics, top) : topicTable(topics), remark] }
}

const topicTable = (topics: readonly TopicSize[]): Table => ({
  columns: [
    { heading: 'TOPIC' },
    { heading: 'PARTITIONS', align: 'right' },
    { heading: 'BYTES', align: 'right' },
    { heading: 'SIZE', align: 'right' },
    { heading: 'LARGEST PARTITION', align: 'right' },
  ],
  rows: topics.map(({ topic, bytes, partitions }) => [
    topic,
    partitions.length,
    bytes,
    formatSize(bytes),
    formatSize(Math.max(0, ...partitions.map(partition => partition.bytes))),
  ]),
})

function partitionTable(topics: readonly TopicSize[], top: number | undefined): Table {
  const lines = topics.flatMap(({ topic, partitions }) => partitions.map(partition => ({ topic, ...partition })))
  return {
    columns: [
      { heading: 'TOPIC' },
      { heading: 'PARTITION', align: 'right' },
      { heading: 'BYTES', align: 'right' },
      { heading: 'SIZE', align: 'right' },
    ],
    rows: lines
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, top)
      .map(({ topic, partition, bytes }) => [topic, partition, bytes, formatSize(bytes)]),
  }
}
