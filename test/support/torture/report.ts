import { percentile } from '../delay-queue/reader.ts'
import { FAULTS } from './faults.ts'
import type { Event, Fault, Faults, MeasuredKill } from './faults.ts'
import type { Fleet } from './fleet.ts'
import { historyOf } from './histories.ts'
import { KINDS, judge } from './judge.ts'
import type { Violation, ViolationKind } from './judge.ts'
import type { Load } from './load.ts'
import { placeOf } from './log-entry.ts'
import type { LogEntry } from './log-entry.ts'
import { originOf } from './promises.ts'
import type { QueueFacts } from './promises.ts'
import type { TortureOptions } from './torture.ts'
import type { Witness } from './witness.ts'

/** How long a take-over may take: the bound for the 95th percentile. */
export const RECOVERY_P95_MS = 15_000
/** What was due so long after a kill was due meanwhile. */
const MEANWHILE_MS = 10_000
const MOST_TOLD = 30

export interface Recovery {
  readonly at: string
  readonly worker: string
  readonly partitions: readonly number[]
  /** Due on its partitions in the 10 s after the kill. */
  readonly messages: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly maxMs: number
}

/** Of the messages of all such kills together. */
export interface Recoveries extends Omit<Recovery, 'at' | 'worker' | 'partitions'> {
  readonly kills: readonly Recovery[]
}

export interface Report {
  readonly passed: boolean
  readonly seed: number
  readonly brokers: number
  readonly seconds: number
  readonly failure: string | undefined
  readonly written: {
    readonly acknowledged: number
    readonly unknown: number
    readonly unknownInLog: number
    readonly abortedOnPurpose: number
  }
  readonly messages: {
    readonly inLog: number
    readonly delivered: number
    readonly deadLettered: number
    readonly cancelledOrReplaced: number
  }
  readonly violations: Readonly<Record<ViolationKind, number>>
  /** Kafka said yes and has not got it: no fault of Sluice's, but one of the experiment. */
  readonly acknowledgedButAbsent: readonly string[]
  /** Records that one of the two readers saw and the other did not. */
  readonly readersDisagree: readonly string[]
  readonly faults: Readonly<Record<Fault, number>>
  readonly recovery: Recoveries
  readonly latenessMs: { readonly p50: number; readonly p99: number; readonly max: number }
  /** Workers that exited though nobody asked, and stops that did not end well. */
  readonly crashes: readonly string[]
  readonly badStops: readonly string[]
  readonly told: readonly { readonly kind: ViolationKind; readonly what: string; readonly history: readonly string[] }[]
  readonly events: readonly string[]
}

export interface Material {
  readonly options: TortureOptions
  readonly seconds: number
  readonly facts: QueueFacts
  readonly inputs: readonly LogEntry[]
  readonly outcomes: readonly LogEntry[]
  readonly load: Load
  readonly witness: Witness
  readonly faults: Faults
  readonly fleet: Fleet
  readonly failure: string | undefined
}

export function reportOf(material: Material): Report {
  const { options, facts, inputs, outcomes, load, faults, fleet, failure } = material
  const judgement = judge(facts, inputs, outcomes)
  const names = new Set(inputs.map(nameOf))
  const absent = [...load.names('acknowledged')].filter(name => !names.has(name))
  const disagreements = disagree(material)
  const recoveries = faults.measured.map(kill => latenessesAfter(kill, material))
  const latenesses = outcomes.flatMap(outcome => latenessOf(outcome, material) ?? [])
  const violations = Object.fromEntries(
    KINDS.map(kind => [kind, judgement.violations.filter(violation => violation.kind === kind).length]),
  ) as Record<ViolationKind, number>
  const bad = judgement.violations.length + absent.length + disagreements.length + fleet.badStops.length
  return {
    passed: bad === 0 && failure === undefined,
    seed: options.seed,
    brokers: options.brokers,
    seconds: Math.round(material.seconds),
    failure,
    written: {
      acknowledged: load.names('acknowledged').size,
      unknown: load.names('unknown').size,
      unknownInLog: [...load.names('unknown')].filter(name => names.has(name)).length,
      abortedOnPurpose: load.names('aborted').size,
    },
    messages: {
      inLog: judgement.messages,
      delivered: judgement.delivered,
      deadLettered: judgement.deadLettered,
      cancelledOrReplaced: judgement.ended,
    },
    violations,
    acknowledgedButAbsent: absent.slice(0, MOST_TOLD),
    readersDisagree: disagreements.slice(0, MOST_TOLD),
    faults: Object.fromEntries(FAULTS.map(fault => [fault, faults.events.filter(event => event.fault === fault).length])) as Record<
      Fault,
      number
    >,
    recovery: { ...spread(recoveries.flat()), kills: faults.measured.map((kill, i) => recoveryOf(kill, recoveries[i] ?? [])) },
    latenessMs: { p50: percentile(latenesses, 0.5), p99: percentile(latenesses, 0.99), max: percentile(latenesses, 1) },
    crashes: fleet.crashes,
    badStops: fleet.badStops,
    told: judgement.violations.slice(0, MOST_TOLD).map(violation => tell(violation, inputs, outcomes)),
    events: faults.events.map(eventLine),
  }
}

