import type { TopicConfig, TopicDescription } from '../kafka/admin.ts'
import type { TopicView } from './observed.ts'
import type { Interest } from './plan.ts'

/** Config keys to ask for; one object per distinct set, so that topics can be grouped by identity. */
export interface KeySet {
  readonly keys: ReadonlySet<string> | 'all'
}

/** Listings without a topic before it counts as absent: a broker that just started or has not caught up tells of too few. */
const LISTINGS_TO_BE_SURE = 2
/** Listings closer together than this say nothing new about what is missing. */
const LISTING_DISTANCE_MS = 1_000
/** A topic that was just created may be unknown to the broker that we ask (0.7 s measured after 1,000 creations). */
const APPEARING_MS = 10_000

interface Entry {
  view: TopicView
  keySet: KeySet
  /** Listings since that did not have it. */
  missed: number
  missedAtMs: number
  stale: boolean
}

/** What is known of the topics of one cluster, and how sure that is. No I/O. */
export class TopicCache {
  readonly #entries = new Map<string, Entry>()
  /** Created a moment ago, not seen yet: until when to believe in it. */
  readonly #appearing = new Map<string, number>()
  #names: readonly string[] = []

  /** Names listed or believed in. */
  get names(): readonly string[] {
    return this.#names
  }

  views(): readonly TopicView[] {
    return [...this.#entries.values()].map(({ view }) => view)
  }

  /** The view of a topic that is certainly there. */
  present(name: string): TopicView | undefined {
    const entry = this.#entries.get(name)
    return entry === undefined || entry.missed > 0 ? undefined : entry.view
  }

  /** True: look at it before the next answer. Topics that the last listing did not have are left to the next one. */
  lacks(name: string, wanted: Interest['configKeys']): boolean {
    const entry = this.#entries.get(name)
    if (entry === undefined) return true
    return entry.missed === 0 && (entry.stale || !covers(entry.keySet, wanted))
  }

  /** A complete listing: everything is to be looked at again, what is missing is counted. */
  listed(names: readonly string[], nowMs: number): void {
    const listed = new Set(names)
    for (const [name, entry] of this.#entries) {
      entry.stale = true
      if (listed.has(name)) entry.missed = 0
      else this.#miss(name, entry, nowMs)
    }
    for (const [name, untilMs] of this.#appearing) if (listed.has(name) || nowMs >= untilMs) this.#appearing.delete(name)
    this.#names = [...listed, ...[...this.#entries.keys(), ...this.#appearing.keys()].filter(name => !listed.has(name))]
  }

  /** These were written: look again. Names never seen are expected to appear. */
  written(names: Iterable<string>, nowMs: number): void {
    for (const name of names) {
      const entry = this.#entries.get(name)
      if (entry !== undefined) entry.stale = true
      if (entry !== undefined || this.#appearing.has(name)) continue
      this.#appearing.set(name, nowMs + APPEARING_MS)
      if (!this.#names.includes(name)) this.#names = [...this.#names, name]
    }
  }

  /** A view of a topic that did not change stays the same object, so that others can tell by identity. */
  store(description: TopicDescription, configs: TopicConfig, keySet: KeySet): void {
    const { name } = description
    const before = this.#entries.get(name)?.view
    const sizeBytes = before?.id === description.id ? before.sizeBytes : undefined
    const view: TopicView = { ...description, configs, ...(sizeBytes !== undefined && { sizeBytes }) }
    this.#entries.set(name, {
      view: before !== undefined && sameView(before, view) ? before : view,
      keySet,
      missed: 0,
      missedAtMs: 0,
      stale: false,
    })
    this.#appearing.delete(name)
  }

  /** Asked for by name and not found: as good as not listed. */
  notFound(name: string, nowMs: number): void {
    const entry = this.#entries.get(name)
    if (entry !== undefined) this.#miss(name, entry, nowMs)
  }

  measured(name: string, sizeBytes: number): void {
    const entry = this.#entries.get(name)
    if (entry !== undefined && entry.view.sizeBytes !== sizeBytes) entry.view = { ...entry.view, sizeBytes }
  }

  /** Forgets what nobody is interested in. */
  keepOnly(wanted: (name: string) => boolean): void {
    for (const [name, { missed }] of this.#entries) if (missed === 0 && !wanted(name)) this.#entries.delete(name)
  }

  #miss(name: string, entry: Entry, nowMs: number): void {
    if (entry.missed > 0 && nowMs - entry.missedAtMs < LISTING_DISTANCE_MS) return
    entry.missed++
    entry.missedAtMs = nowMs
    if (entry.missed < LISTINGS_TO_BE_SURE) return
    this.#entries.delete(name)
    this.#names = this.#names.filter(other => other !== name)
  }
}

/** Which keys to ask for, per topic: the union over all who are interested. */
export function keySetsOf(interests: readonly Interest[]): (topic: string) => KeySet {
  const byInterested = new Map<string, KeySet>()
  const bySignature = new Map<string, KeySet>()
  return topic => {
    const interested = interests.filter(({ topics }) => topics(topic))
    const who = interested.map(interest => interests.indexOf(interest)).join()
    const known = byInterested.get(who)
    if (known !== undefined) return known
    const merged = mergeKeys(interested)
    const keySet = bySignature.get(signature(merged)) ?? merged
    bySignature.set(signature(merged), keySet)
    byInterested.set(who, keySet)
    return keySet
  }
}

function mergeKeys(interests: readonly Interest[]): KeySet {
  const keys = new Set<string>()
  for (const { configKeys } of interests) {
    if (configKeys === 'all') return { keys: 'all' }
    for (const key of configKeys) keys.add(key)
  }
  return { keys }
}

const signature = ({ keys }: KeySet): string => (keys === 'all' ? '*' : [...keys].sort().join())

const covers = ({ keys }: KeySet, wanted: Interest['configKeys']): boolean =>
  keys === 'all' || (wanted !== 'all' && wanted.every(key => keys.has(key)))

function sameView(a: TopicView, b: TopicView): boolean {
  if (
    a.id !== b.id ||
    a.partitions !== b.partitions ||
    a.replicationFactor !== b.replicationFactor ||
    a.underReplicated !== b.underReplicated
  )
    return false
  if (a.configs === b.configs) return true
  if (a.configs.size !== b.configs.size) return false
  for (const [key, entry] of b.configs) {
    const other = a.configs.get(key)
    if (other?.value !== entry.value || other.source !== entry.source || other.readOnly !== entry.readOnly) return false
  }
  return true
}
