import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const TOOL = fileURLToPath(new URL('../../../scripts/tool', import.meta.url))
const QUIET_MS = 3_000

export interface Committed {
  readonly partition: number
  readonly offset: number
  readonly headers: ReadonlyMap<string, string>
}

/**
 * All committed records of a topic, as Kafka's own console consumer reads them: the judge of what is once and what is twice. kafkajs 2.2.4 cannot be: it expects the
 * aborted transactions of a fetch in order of their first offset, brokers list them as they ended, so where transactions of two producers
 * overlap in a partition it shows aborted records. Header values must be free of commas and colons.
 */
export async function readCommitted(bootstrap: string, topic: string): Promise<readonly Committed[]> {
  const home = process.env.KAFKA_HOME ?? (await run(TOOL, ['kafka'])).stdout.trim()
  const printed = ['print.partition', 'print.offset', 'print.headers'].flatMap(property => ['--property', `${property}=true`])
  const { stdout } = await run(
    'java',
    ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', `${home}/libs/*`, 'org.apache.kafka.tools.consumer.ConsoleConsumer']
      .concat(['--bootstrap-server', bootstrap, '--topic', topic, '--from-beginning', '--isolation-level', 'read_committed'])
      .concat(['--timeout-ms', String(QUIET_MS), '--property', 'print.value=false', ...printed]),
    { maxBuffer: 2 ** 28 },
  )
  return stdout.split('\n').flatMap(line => {
    const [, partition, offset, headers = ''] = /^Partition:(\d+)\tOffset:(\d+)\t(.*)$/.exec(line) ?? []
    if (partition === undefined) return []
    const pairs = headers.split(',').map(pair => [pair.slice(0, pair.indexOf(':')), pair.slice(pair.indexOf(':') + 1)] as const)
    return [{ partition: Number(partition), offset: Number(offset), headers: new Map(pairs) }]
  })
}
