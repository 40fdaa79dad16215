import { setTimeout as pause } from 'node:timers/promises'
import { Random } from '../delay-queue/random.ts'
import { Mix } from './mix.ts'
import type { MixOptions, Writing } from './mix.ts'
import type { Sender, Written } from './producers.ts'

const TICK_MS = 250

export interface LoadOptions {
  readonly seed: number
  /** Messages/s of all senders together. */
  readonly rate: number
  readonly mix: MixOptions
  readonly topicOf: (role: Writing['role']) => string
}

/** Who writes, its share of the rate, and how many records it writes with one set of headers. */
export interface Share {
  readonly sender: Sender
  readonly share: number
  readonly alike: number
}

/** Writes until it is stopped, and knows of each record whether Kafka took it. */
export class Load {
  readonly #options: LoadOptions
  readonly #shares: readonly Share[]
  readonly #names: Readonly<Record<Written, Set<string>>> = { acknowledged: new Set(), unknown: new Set(), aborted: new Set() }
  #stopped = false
  #running: Promise<unknown> = Promise.resolve()

  constructor(shares: readonly Share[], options: LoadOptions) {
    this.#shares = shares
    this.#options = options
  }

  /** Names of the records, by what is known of them. */
  names(written: Written): ReadonlySet<string> {
    return this.#names[written]
  }

  start(): void {
    this.#running = Promise.all(this.#shares.map((share, index) => this.#write(share, new Random(this.#options.seed + index))))
  }

  /** Resolves when the last write has been answered, or given up. Stories that go on are left as they are. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
    await Promise.all(this.#shares.map(({ sender }) => sender.close()))
  }

  async #write({ sender, share, alike }: Share, random: Random): Promise<void> {
    const mix = new Mix(sender.name, random, this.#options.mix)
    let owed = 0
    while (!this.#stopped) {
      const beganMs = performance.now()
      // What was missed while Kafka did not answer is not made up for.
      owed = Math.min(owed, 0) + (this.#options.rate * share * TICK_MS) / 1000
      const writings = [...mix.continued(Date.now())]
      for (; owed > 0; owed -= alike) writings.push(...mix.fresh(Date.now(), alike))
      for (const together of alike > 1 ? byHeaders(writings) : [writings]) await this.#send(sender, together)
      await pause(Math.max(0, TICK_MS - (performance.now() - beganMs)))
    }
  }

  async #send(sender: Sender, writings: readonly Writing[]): Promise<void> {
    if (writings.length === 0) return
    const written = await sender.write(writings, this.#options.topicOf)
    for (const { name } of writings) this.#names[written].add(name)
  }
}

function byHeaders(writings: readonly Writing[]): readonly (readonly Writing[])[] {
  const groups = new Map<string, Writing[]>()
  for (const writing of writings) {
    const group = JSON.stringify([writing.role, writing.headers])
    groups.set(group, [...(groups.get(group) ?? []), writing])
  }
  return [...groups.values()]
}
