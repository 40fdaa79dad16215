import type { LogRecord, Search } from '../../worker/task.ts'
import type { Item, Source } from './source.ts'

/** A `fire` that was read: answered when everything that it reaches has ended. */
interface Fire {
  readonly item: Item
  /** Messages that it reaches, as far as they were found. */
  readonly hits: Set<Item>
}

/**
 * Fires on their way. A message that one reaches is either in memory, or unread in a tier or a fixed delay. The first are known at once; for the others
 * those sources are searched from where they are read to up to their ends. What is read, or moved from tier to tier, while the search runs goes through
 * memory, where every fire that waits is asked (`reach`): so nothing slips through, and nothing needs to be remembered of what is not near.
 */
export class Fires {
  readonly #sources: readonly Source[]
  readonly #found: (source: Source, record: LogRecord) => void
  readonly #byId = new Map<string, Fire[]>()
  readonly #byItem = new Map<Item, Fire>()
  /** Wait for the next search. */
  #asked: Fire[] = []
  #searched: Fire[] = []
  #search: Search | undefined

  /** @param found is given records of an id that a fire names and that nobody has read so far. */
  constructor(sources: readonly Source[], found: (source: Source, record: LogRecord) => void) {
    this.#sources = sources.filter(({ type }) => type !== 'input')
    this.#found = found
  }

  /** What the kernel is to read for us. */
  get search(): Search | undefined {
    return this.#search
  }

  /** Some wait for a search to begin, or to be ended. */
  get restless(): boolean {
    return this.#searched.length > 0 || (this.#asked.length > 0 && this.#search === undefined)
  }

  add(item: Item): void {
    const { id = '' } = item
    const fire: Fire = { item, hits: new Set() }
    const same = this.#byId.get(id)
    if (same === undefined) this.#byId.set(id, [fire])
    else same.push(fire)
    this.#byItem.set(item, fire)
    this.#asked.push(fire)
  }

  /** Whether a fire that waits reaches this message, which then counts as its hit. */
  reach(item: Item): boolean {
    if (this.#byId.size === 0) return false
    const reaching = (this.#byId.get(item.instructions.id ?? '') ?? []).filter(fire => reaches(fire.item, item))
    for (const { hits } of reaching) hits.add(item)
    return reaching.length > 0
  }

  /**
   * Begins a search for all that ask. Only while no transaction of the task is on its way: what it moves would stand in a tier that was searched
   * before, and not in memory.
   */
  begin(): void {
    if (this.#asked.length === 0 || this.#search !== undefined) return
    const fires = this.#asked
    this.#asked = []
    const ids = new Set(fires.map(({ item }) => item.id))
    const from = new Map(this.#sources.map(({ topic, position }) => [topic, position.next]))
    this.#search = {
      from,
      found: records => {
        for (const record of records) if (ids.has(idOf(record))) this.#take(record)
      },
      ended: () => {
        this.#search = undefined
        this.#searched.push(...fires)
      },
    }
  }

  /** Those of which everything has ended, or is to end in the proposal that is being made. */
  *answered(): Generator<{ readonly item: Item; readonly matched: boolean }> {
    for (const { item, hits } of this.#searched)
      if (!item.proposed && every(hits, ({ gone, proposed }) => gone || proposed))
        yield { item, matched: !every(hits, ({ dropped }) => dropped !== undefined) }
  }

  /** Its end was committed. */
  forget(item: Item): void {
    const fire = this.#byItem.get(item)
    if (fire === undefined) return
    const { id = '' } = item
    this.#byItem.delete(item)
    const left = (this.#byId.get(id) ?? []).filter(other => other !== fire)
    if (left.length === 0) this.#byId.delete(id)
    else this.#byId.set(id, left)
    this.#searched = this.#searched.filter(other => other !== fire)
  }

  #take(record: LogRecord): void {
    const source = this.#sources.find(({ topic }) => topic === record.topic)
    if (source?.position.isFree(record.offset) === true) this.#found(source, record)
  }
}

/** A message of a fixed delay has no place among the input's offsets: the time of its append decides. */
const reaches = (fire: Item, item: Item): boolean =>
  item.source.type === 'fixed' ? item.originMs <= fire.originMs : item.originOffset < fire.originOffset

/** As `readInstructions` reads it: the last one counts. */
const idOf = ({ headers }: LogRecord): string | undefined => headers.findLast(([name]) => name === 'sluice-id')?.[1]?.toString('latin1')

function every(items: Iterable<Item>, holds: (item: Item) => boolean): boolean {
  for (const item of items) if (!holds(item)) return false
  return true
}
