import type { Commit, LogRecord, Observation, OutgoingRecord, Proposal, Task, TaskFamily, WorkedKind } from '../../../src/worker/task.ts'

export interface CopyConfig {
  /** Topics are `<prefix>.in`, `.out`, `.journal`, `.dlq`. */
  readonly prefix: string
}

/**
 * The least that uses all of the kernel: every record of `.in` is forwarded to the same partition of `.out`, and each transaction notes in `.journal`
 * how many were. A record that is refused goes to `.dlq`. It throws when the kernel breaks a promise.
 */
export const copyKind: WorkedKind = {
  kind: 'Copy',
  tasks(resource, namespace): TaskFamily {
    const { prefix } = resource.config as CopyConfig
    return {
      resource: { kind: 'Copy', namespace, name: resource.name },
      input: `${prefix}.in`,
      sources: [`${prefix}.in`],
      states: [`${prefix}.journal`],
      create: partition => new CopyTask(prefix, partition),
      metrics: [{ name: 'copied_total', help: 'Records copied.', type: 'counter' }],
    }
  },
}

export class CopyTask implements Task {
  readonly held = new Set<string>()
  readonly #prefix: string
  readonly #partition: number
  #waiting: LogRecord[] = []
  #next = 0
  #copied = 0
  readonly #refused = new Map<number, string>()

  constructor(prefix: string, partition: number) {
    this.#prefix = prefix
    this.#partition = partition
  }

  get bytes(): number {
    return this.#waiting.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
  }

  restoreFrom(): ReadonlyMap<string, 'earliest'> {
    return new Map([[`${this.#prefix}.journal`, 'earliest']])
  }

  loadState(record: LogRecord): void {
    const copied = Number(record.value?.toString())
    if (copied < this.#copied) throw new Error(`the journal goes back from ${this.#copied} to ${copied}`)
    this.#copied = copied
  }

  started(committed: ReadonlyMap<string, Commit>): ReadonlyMap<string, number> {
    const commit = committed.get(`${this.#prefix}.in`)
    // The note beside the offset and the journal were written by the same transactions.
    if ((commit?.metadata ?? '') !== (this.#copied === 0 ? '' : String(this.#copied))) {
      throw new Error(`the journal ends at ${this.#copied}, the commit at "${commit?.metadata ?? ''}"`)
    }
    this.#next = commit?.offset ?? 0
    return new Map([[`${this.#prefix}.in`, this.#next]])
  }

  accept(records: readonly LogRecord[]): void {
    for (const record of records) {
      if (record.offset < this.#next) throw new Error(`offset ${record.offset} came again: ${this.#next} was next`)
      this.#next = record.offset + 1
      this.#waiting.push(record)
    }
  }

  caughtUp(_topic: string, offset: number): void {
    if (offset < this.#next) throw new Error(`caught up at ${offset}, but ${this.#next} was next`)
  }

  pressure(ratio: number): void {
    if (ratio >= 1) this.held.add(`${this.#prefix}.in`)
    else if (ratio < 0.9) this.held.clear()
  }

  propose(_now: number, limit: number): Proposal | undefined {
    const taken = this.#waiting.slice(0, Math.max(1, limit - 1))
    const last = taken.at(-1)
    if (last === undefined) return undefined
    const copied = this.#copied + taken.length
    const note: OutgoingRecord = {
      topic: `${this.#prefix}.journal`,
      partition: this.#partition,
      key: null,
      value: Buffer.from(String(copied)),
      headers: [],
    }
    const offset: Commit = { topic: `${this.#prefix}.in`, partition: this.#partition, offset: last.offset + 1, metadata: String(copied) }
    return { outputs: [...taken.map(record => this.#copy(record)), note], offsets: [offset], token: { taken: taken.length, copied } }
  }

  committed(proposal: Proposal): readonly Observation[] {
    const { taken, copied } = proposal.token as { taken: number; copied: number }
    this.#waiting = this.#waiting.slice(taken)
    this.#copied = copied
    return [{ metric: 'copied_total', value: taken }]
  }

  rejected(record: OutgoingRecord, code: string): void {
    const origin = record.headers.find(([name]) => name === 'origin')?.[1]
    if (origin !== undefined && origin !== null) this.#refused.set(Number(origin.toString()), code)
  }

  wakeAt(): undefined {
    return undefined
  }

  gauges(): readonly Observation[] {
    return []
  }

  #copy({ key, value, headers, offset }: LogRecord): OutgoingRecord {
    const code = this.#refused.get(offset)
    const origin = ['origin', Buffer.from(String(offset))] as const
    if (code === undefined) return { topic: `${this.#prefix}.out`, partition: this.#partition, key, value, headers: [...headers, origin] }
    return { topic: `${this.#prefix}.dlq`, partition: this.#partition, key, value: Buffer.from(code), headers: [...headers, origin] }
  }
}
