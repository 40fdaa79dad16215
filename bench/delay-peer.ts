// One DelayQueue worker beside the scheduler that a team would write itself with Kafka Streams: same broker, same load, same reader, in turn.
//   node bench/delay-peer.ts [PHASE...]      1000 10000 (messages/s), burst, pending, kill; default: all of them, about 10 minutes
// Whoever tunes the peer better: BENCH_PEER_SETTINGS='poll.ms=1 num.stream.threads=2' BENCH_PEER_JVM='-Xmx1g -Dscheduler.tick.ms=5'.
// A table to stderr, JSON to stdout and bench/results/delay-peer.json. Status 1 when a message was lost, doubled, early or, in a burst, misordered.
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { startKafka, THROUGHPUT_JVM } from '../test/support/kafka.ts'
import { kafkaStreams, sluice } from './peer/contenders.ts'
import type { Contender } from './peer/contenders.ts'
import { burst, kill, pending, steady } from './peer/phases.ts'
import { brief, faultsOf, table } from './peer/report.ts'
import type { Result } from './peer/report.ts'

/** Measured, after the warm-up. */
const SECONDS = Number(process.env.BENCH_SECONDS ?? 30)
const WARM_UP_SECONDS = 10
const BURST = Number(process.env.BENCH_BURST ?? 100_000)
const PENDING = Number(process.env.BENCH_PENDING ?? 1_000_000)
const PENDING_BYTES = Number(process.env.BENCH_PENDING_BYTES ?? 100)
const KILL_RATE = 1_000
const RESULTS = fileURLToPath(new URL('results/', import.meta.url))
const PHASES = ['1000', '10000', 'burst', 'pending', 'kill'] as const

const OURS = { name: 'sluice', make: sluice }
const PEER = { name: 'kafka-streams', make: kafkaStreams('static') }
const PEER_DYNAMIC = { name: 'kafka-streams, dynamic member', make: kafkaStreams('dynamic') }

type Measure = (contender: Contender) => Promise<Result['figures']>

/** The broker gets warm before the first figure: a short load through both, not reported. */
const WARM_UP: Measure = contender => steady(kafka.bootstrap, contender, 2_000, { seconds: 1, warmUpSeconds: 4 })

function measureOf(phase: string): Measure {
  const { bootstrap } = kafka
  switch (phase) {
    case 'burst':
      return contender => burst(bootstrap, contender, BURST)
    case 'pending':
      return contender => pending(bootstrap, contender, { count: PENDING, valueBytes: PENDING_BYTES, hours: [2, 4] })
    case 'kill':
      return contender => kill(bootstrap, contender, KILL_RATE)
    default:
      return contender => steady(bootstrap, contender, Number(phase), { seconds: SECONDS, warmUpSeconds: WARM_UP_SECONDS })
  }
}

async function run(phase: string, measure: Measure, { name, make }: typeof OURS): Promise<Result> {
  const contender = await make(kafka.bootstrap, `bench-${phase}`)
  try {
    const result = { phase, contender: name, figures: await measure(contender) }
    console.error(brief(result))
    return result
  } finally {
    await contender.close()
  }
}

const asked = process.argv.slice(2)
const unknown = asked.filter(phase => !(PHASES as readonly string[]).includes(phase))
if (unknown.length > 0) throw new Error(`no phase ${unknown.join(', ')}; there are: ${PHASES.join(' ')}`)

const kafka = await startKafka({ jvm: THROUGHPUT_JVM })
const results: Result[] = []
try {
  for (const contender of [OURS, PEER]) await run('warm-up', WARM_UP, contender)
  let order = [OURS, PEER]
  for (const phase of asked.length > 0 ? asked : PHASES) {
    const contenders = phase === 'kill' ? [...order, PEER_DYNAMIC] : order
    for (const contender of contenders) results.push(await run(phase, measureOf(phase), contender))
    // Neither always has the fresher broker.
    order = order.toReversed()
  }
} finally {
  await kafka.stop()
}
const faults = faultsOf(results)
const report = JSON.stringify(
  {
    benchmark: 'delay-peer',
    at: new Date().toISOString(),
    node: process.version,
    cores: cpus().length,
    seconds: SECONDS,
    warmUpSeconds: WARM_UP_SECONDS,
    faults,
    results,
  },
  undefined,
  2,
)
await mkdir(RESULTS, { recursive: true })
await writeFile(`${RESULTS}delay-peer.json`, `${report}\n`)
console.log(report)
console.error(table(results))
for (const fault of faults) console.error(`WRONG: ${fault}`)
if (faults.length > 0) process.exitCode = 1
