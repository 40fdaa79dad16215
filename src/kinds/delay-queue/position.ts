const PENDING = 0
const PROPOSED = 1
const DONE = 2

/**
 * Where a source stands: everything below the watermark is done for good, above it each offset is pending, part of the proposal on its way, or
 * done. One byte for each offset between the watermark and the read position, in a ring that grows; above the read position only what a search
 * took or an earlier life finished.
 *
 * The watermark is what gets committed: never the read position, which would lose what waits in memory.
 */
export class Position {
  #marks = new Uint8Array(1024)
  readonly #beyond = new Map<number, number>()
  #watermark: number
  #next: number

  constructor(start: number) {
    this.#watermark = start
    this.#next = start
  }

  /** Lowest offset that is not done. */
  get watermark(): number {
    return this.#watermark
  }

  /** Next offset to be read. */
  get next(): number {
    return this.#next
  }

  /** At restore, before anything is read: this offset was done in an earlier life. */
  restoreDone(offset: number): void {
    if (offset >= this.#watermark) this.#mark(offset, DONE)
  }

  /**
   * The record at `offset` was read. Offsets skipped before it hold no records (markers, aborted or compacted) and count as done.
   * @returns false when it was done in an earlier life, read before, or taken: leave it alone.
   */
  accept(offset: number): boolean {
    if (offset < this.#next) return false
    this.skipTo(offset)
    const known = this.#beyond.size > 0 ? this.#beyond.get(offset) : undefined
    this.#beyond.delete(offset)
    this.#room(offset)
    this.#next = offset + 1
    this.#mark(offset, known ?? PENDING)
    if (known === DONE) this.settle()
    return known === undefined
  }

  /** Nobody has the record at `offset` so far, nor had it in an earlier life. */
  isFree(offset: number): boolean {
    return offset >= this.#next && !this.#beyond.has(offset)
  }

  /** A search found the record at `offset`, which is free: when it is read, it is not to be accepted. */
  take(offset: number): void {
    this.#beyond.set(offset, PENDING)
  }

  /** There is no record below `offset` that was not read. */
  skipTo(offset: number): void {
    if (offset <= this.#next) return
    if (this.#watermark === this.#next && this.#beyond.size === 0) {
      // Nothing waits: a gap of any length, such as a log that starts far ahead, needs no marks.
      this.#watermark = offset
      this.#next = offset
      return
    }
    while (this.#next < offset) {
      this.#beyond.delete(this.#next)
      this.#room(this.#next)
      this.#next++
      this.#mark(this.#next - 1, DONE)
    }
    this.settle()
  }

  propose(offset: number): void {
    this.#mark(offset, PROPOSED)
  }

  retract(offset: number): void {
    this.#mark(offset, PENDING)
  }

  done(offset: number): void {
    this.#mark(offset, DONE)
  }

  /** The watermark as it will be once what is proposed has been committed. */
  proposedWatermark(): number {
    let offset = this.#watermark
    while (offset < this.#next && this.#at(offset) !== PENDING) offset++
    return offset
  }

  /** Every offset above `watermark` that is done, or will be once what is proposed has been committed; ascending. */
  doneAbove(watermark: number): readonly number[] {
    const done: number[] = []
    for (let offset = watermark; offset < this.#next; offset++) if (this.#at(offset) !== PENDING) done.push(offset)
    const beyond = [...this.#beyond].flatMap(([offset, mark]) => (mark === PENDING ? [] : [offset]))
    return [...done, ...beyond.sort((a, b) => a - b)]
  }

  /** Moves the watermark over what is done. */
  settle(): void {
    while (this.#watermark < this.#next && this.#at(this.#watermark) === DONE) {
      this.#mark(this.#watermark, PENDING)
      this.#watermark++
    }
  }

  #at(offset: number): number {
    return this.#marks[offset & (this.#marks.length - 1)] ?? PENDING
  }

  #mark(offset: number, mark: number): void {
    if (offset >= this.#next) this.#beyond.set(offset, mark)
    else this.#marks[offset & (this.#marks.length - 1)] = mark
  }

  #room(offset: number): void {
    const span = offset - this.#watermark + 1
    if (span <= this.#marks.length) return
    let size = this.#marks.length
    while (size < span) size *= 2
    const grown = new Uint8Array(size)
    for (let i = this.#watermark; i < this.#watermark + this.#marks.length; i++) grown[i & (size - 1)] = this.#at(i)
    this.#marks = grown
  }
}
