// Workers on real brokers while everything happens to them, judged by Kafka's own consumer.
//   node test/torture/run.ts MINUTES [BROKERS] [SEED]      1 or 3 brokers; RATE=n messages/s (default 100)
import { join } from 'node:path'
import { chaos } from '../support/torture/chaos.ts'
import { Random } from '../support/delay-queue/random.ts'
import { tableOf } from '../support/torture/report.ts'
import { Torture } from '../support/torture/torture.ts'

const [minutes = '5', brokers = '1', seedGiven = ''] = process.argv.slice(2)
const seed = seedGiven === '' ? Math.floor(Math.random() * 2 ** 31) : Number(seedGiven)
const dir = join(import.meta.dirname, '../../build/torture', `${seed}-${brokers}`)
if (!(Number(minutes) > 0) || !['1', '3'].includes(brokers) || !Number.isInteger(seed)) {
  console.error('usage: make torture MINUTES=n [BROKERS=1|3] [SEED=n] [RATE=messages/s]')
  process.exit(2)
}

const farMs = Math.max(90_000, Math.min(600_000, Number(minutes) * 20_000))

console.error(
  `torture for ${minutes} min, ${brokers} broker(s); again with: make torture MINUTES=${minutes} BROKERS=${brokers} SEED=${seed}`,
)
const torture = await Torture.start({
  seed,
  brokers: brokers === '3' ? 3 : 1,
  rate: Number(process.env.RATE ?? 100),
  farMs,
  farForMs: Math.max(30_000, Number(minutes) * 60_000 - farMs),
  dir,
})
const telling = setInterval(() => {
  console.error(torture.progressText())
}, 60_000)
process.once('SIGINT', () => void torture.close().then(() => process.exit(130)))
try {
  const report = await torture.through(faults => chaos(faults, new Random(seed + 1), Date.now() + Number(minutes) * 60_000))
  console.log(tableOf(report))
  for (const { kind, what, history } of report.told) console.log(`\n${kind}: ${what}\n  ${history.join('\n  ')}`)
  console.log(`\n${join(dir, 'report.json')}${report.passed ? '' : ', with the logs of workers and brokers beside it'}`)
  process.exitCode = report.passed ? 0 : 1
} finally {
  clearInterval(telling)
  await torture.close()
}
