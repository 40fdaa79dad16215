import { refOf, type Resource } from '../api/resource.ts'
import { KafkaError } from '../kafka/errors.ts'
import { nameTopics } from './allow-list.ts'
import { toTime } from './conditions.ts'
import { converge, listingAgeMs, look } from './converge.ts'
import type { Engine, Result } from './engine.ts'
import { FORCE_DELETE, isDraining } from './holds.ts'
import type { ReconciledKind } from './kind.ts'
import { pendingOf, type Pending } from './pending.ts'
import type { Problem, Waiting } from './plan.ts'
import type { StatusPatch } from './ports.ts'
import { StatusReport } from './status.ts'

export type Drained =
  /** Not over: the workers go on. */
  | { readonly over: false; readonly patch: StatusPatch; readonly result: Result }
  /** Over because nothing waits any more, or because nobody can wait for that; `abandoned` says why. */
  | { readonly over: true; readonly abandoned?: string }

const OVER: Drained = { over: true }

/**
 * A resource that was deleted stays until nothing waits in its topics: its workers go on as before. Whatever keeps that from being known is waited for only
 * so long, lest a namespace can never be deleted.
 */
export async function drain(engine: Engine, kind: ReconciledKind, resource: Resource): Promise<Drained> {
  if (!isDraining(resource)) return OVER
  if (await engine.parts.store.namespaceGoes(resource.metadata.namespace))
    return { over: true, abandoned: 'its namespace is being deleted' }
  const [violation] = engine.violationsOf(kind, resource)
  if (violation !== undefined) return { over: true, abandoned: `its spec is invalid (${violation.field}: ${violation.message})` }
  const seen = await sight(engine, kind, resource)
  if (seen === undefined) return OVER
  if ('severity' in seen) return unseen(engine, resource, seen)
  const remembered = engine.memory.of(resource)
  remembered.unseenSinceMs = undefined
  remembered.lastPending = seen.pending.any ? tellPending(seen.pending) : undefined
  if (!seen.pending.any) {
    engine.parts.events.emit(resource, 'Normal', 'Drained', 'Nothing waits in it any more: its workers stop now.')
    return OVER
  }
  return goOn(engine, kind, resource, messageOf(resource, seen.pending, seen.waiting))
}

interface Sight {
  readonly waiting: Waiting
  readonly pending: Pending
}

/** undefined: the kind has nothing that could wait. */
async function sight(engine: Engine, kind: ReconciledKind, resource: Resource): Promise<Sight | Problem | undefined> {
  try {
    const seen = await look(engine, kind, resource, listingAgeMs(engine, resource))
    if ('severity' in seen) return seen
    const { waiting } = seen.plan
    if (waiting === undefined) return undefined
    return { waiting, pending: await pendingOf(seen.connection.admin, waiting, deletedAt(resource), seen.seen) }
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return { severity: 'NotReady', reason: 'ConnectionNotReady', message: error.message }
  }
}

/** Everything goes on as before, but for a resource whose spec wants it left alone. */
async function goOn(engine: Engine, kind: ReconciledKind, resource: Resource, message: string): Promise<Drained> {
  const requeueAfterMs = engine.options.drainIntervalMs
  if ((resource.spec as { readonly suspend?: boolean }).suspend === true) {
    const patch = new StatusReport(resource, engine.parts.clock.now()).draining(message)
    return { over: false, patch, result: { requeueAfterMs } }
  }
  const { patch, result } = await converge(engine, kind, resource, message)
  return { over: false, patch, result: { ...result, requeueAfterMs: Math.min(requeueAfterMs, result.requeueAfterMs ?? Infinity) } }
}

function unseen(engine: Engine, resource: Resource, problem: Problem): Drained {
  const { clock } = engine.parts
  const remembered = engine.memory.of(resource)
  // Its workers never were: nothing that was given to it can be on its way.
  if (!wasWorkedOn(resource)) return OVER
  remembered.unseenSinceMs ??= clock.monotonicMs()
  const leftMs = remembered.unseenSinceMs + engine.options.drainPatienceMs - clock.monotonicMs()
  const last = remembered.lastPending === undefined ? '' : ` (seen last: ${remembered.lastPending})`
  if (leftMs <= 0) return { over: true, abandoned: `nobody could see what waits in it${last}: ${problem.message}` }
  const until = toTime(clock.now() + leftMs)
  const message = `Deleted, but what waits in it cannot be seen${last}: ${problem.message}. It is let go at ${until} if that lasts; its topics stay then.`
  const patch = new StatusReport(resource, clock.now()).draining(told(resource, message))
  return { over: false, patch, result: { requeueAfterMs: Math.min(leftMs, engine.options.drainIntervalMs) } }
}

const wasWorkedOn = ({ status }: Resource): boolean => status?.conditions?.some(({ type }) => type === 'WorkersReady') === true

/** The time in the message is that of the first look: one that moves would be a write each time. */
function told({ status }: Resource, message: string): string {
  const before = status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? ''
  const withoutTime = (text: string): string => text.replace(/ let go at \S+ /, ' ')
  return withoutTime(before) === withoutTime(message) ? before : message
}

const deletedAt = ({ metadata }: Resource): number => Date.parse(metadata.deletionTimestamp ?? '')

function messageOf(resource: Resource, pending: Pending, { longestMs }: Waiting): string {
  const parts = [`Deleted: ${tellPending(pending)}.`]
  if (pending.records > 0) parts.push(`What was there at its deletion is due by ${toTime(deletedAt(resource) + longestMs)}.`)
  if (pending.arrived > 0) parts.push(`${pending.arrived} came since: whoever writes there keeps it from running empty.`)
  const { deletionPolicy } = resource.spec as { readonly deletionPolicy?: string }
  const loss = deletionPolicy === 'Delete' ? 'and deletes what waits' : 'and leaves its topics as they are'
  parts.push(`Annotation ${FORCE_DELETE}="true" ends it now ${loss}.`)
  return parts.join(' ')
}

function tellPending({ records, topics, unread }: Pending): string {
  const parts = [
    ...(records > 0 ? [`up to ${records} messages wait in ${nameTopics(topics)}`] : []),
    ...unread.map(({ topic, group, records: left }) => `group "${group}" has not read ${left} offsets of topic "${topic}"`),
  ]
  return parts.length === 0 ? 'nothing waits, the workers commit their last positions' : parts.join('; ')
}

/** The resource goes without having run empty: where what waited is. */
export function announceAbandoned(engine: Engine, resource: Resource, topics: readonly string[], why: string): void {
  const where = topics.length === 0 ? 'its topics' : nameTopics(topics)
  const { kind, name } = refOf(resource)
  const message = `Gone before it had run empty: ${why}; ${where} may hold undelivered messages and stay: create ${kind} "${name}" again to have them delivered, or delete them.`
  engine.parts.events.emit(resource, 'Warning', 'LeftBehind', message)
}
