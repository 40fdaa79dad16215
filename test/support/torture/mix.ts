import type { Random } from '../delay-queue/random.ts'
import { EXPECT } from './promises.ts'

/** One record that a producer is to write. */
export interface Writing {
  readonly role: 'in' | 'fixed'
  readonly key: string
  /** Unique in the run; the value begins with it. */
  readonly name: string
  readonly headers: Readonly<Record<string, string>>
}

export interface MixOptions {
  /** Of far messages, through tiers; above 64 s. */
  readonly farMs: number
  /** None of them are written after this. */
  readonly farUntilMs: number
  /** Allowed targets: one that exists, one that does not, and one that takes no record above 2 KiB. */
  readonly other: string
  readonly absent: string
  readonly small: string
}

const KEYS = 100
const NEAR_MS = 20_000
const SHORTEST_FAR_MS = 66_000
const LARGE_BYTES = 4_096
const PADDING = 'x'.repeat(200)

/** The value of a record: only one that a target shall refuse is larger than the others. */
export const valueOf = ({ name, headers }: Writing): string =>
  `${name} ${headers[EXPECT] === 'too-large' ? 'x'.repeat(LARGE_BYTES) : PADDING}`

/** What one producer writes, from its seed: mostly plain delays, some of everything that a delay queue is promised to handle. */
export class Mix {
  readonly #prefix: string
  readonly #random: Random
  readonly #options: MixOptions
  /** Later turns of the stories that go on: cancels, reschedules. */
  #later: { readonly atMs: number; readonly writing: Writing }[] = []
  #serial = 0

  constructor(prefix: string, random: Random, options: MixOptions) {
    this.#prefix = prefix
    this.#random = random
    this.#options = options
  }

  /** Whether stories go on. */
  get pending(): boolean {
    return this.#later.length > 0
  }

  /** What stories have for this moment. */
  continued(nowMs: number): readonly Writing[] {
    const due = this.#later.filter(({ atMs }) => atMs <= nowMs)
    this.#later = this.#later.filter(({ atMs }) => atMs > nowMs)
    return due.map(({ writing }) => writing)
  }

  /** `count` new ones that have all headers in common. */
  fresh(nowMs: number, count: number): readonly Writing[] {
    const dice = this.#random.next()
    if (dice < 0.12) return [this.#story(nowMs)]
    if (dice < 0.14) return [this.#bad()]
    const [role, headers] = this.#plain(nowMs, dice)
    return Array.from({ length: count }, () => this.#writing(headers, { role }))
  }

  #plain(nowMs: number, dice: number): readonly [Writing['role'], Writing['headers']] {
    const delayMs = this.#random.below(NEAR_MS)
    if (dice < 0.25) return ['fixed', {}]
    if (dice < 0.35) return ['in', { 'sluice-delay': String(this.#far(nowMs) ?? delayMs) }]
    if (dice < 0.45) return ['in', { 'sluice-delay': String(delayMs), 'sluice-target-topic': this.#options.other }]
    if (dice < 0.6) return ['in', { 'sluice-deliver-at': String(nowMs + delayMs) }]
    if (dice < 0.65) return ['in', { 'x-delay': String(delayMs) }]
    if (dice < 0.7) return ['in', { 'scheduler-epoch': String(Math.ceil((nowMs + delayMs) / 1000)) }]
    return ['in', { 'sluice-delay': String(delayMs) }]
  }

  #far(nowMs: number): number | undefined {
    if (nowMs > this.#options.farUntilMs) return undefined
    return SHORTEST_FAR_MS + this.#random.below(this.#options.farMs - SHORTEST_FAR_MS)
  }

  /** Some turns under one id. Everything of an id has one key, so it stands in one partition. */
  #story(nowMs: number): Writing {
    const random = this.#random
    const id = `id-${this.#prefix}-${this.#serial}`
    const key = this.#key()
    const delayMs = (random.chance(0.2) ? this.#far(nowMs) : undefined) ?? 3_000 + random.below(15_000)
    const turn = (headers: Writing['headers']): Writing => this.#writing({ 'sluice-id': id, ...headers }, { key })
    const schedule = (version: number, afterMs = delayMs): Writing =>
      turn({ 'sluice-delay': String(afterMs), ...(version > 0 && { 'sluice-version': String(version) }) })
    const later = (afterMs: number, writing: Writing): void => {
      this.#later.push({ atMs: nowMs + afterMs, writing })
    }
    // Some in good time, some in a race with the firing.
    const soonOrClose = (): number => (random.chance(0.6) ? random.below(delayMs - 2_000) : delayMs - 2_000 + random.below(3_000))
    const dice = random.next()
    if (dice < 0.35) later(soonOrClose(), turn({ 'sluice-op': 'cancel' }))
    else if (dice < 0.55) later(soonOrClose(), schedule(1, random.below(10_000)))
    else if (dice < 0.65) {
      later(random.below(delayMs - 2_000), turn({ 'sluice-op': 'cancel' }))
      later(delayMs - 1_000, schedule(0, random.below(5_000)))
    } else if (dice < 0.75) {
      later(500, schedule(1))
      return schedule(2)
    } else if (dice < 0.8) {
      later(300, schedule(0))
      return turn({ 'sluice-op': 'cancel' })
    }
    return schedule(0)
  }

  #bad(): Writing {
    const { absent, small } = this.#options
    const soon = { 'sluice-delay': '2000' }
    const [disposition, headers] = this.#random.pick<readonly [string, Writing['headers']]>([
      ['poison', { 'sluice-delay': 'soon' }],
      ['poison', { 'sluice-delay': '-5' }],
      ['poison', {}],
      ['poison', { 'sluice-delay': '99999999999' }],
      ['poison', { 'sluice-op': 'cancel' }],
      ['target-not-allowed', { ...soon, 'sluice-target-topic': 'secret' }],
      ['target-missing', { ...soon, 'sluice-target-topic': absent }],
      ['too-large', { ...soon, 'sluice-target-topic': small }],
    ])
    return this.#writing({ ...headers, [EXPECT]: disposition })
  }

  #key(): string {
    return `key-${this.#random.below(KEYS)}`
  }

  #writing(headers: Writing['headers'], { role = 'in', key = this.#key() }: Partial<Writing> = {}): Writing {
    return { role, key, name: `${this.#prefix}-${this.#serial++}`, headers: { ...headers, producer: this.#prefix } }
  }
}
