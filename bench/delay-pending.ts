// Millions of messages that wait for hours: what the worker's memory is, and how soon it delivers again after SIGKILL. And a burst of many.
//   node bench/delay-pending.ts [PENDING [BURST]]      default: 500000 50000; the goals are stated for 10000000 500000 (about 5 minutes)
// JSON to stdout and bench/results/delay-pending.json. Status 1 when a message was lost, doubled, early or, in the burst, misordered.
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { startKafka, THROUGHPUT_JVM } from '../test/support/kafka.ts'
import { sluice } from './peer/contenders.ts'
import type { Contender } from './peer/contenders.ts'
import { burst, pending } from './peer/phases.ts'
import { brief, faultsOf, table } from './peer/report.ts'
import type { Result } from './peer/report.ts'

const VALUE_BYTES = 100
const HOURS = [1, 24] as const
const RESULTS = fileURLToPath(new URL('results/', import.meta.url))

const [count = 500_000, burstCount = 50_000] = process.argv.slice(2).map(Number)
const kafka = await startKafka({ jvm: THROUGHPUT_JVM })

async function run(phase: string, measure: (contender: Contender) => Promise<Result['figures']>): Promise<Result> {
  const contender = await sluice(kafka.bootstrap, phase)
  try {
    const result = { phase, contender: 'sluice', figures: await measure(contender) }
    console.error(brief(result))
    return result
  } finally {
    await contender.close()
  }
}

const results: Result[] = []
try {
  if (count > 0)
    results.push(await run('pending', contender => pending(kafka.bootstrap, contender, { count, valueBytes: VALUE_BYTES, hours: HOURS })))
  if (burstCount > 0) results.push(await run('burst', contender => burst(kafka.bootstrap, contender, burstCount)))
} finally {
  await kafka.stop()
}
const faults = faultsOf(results)
const report = JSON.stringify(
  { benchmark: 'delay-pending', at: new Date().toISOString(), node: process.version, cores: cpus().length, faults, results },
  undefined,
  2,
)
await mkdir(RESULTS, { recursive: true })
await writeFile(`${RESULTS}delay-pending.json`, `${report}\n`)
console.log(report)
console.error(table(results))
for (const fault of faults) console.error(`WRONG: ${fault}`)
if (faults.length > 0) process.exitCode = 1
