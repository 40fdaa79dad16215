import { isDeepStrictEqual } from 'node:util'
import type { Reason } from '../api/reasons.ts'
import type { CommonStatus, EpochMs, Resource } from '../api/resource.ts'
import { mergeConditions, type ConditionType, type Verdict } from './conditions.ts'
import type { Problem } from './plan.ts'
import type { StatusPatch } from './ports.ts'

/** What was found out in one reconcile; becomes the conditions. */
export interface Findings {
  readonly problems: readonly Problem[]
  readonly fields: Readonly<Record<string, unknown>>
  /** What the conditions of workers and alerts say, where the kind has any. */
  readonly parts: readonly Verdict[]
  /** Conditions that no longer apply. */
  readonly gone: readonly ConditionType[]
  /** Why it is not over yet although nothing is wrong. */
  readonly pending?: string
  /** It was deleted; what waits in it. */
  readonly draining?: string
  /** Reason and message when all is well. */
  readonly well: { readonly reason: Reason; readonly message: string }
}

/**
 * Every way in which a look at a resource can end, as a status. The conditions are set by named methods only, so no path can end with one of
 * them forgotten. All methods but `found` keep the fields that the kind reported last.
 */
export class StatusReport {
  readonly #resource: Resource
  readonly #now: EpochMs

  constructor(resource: Resource, now: EpochMs) {
    this.#resource = resource
    this.#now = now
  }

  /** Never seen before: say so at once, lest tools take silence for health. */
  firstSight(): StatusPatch {
    const message = 'The operator has seen the resource and is looking at the cluster.'
    return this.#patch(trio({ ready: 'Unknown', reason: 'Reconciling', message, reconciling: true, stalled: false }))
  }

  suspended(): StatusPatch {
    const message = 'spec.suspend is true: nothing is done until it is removed.'
    return this.#patch(trio({ ready: 'False', reason: 'Suspended', message, reconciling: false, stalled: false }))
  }

  deleting(message: string): StatusPatch {
    return this.#patch(trio({ ready: 'False', reason: 'Deleting', message, reconciling: true, stalled: false }))
  }

  /** Deleted, and held while something waits in it. */
  draining(message: string): StatusPatch {
    return this.#patch(trio({ ready: 'False', reason: 'Draining', message, reconciling: true, stalled: false }))
  }

  /** A human must change the spec. */
  stalled(reason: Reason, message: string): StatusPatch {
    return this.#patch(trio({ ready: 'False', reason, message, reconciling: false, stalled: true }))
  }

  /** May heal without a change by a human. */
  notReady(reason: Reason, message: string): StatusPatch {
    return this.#patch(trio({ ready: 'False', reason, message, reconciling: true, stalled: false }))
  }

  found({ fields, parts, gone, ...findings }: Findings): StatusPatch {
    return this.#patch([...verdictOf(findings), ...parts], fields, gone)
  }

  #patch(verdicts: readonly Verdict[], fields = fieldsOf(this.#resource), gone: readonly string[] = []): StatusPatch {
    const before = (this.#resource.status?.conditions ?? []).filter(({ type }) => !gone.includes(type))
    const generation = this.#resource.metadata.generation ?? 0
    const conditions = mergeConditions(before, verdicts, { generation, now: this.#now })
    return { observedGeneration: generation, conditions, fields: keepTimes(fieldsOf(this.#resource), fields) }
  }
}

function verdictOf({ problems, pending, draining, well }: Omit<Findings, 'fields' | 'parts' | 'gone'>): readonly Verdict[] {
  const stalled = problems.filter(({ severity }) => severity === 'Stalled')
  const notReady = problems.filter(({ severity }) => severity === 'NotReady')
  const worst = stalled[0] ?? notReady[0]
  const told = worst && tell(worst, stalled.length > 0 ? stalled : notReady)
  if (draining !== undefined) {
    const message = worst === undefined ? draining : `${draining} In its way is ${worst.reason}: ${told}`
    return trio({ ready: 'False', reason: 'Draining', message, reconciling: true, stalled: stalled.length > 0 })
  }
  if (worst !== undefined) {
    const message = told ?? ''
    return trio({ ready: 'False', reason: worst.reason, message, reconciling: stalled.length === 0, stalled: stalled.length > 0 })
  }
  if (pending !== undefined) return trio({ ready: 'False', reason: 'Reconciling', message: pending, reconciling: true, stalled: false })
  return trio({ ready: 'True', ...well, reconciling: false, stalled: false })
}

/** The first of each reason, since each reason asks for something else; those like them are counted. */
function tell(worst: Problem, alike: readonly Problem[]): string {
  const told = alike.filter(({ reason }, i) => alike.findIndex(other => other.reason === reason) === i)
  const messages = told.map(({ reason, message }) => (reason === worst.reason ? message : `${reason}: ${message}`))
  const others = alike.length - told.length
  return others === 0 ? messages.join('; ') : `${messages.join('; ')} (and ${others} more)`
}

interface Trio {
  readonly ready: Verdict['status']
  readonly reason: Reason
  readonly message: string
  readonly reconciling: boolean
  readonly stalled: boolean
}

/** Reconciling and Stalled are abnormal when true (kstatus); they repeat the reason only while they are. */
function trio({ ready, reason, message, reconciling, stalled }: Trio): readonly Verdict[] {
  const abnormal = (type: 'Reconciling' | 'Stalled', on: boolean): Verdict =>
    on ? { type, status: 'True', reason, message } : { type, status: 'False', reason: ready === 'True' ? 'Ready' : reason, message: '' }
  return [{ type: 'Ready', status: ready, reason, message }, abnormal('Reconciling', reconciling), abnormal('Stalled', stalled)]
}

/** The kind's own part of the stored status. */
export function fieldsOf(resource: Resource): Readonly<Record<string, unknown>> {
  const { observedGeneration: _, conditions: __, ...fields } = (resource.status ?? {}) as CommonStatus & Record<string, unknown>
  return fields
}

const LAST_TIME = /^last[A-Z].*Time$/

/** A status in which only "last ... time" moved says nothing new: the earlier times stay, and a resource at rest causes no write. */
function keepTimes(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const withoutTimes = (fields: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(Object.entries(fields).filter(([name, value]) => !LAST_TIME.test(name) && value !== undefined))
  const named = (fields: Readonly<Record<string, unknown>>) =>
    Object.keys(fields).filter(name => LAST_TIME.test(name) && fields[name] !== undefined)
  const sameTimes = isDeepStrictEqual(named(before).sort(), named(after).sort())
  return sameTimes && isDeepStrictEqual(withoutTimes(before), withoutTimes(after)) ? before : after
}

/** Whether the stored status already says this. */
export function saysTheSame(resource: Resource, patch: StatusPatch): boolean {
  const { observedGeneration, conditions = [] } = resource.status ?? {}
  const byType = (a: { readonly type: string }, b: { readonly type: string }) => a.type.localeCompare(b.type)
  return (
    observedGeneration === patch.observedGeneration &&
    isDeepStrictEqual(asJson(conditions.toSorted(byType)), asJson(patch.conditions.toSorted(byType))) &&
    isDeepStrictEqual(asJson(fieldsOf(resource)), asJson(patch.fields))
  )
}

/** Stored as JSON: absent and undefined are the same there. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
