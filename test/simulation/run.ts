import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { simulate } from './simulate.ts'
import type { Outcome } from './simulate.ts'

/** `node test/simulation/run.ts SEEDS [SEED]`: many seeds on all cores, or one with its trace. */
const [seeds = '300', one = '', part = ''] = process.argv.slice(2)
const PROCESSES = 2
const FIRST = 1

function report({ seed, failure }: Outcome): void {
  if (failure === undefined) return
  console.log(`seed ${seed}: ${failure.message}\n  make simulate SEED=${seed}`)
}

async function single(seed: number): Promise<void> {
  const outcome = await simulate(seed)
  if (outcome.failure !== undefined) console.log(outcome.failure.trace)
  report(outcome)
  const { events, virtualMs, messages, starts } = outcome
  console.log(
    `seed ${seed}: ${messages} messages, ${starts} workers started, ${Math.round(virtualMs / 1000)} s of virtual time, ${events} events`,
  )
  if (outcome.failure !== undefined) process.exitCode = 1
}

/** Every PROCESSES-th seed, told to the parent. */
async function share(): Promise<void> {
  for (let seed = FIRST + Number(part); seed < FIRST + Number(seeds); seed += PROCESSES) process.send?.(await simulate(seed))
  process.disconnect()
}

async function many(): Promise<void> {
  const beganMs = performance.now()
  const outcomes: Outcome[] = []
  const children = Array.from({ length: PROCESSES }, (_, i) => {
    const child = fork(fileURLToPath(import.meta.url), [seeds, '', String(i)])
    child.on('message', (outcome: Outcome) => {
      outcomes.push(outcome)
      report(outcome)
    })
    return new Promise<number>(resolve => {
      child.once('close', code => {
        resolve(code ?? 1)
      })
    })
  })
  const codes = await Promise.all(children)
  const failed = outcomes.filter(({ failure }) => failure !== undefined)
  const sum = (of: (outcome: Outcome) => number): number => outcomes.reduce((total, outcome) => total + of(outcome), 0)
  console.log(
    `${outcomes.length} seeds, ${failed.length} failed: ${sum(({ messages }) => messages)} messages, ${sum(({ starts }) => starts)} workers started, ` +
      `${Math.round(sum(({ virtualMs }) => virtualMs) / 3_600_000)} h of virtual time, ${sum(({ events }) => events)} events in ${Math.round((performance.now() - beganMs) / 1000)} s`,
  )
  if (failed.length > 0 || codes.some(code => code !== 0) || outcomes.length !== Number(seeds)) process.exitCode = 1
}

if (one !== '') await single(Number(one))
else if (part !== '') await share()
else await many()
