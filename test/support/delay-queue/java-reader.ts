import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const TOOL = fileURLToPath(new URL('../../../scripts/tool', import.meta.url))
const QUIET_MS = 3_000
/** Between headers. Names of headers, keys and values must be free of it, of tabs and of line ends, and header names of colons. */
const SEPARATOR = '\u0001'

export interface Committed {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** The record's timestamp. */
  readonly appendedMs: number
  readonly headers: ReadonlyMap<string, string>
  readonly key: string
  readonly value: string
}

/**
 * All committed records of a topic, as Kafka's own console consumer reads them: the judge of what is once and what is twice. kafkajs 2.2.4 cannot be: it expects the
 * aborted transactions of a fetch in order of their first offset, brokers list them as they ended, so where transactions of two producers
 * overlap in a partition it shows aborted records. librdkafka is what the workers run on.
 *
 * @param quietMs it ends when nothing came for so long.
 */
export async function readCommitted(bootstrap: string, topic: string, quietMs = QUIET_MS): Promise<readonly Committed[]> {
  const home = process.env.KAFKA_HOME ?? (await run(TOOL, ['kafka'])).stdout.trim()
  const properties = ['print.timestamp=true', 'print.partition=true', 'print.offset=true', 'print.headers=true', 'print.key=true']
    .concat([`headers.separator=${SEPARATOR}`, 'headers.deserializer=org.apache.kafka.common.serialization.BytesDeserializer'])
    .flatMap(property => ['--property', property])
  const child = spawn(
    'java',
    ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', `${home}/libs/*`, 'org.apache.kafka.tools.consumer.ConsoleConsumer']
      .concat(['--bootstrap-server', bootstrap, '--topic', topic, '--from-beginning', '--isolation-level', 'read_committed'])
      .concat(['--timeout-ms', String(quietMs), ...properties]),
    { stdio: ['ignore', 'pipe', 'ignore'] },
  )
  const gone = once(child, 'exit')
  const records: Committed[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    const record = committedOf(topic, line)
    if (record !== undefined) records.push(record)
  }
  await gone
  return records
}

function committedOf(topic: string, line: string): Committed | undefined {
  const [timestamp = '', partition = '', offset = '', headers = '', key = '', value = ''] = line.split('\t')
  const [, appended] = /^(?:CreateTime|LogAppendTime):(\d+)$/.exec(timestamp) ?? []
  if (appended === undefined) return undefined
  const pairs = headers.split(SEPARATOR).map(pair => [pair.slice(0, pair.indexOf(':')), plain(pair.slice(pair.indexOf(':') + 1))] as const)
  return {
    topic,
    partition: Number(partition.slice('Partition:'.length)),
    offset: Number(offset.slice('Offset:'.length)),
    appendedMs: Number(appended),
    headers: new Map(pairs),
    key,
    value,
  }
}

/** Bytes other than printable ASCII come as `\xHH`: a stack has line ends. */
const plain = (printed: string): string =>
  Buffer.from(
    printed.replace(/\\x([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  ).toString()
