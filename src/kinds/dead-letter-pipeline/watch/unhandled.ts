import type { EpochMs } from '../../../api/resource.ts'

/** Offsets that were redriven or discarded, and when that was written down. */
export interface Cover {
  readonly from: number
  /** Exclusive. */
  readonly to: number
  readonly atMs: EpochMs
}

const NOBODY = -1
/** Slots in front that are of no more use, before they are given back. */
const LOOSE_SLOTS = 4096

/** The dead letters of one partition that nobody has handled, in offset order; about 24 bytes each. */
export class Unhandled {
  #offsets: number[] = []
  #died: EpochMs[] = []
  /** Number of the fingerprint; NOBODY: no longer unhandled. */
  #prints: number[] = []
  #first = 0
  readonly #names: string[] = []
  readonly #numbers = new Map<string, number>()
  readonly #counts: number[] = []
  /** Of records that were not read when they came, by where they begin. */
  readonly #covers: Cover[] = []
  #sorted = true
  count = 0

  add(offset: number, fingerprint: string, diedMs: EpochMs): void {
    const cover = this.#coverOf(offset)
    // One that is older than the record is of an earlier topic of the same name.
    if (cover !== undefined && diedMs <= cover.atMs) return
    const number = this.#numberOf(fingerprint)
    this.#offsets.push(offset)
    this.#died.push(diedMs)
    this.#prints.push(number)
    this.#counts[number] = (this.#counts[number] ?? 0) + 1
    this.count++
  }

  /** @param read next offset that `add` will be given: what is above it may still come */
  cover(cover: Cover, read: number): void {
    const first = firstThat(this.#offsets.length, i => (this.#offsets[i] ?? Infinity) >= cover.from)
    for (let i = Math.max(first, this.#first); i < this.#offsets.length && (this.#offsets[i] ?? Infinity) < cover.to; i++)
      if ((this.#died[i] ?? Infinity) <= cover.atMs) this.#remove(i)
    this.#trim()
    if (cover.to <= read) return
    this.#covers.push(cover)
    this.#sorted = false
  }

  /** Those that died before are, or will soon be, deleted by retention. */
  expire(beforeMs: EpochMs): void {
    for (let i = this.#first; i < this.#offsets.length && (this.#died[i] ?? Infinity) < beforeMs; i++) this.#remove(i)
    this.#trim()
  }

  get firstOffset(): number | undefined {
    return this.#offsets[this.#first]
  }

  get oldestMs(): EpochMs | undefined {
    return this.#died[this.#first]
  }

  byFingerprint(): readonly (readonly [string, number])[] {
    return this.#names
      .map((name, i) => [name, this.#counts[i] ?? 0] as const)
      .filter(([, count]) => count > 0)
      .sort(([, a], [, b]) => b - a)
  }

  #coverOf(offset: number): Cover | undefined {
    if (!this.#sorted) this.#covers.sort((a, b) => a.from - b.from || a.atMs - b.atMs)
    this.#sorted = true
    const at = firstThat(this.#covers.length, i => (this.#covers[i]?.from ?? Infinity) > offset) - 1
    const cover = this.#covers[at]
    return cover !== undefined && offset < cover.to ? cover : undefined
  }

  #remove(i: number): void {
    const number = this.#prints[i] ?? NOBODY
    if (number === NOBODY) return
    this.#prints[i] = NOBODY
    this.#counts[number] = (this.#counts[number] ?? 1) - 1
    this.count--
  }

  #trim(): void {
    while (this.#first < this.#prints.length && this.#prints[this.#first] === NOBODY) this.#first++
    if (this.#first < LOOSE_SLOTS && this.#first < this.#prints.length) return
    for (const list of [this.#offsets, this.#died, this.#prints]) list.splice(0, this.#first)
    this.#first = 0
  }

  /** Applications choose fingerprints: what comes after so many is counted together. */
  #numberOf(fingerprint: string): number {
    const name = this.#numbers.has(fingerprint) || this.#names.length < MOST_NAMES ? fingerprint : OTHERS
    let number = this.#numbers.get(name)
    if (number === undefined) {
      number = this.#names.push(name) - 1
      this.#numbers.set(name, number)
    }
    return number
  }
}

const MOST_NAMES = 5_000
const OTHERS = 'other'

/** Of so many in order; as many as there are when none does. */
function firstThat(length: number, is: (index: number) => boolean): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (is(middle)) high = middle
    else low = middle + 1
  }
  return low
}
