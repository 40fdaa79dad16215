import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { simulate } from './simulate.ts'
import type { Outcome } from './simulate.ts'
import { KINDS } from './subject.ts'

/**
 * `run.ts --seeds 10000` runs many seeds in two processes and prints a line for each that fails; `--first` stops at the first of them;
 * `--seed 7` runs one and prints its trace when it fails. `--kind DeadLetterPipeline` makes every world one of that kind.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '300' },
    seed: { type: 'string' },
    kind: { type: 'string' },
    first: { type: 'boolean', default: false },
    /** For the processes that this one starts. */
    part: { type: 'string' },
  },
})
const seeds = Number(values.seeds)
const kind = KINDS.find(name => name === values.kind)
if (kind === undefined && values.kind !== undefined) throw new Error(`no worlds are about ${values.kind}; there are: ${KINDS.join(', ')}`)
const PROCESSES = 2

function report({ seed, kind: about, failure }: Outcome): void {
  if (failure !== undefined) console.log(`seed ${seed}: ${failure.message}\n  make simulate KIND=${about} SEED=${seed}`)
}

async function one(seed: number): Promise<void> {
  const outcome = await simulate(seed, kind)
  const { kind: about, events, virtualMs, messages, starts, failure } = outcome
  if (failure !== undefined) {
    console.log(failure.trace)
    process.exitCode = 1
  }
  report(outcome)
  const virtual = `${Math.round(virtualMs / 1000)} s of virtual time`
  console.log(
    `seed ${seed} (${about}) ${failure === undefined ? 'passed' : 'failed'}: ${messages} messages, ${starts} workers started, ${virtual}, ${events} events`,
  )
}

/** Every so many-th seed from `first` on, told to the parent. */
async function share(first: number): Promise<void> {
  for (let seed = first; seed <= seeds && process.connected; seed += PROCESSES) process.send?.(await simulate(seed, kind))
  if (process.connected) process.disconnect()
}

async function many(): Promise<void> {
  const beganMs = performance.now()
  const outcomes: Outcome[] = []
  const children = Array.from({ length: PROCESSES }, (_, i) =>
    fork(fileURLToPath(import.meta.url), [
      '--seeds',
      String(seeds),
      '--part',
      String(i + 1),
      ...(kind === undefined ? [] : ['--kind', kind]),
    ]),
  )
  for (const child of children) {
    child.on('message', (outcome: Outcome) => {
      outcomes.push(outcome)
      report(outcome)
      if (values.first && outcome.failure !== undefined) for (const each of children) each.kill()
    })
  }
  await Promise.all(
    children.map(
      child =>
        new Promise(resolve => {
          child.once('close', resolve)
        }),
    ),
  )
  const failed = outcomes.filter(({ failure }) => failure !== undefined).length
  console.log(summary(outcomes, failed, Math.round((performance.now() - beganMs) / 1000)))
  // A process that died is a failure of the simulator.
  if (failed > 0 || outcomes.length !== seeds) process.exitCode = 1
}

function summary(outcomes: readonly Outcome[], failed: number, seconds: number): string {
  const sum = (of: (outcome: Outcome) => number): number => outcomes.reduce((total, outcome) => total + of(outcome), 0)
  return [
    `${outcomes.length} seeds in ${seconds} s, ${failed} failed: ${sum(({ messages }) => messages)} messages`,
    `${sum(({ starts }) => starts)} workers started`,
    `${Math.round(sum(({ virtualMs }) => virtualMs) / 3_600_000)} h of virtual time`,
    `${sum(({ events }) => events)} events`,
  ].join(', ')
}

if (values.seed !== undefined) await one(Number(values.seed))
else if (values.part !== undefined) await share(Number(values.part))
else await many()
