import type { OutgoingRecord } from '../../worker/task.ts'
import { countFingerprint } from './progress.ts'
import type { Progress } from './progress.ts'

/** A run of offsets that one marker covers. */
interface Range {
  readonly from: number
  to: number
  count: number
}

/** One proposal as it is being put together: nothing of it touches the task before it is committed. */
export class Draft {
  readonly outputs: OutgoingRecord[] = []
  /** Offset of the dead letter that each of the first outputs moves. */
  readonly movedOffsets: number[] = []
  readonly ranges: Range[] = []
  /** Records of the buffer that it is done with. */
  taken = 0
  /** Counts against rate and limit. */
  moved = 0
  unselected = 0
  bytes = 0
  next = 0
  done = false
  readonly #before: Progress
  readonly #fingerprints: Map<string, number>
  #matched = 0
  #sent = 0
  #handled = 0
  #parked = 0
  #failed = 0
  #open = false

  constructor(before: Progress) {
    this.#before = before
    this.#fingerprints = new Map(before.fingerprints)
  }

  pass(): void {
    this.unselected++
    this.#open = false
  }

  /** Moved in an earlier life of this very run, and counted only now. */
  sentBefore(fingerprint: string): void {
    this.#matched++
    this.#sent++
    countFingerprint(this.#fingerprints, fingerprint)
    this.#open = false
  }

  leave(why: 'handled' | 'parked' | 'failed'): void {
    this.#matched++
    if (why === 'handled') this.#handled++
    else if (why === 'parked') this.#parked++
    else this.#failed++
    this.#open = false
  }

  /** @param output undefined: it is only marked, or only counted. */
  move(offset: number, fingerprint: string, output: OutgoingRecord | undefined, bytes: number, dry: boolean): void {
    this.#matched++
    this.moved++
    countFingerprint(this.#fingerprints, fingerprint)
    if (dry) return
    this.#sent++
    this.bytes += bytes
    if (output !== undefined) {
      this.outputs.push(output)
      this.movedOffsets.push(offset)
    }
    const last = this.ranges.at(-1)
    if (this.#open && last !== undefined) {
      last.to = offset + 1
      last.count++
    } else this.ranges.push({ from: offset, to: offset + 1, count: 1 })
    this.#open = true
  }

  get size(): number {
    return this.outputs.length + this.ranges.length
  }

  get progress(): Progress {
    const { run, matched, sent, handled, parked, failed } = this.#before
    return {
      run,
      matched: matched + this.#matched,
      sent: sent + this.#sent,
      handled: handled + this.#handled,
      parked: parked + this.#parked,
      failed: failed + this.#failed,
      done: this.done,
      fingerprints: this.#fingerprints,
    }
  }

  /** What is new in it, by outcome. */
  get outcomes(): readonly (readonly [outcome: string, count: number])[] {
    const all = [
      ['sent', this.#sent],
      ['handled', this.#handled],
      ['parked', this.#parked],
      ['failed', this.#failed],
      ['unselected', this.unselected],
    ] as const
    return all.filter(([, count]) => count > 0)
  }
}
