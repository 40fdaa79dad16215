import type { Burst, Kill, Pending, Steady } from './phases.ts'

export interface Result {
  readonly phase: string
  readonly contender: string
  readonly figures: Steady | Burst | Pending | Kill
}

/** What neither may do: lose, double or be early; and in a burst, where all is due at one instant, leave the order of arrival. */
export const faultsOf = (results: readonly Result[]): readonly string[] =>
  results.flatMap(({ phase, contender, figures }) =>
    figures.audits.flatMap(({ expected, delivered, doubled, early, misordered }) => {
      const wrong = { lost: expected - delivered, doubled, early, ...('outMs' in figures && { misordered }) }
      const said = Object.entries(wrong).filter(([, count]) => count > 0)
      return said.length === 0 ? [] : [`${phase}, ${contender}: ${said.map(([what, count]) => `${count} ${what}`).join(', ')}`]
    }),
  )

interface Row {
  readonly what: string
  readonly unit: 'ms' | 'MiB' | '% of a core'
  readonly value: number
}

const MIB = 2 ** 20

/** One line for who watches, and for what is left of a run that was cut short. */
export const brief = (result: Result): string =>
  `${result.phase}, ${result.contender}: ${rowsOf(result)
    .map(({ what, unit, value }) => `${what.slice(what.indexOf(': ') + 2)} ${Math.round(value)} ${unit}`)
    .join(', ')}`

/** A table in Markdown: a row per figure, a column per contender, and the first's share of the second's. */
export function table(results: readonly Result[]): string {
  const contenders = [...new Set(results.map(({ contender }) => contender))].toSorted((a, b) => RANK.indexOf(a) - RANK.indexOf(b))
  const phases = [...new Set(results.map(({ phase }) => phase))]
  const lines = [
    `| | ${contenders.join(' | ')} | ratio |`,
    `| --- |${' ---: |'.repeat(contenders.length + 1)}`,
    ...phases.flatMap(phase =>
      linesOf(
        results.filter(result => result.phase === phase),
        contenders,
      ),
    ),
  ]
  return lines.join('\n')
}

const RANK = ['sluice', 'kafka-streams', 'kafka-streams, dynamic member']

function linesOf(results: readonly Result[], contenders: readonly string[]): readonly string[] {
  const rows = contenders
    .map(contender => results.find(result => result.contender === contender))
    .map(result => (result ? rowsOf(result) : []))
  const [ours = [], peers = []] = rows
  return ours.map(({ what, unit, value }, i) => {
    const cells = rows.map(column => (column[i] === undefined ? '' : `${Math.round(column[i].value)} ${unit}`))
    return `| ${what} | ${cells.join(' | ')} | ${(value / (peers[i]?.value ?? NaN)).toFixed(2)} |`
  })
}

function rowsOf({ phase, figures }: Result): readonly Row[] {
  if ('lateness' in figures) {
    const { lateness, latenessFromStart, cpuShare, rssBytes } = figures
    const load = `${phase} messages/s`
    return [
      ms(`${load}: lateness p50`, lateness.p50Ms),
      ms(`${load}: lateness p99`, lateness.p99Ms),
      ms(`${load}: lateness max`, lateness.maxMs),
      ms(`${load}: p99 from a cold start`, latenessFromStart.p99Ms),
      share(`${load}: CPU`, cpuShare),
      mib(`${load}: RSS`, rssBytes),
    ]
  }
  if ('outMs' in figures) {
    const load = `${figures.count} due at one instant`
    const [cold = NaN, warm = NaN] = figures.outMs
    return [
      ms(`${load}: last one out, cold`, cold),
      ms(`${load}: last one out, again`, warm),
      mib(`${load}: most RSS`, figures.peakRssBytes),
    ]
  }
  if ('intakeMs' in figures) {
    const { count, valueBytes, intakeMs, rssBytes, peakRssBytes, cpuShareAtRest, recovery } = figures
    const load = `${count} of ${valueBytes} B pending`
    return [
      ms(`${load}: intake`, intakeMs),
      mib(`${load}: RSS at rest`, rssBytes),
      mib(`${load}: most RSS`, peakRssBytes),
      share(`${load}: CPU at rest`, cpuShareAtRest),
      ms(`${load}: kill to first delivery`, recovery.firstMs),
      ms(`${load}: kill to delivery on every partition`, recovery.everyPartitionMs),
    ]
  }
  const load = `SIGKILL at ${figures.perSecond} messages/s`
  return [
    ms(`${load}: to first delivery`, figures.recovery.firstMs),
    ms(`${load}: to delivery on every partition`, figures.recovery.everyPartitionMs),
  ]
}

const ms = (what: string, value: number): Row => ({ what, unit: 'ms', value })
const mib = (what: string, bytes: number): Row => ({ what, unit: 'MiB', value: bytes / MIB })
const share = (what: string, value: number): Row => ({ what, unit: '% of a core', value: value * 100 })