const nameOf = ({ value }: LogEntry): string => value.split(' ', 1)[0] ?? ''

const eventLine = ({ atMs, what }: Event): string => `${new Date(atMs).toISOString().slice(11, 23)} ${what}`

const tell = ({ kind, what, about }: Violation, inputs: readonly LogEntry[], outcomes: readonly LogEntry[]): Report['told'][number] => ({
  kind,
  what,
  history: historyOf(about, inputs, outcomes),
})

/** Kafka's consumer and librdkafka, over the whole run, must have seen the same. */
function disagree({ inputs, outcomes, witness }: Material): readonly string[] {
  const read = [...inputs, ...outcomes]
  const places = new Set(read.map(placeOf))
  const topics = new Set(read.map(({ topic }) => topic))
  const unseen = [...places].filter(place => witness.seenAt(place) === undefined).map(place => `${place} was not seen by kcat`)
  const unread = witness.of(topics).flatMap(entry => (places.has(placeOf(entry)) ? [] : [`${placeOf(entry)} was seen by kcat alone`]))
  return [...unseen, ...unread]
}

/** From the due time until the witness saw it; undefined for dead letters and what it did not see. */
function latenessOf(outcome: LogEntry, { witness }: Material): number | undefined {
  const seenAtMs = witness.seenAt(placeOf(outcome))
  const dueMs = Number(outcome.headers['sluice-scheduled-for'])
  const appendedMs = Number(outcome.headers['sluice-origin-timestamp'])
  return seenAtMs === undefined || Number.isNaN(dueMs) ? undefined : seenAtMs - Math.max(dueMs, appendedMs)
}

const latenessesAfter = ({ atMs, partitions }: MeasuredKill, material: Material): readonly number[] =>
  material.outcomes.flatMap(outcome => {
    const dueMs = Number(outcome.headers['sluice-scheduled-for'])
    const partition = Number(originOf(outcome).split('/')[1])
    const meanwhile = dueMs >= atMs && dueMs < atMs + MEANWHILE_MS && partitions.includes(partition)
    return meanwhile ? (latenessOf(outcome, material) ?? []) : []
  })

const spread = (latenesses: readonly number[]) => ({
  messages: latenesses.length,
  p50Ms: percentile(latenesses, 0.5),
  p95Ms: percentile(latenesses, 0.95),
  maxMs: percentile(latenesses, 1),
})

const recoveryOf = ({ atMs, worker, partitions }: MeasuredKill, latenesses: readonly number[]): Recovery => ({
  at: new Date(atMs).toISOString(),
  worker,
  partitions,
  ...spread(latenesses),
})

/** One readable table of a report. */
export function tableOf(report: Report): string {
  const { written, messages, violations, faults, latenessMs } = report
  const { kills, ...all } = report.recovery
  const of = (record: object): string =>
    Object.entries(record)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')
  const rows = [
    ['seed', `${report.seed} (${report.brokers} broker${report.brokers > 1 ? 's' : ''}, ${report.seconds} s)`],
    ['written', of(written)],
    ['messages', of(messages)],
    ['faults', of(faults)],
    ['violations', of(violations)],
    ['lateness ms', of(latenessMs)],
    ['recovery ms', `${of(all)}; p95/max of ${kills.length} kills: ${kills.map(({ p95Ms, maxMs }) => `${p95Ms}/${maxMs}`).join(' ')}`],
    ['acknowledged, absent', String(report.acknowledgedButAbsent.length)],
    ['readers disagree', String(report.readersDisagree.length)],
    ['workers gave up', String(report.crashes.length)],
    ['stops gone wrong', report.badStops.join('; ') || '0'],
    ['failure', report.failure ?? 'none'],
    ['result', report.passed ? 'passed' : 'FAILED'],
  ]
  return rows.map(([name = '', text = '']) => `${name.padEnd(22)}${text}`).join('\n')
}
