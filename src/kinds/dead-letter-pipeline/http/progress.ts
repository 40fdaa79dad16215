import { SPAN, decodeFinished, encodeFinished } from './finished.ts'
import type { Range } from './finished.ts'

/** Above the span of the bitmap, as many interruptions as this still fit as runs. */
const MOST_GAPS = 150
/** Numbers below this take three bytes in the note. */
const LONGEST_SPAN = 2_000_000

export interface Place {
  /** Lowest offset that is not finished: what is committed. */
  readonly offset: number
  /** What is finished above it, for the note beside the offset. */
  readonly finished: string
}

/** Which offsets of a source are finished, in whatever order that happens. */
export class Progress {
  /** In the order of the offsets, which is that of reading. True: in the transaction on its way. */
  readonly #unfinished = new Map<number, boolean>()
  /** Finished in an earlier life and not read yet, in order. */
  #earlier: Range[]
  #next: number
  #highestFinished = -1
  #committed: number

  /** @param note as `place` gave it, committed with the position. */
  constructor(position: number, note: string) {
    this.#next = position
    this.#committed = position
    this.#earlier = [...decodeFinished(position, note)]
  }

  /** As committed. */
  get position(): number {
    return this.#committed
  }

  get lowest(): number {
    for (const offset of this.#unfinished.keys()) return offset
    return this.#next
  }

  /** False: it was read before, or finished in an earlier life. */
  accept(offset: number): boolean {
    if (offset < this.#next) return false
    this.skipTo(offset)
    this.#next = offset + 1
    if (this.#finishedEarlier(offset)) {
      this.#highestFinished = offset
      return false
    }
    this.#unfinished.set(offset, false)
    return true
  }

  /** There is nothing to read below. */
  skipTo(offset: number): void {
    if (offset <= this.#next) return
    this.#next = offset
    while ((this.#earlier[0]?.to ?? Infinity) <= offset) this.#earlier.shift()
  }

  /** Whether, finished now, it could be noted though lower ones are not. `gaps`: lower ones, at most, that may stay unfinished for long. */
  canNote(offset: number, gaps: number): boolean {
    const above = offset - this.lowest
    return above < SPAN || (gaps <= MOST_GAPS && above < LONGEST_SPAN)
  }

  propose(offset: number): void {
    this.#unfinished.set(offset, true)
  }

  retract(offset: number): void {
    this.#unfinished.set(offset, false)
  }

  finish(offset: number): void {
    this.#unfinished.delete(offset)
    if (offset > this.#highestFinished) this.#highestFinished = offset
  }

  /** Where it stands once what is proposed has been committed. `highestProposed`: -1 when nothing is. */
  place(highestProposed: number): Place {
    const highest = Math.max(this.#highestFinished, highestProposed)
    const finished: Range[] = []
    let position: number | undefined
    let at = 0
    for (const [offset, proposed] of this.#unfinished) {
      if (proposed) continue
      if (position === undefined) position = offset
      else if (offset > at) finished.push({ from: at, to: offset })
      at = offset + 1
      if (at > highest) break
    }
    if (position === undefined) position = this.#next
    else if (at <= highest) finished.push({ from: at, to: this.#next })
    return { offset: position, finished: encodeFinished(position, [...finished, ...this.#earlierAbove()]) }
  }

  committed(position: number): void {
    this.#committed = position
  }

  #finishedEarlier(offset: number): boolean {
    while ((this.#earlier[0]?.to ?? Infinity) <= offset) this.#earlier.shift()
    return (this.#earlier[0]?.from ?? Infinity) <= offset
  }

  #earlierAbove(): readonly Range[] {
    return this.#earlier.filter(({ to }) => to > this.#next).map(({ from, to }) => ({ from: Math.max(from, this.#next), to }))
  }
}
