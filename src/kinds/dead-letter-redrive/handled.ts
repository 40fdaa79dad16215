import type { LogRecord, OutgoingRecord } from '../../worker/task.ts'

/** Dead letters of one partition that are done with: all that the topic held from one offset up to another. */
export interface Marker {
  /** Of the dead letter topic. */
  readonly topicId: string
  /** Its name; markers of earlier versions have none. */
  readonly topic?: string
  readonly from: number
  /** Exclusive. */
  readonly to: number
  /** Dead letters in it; offsets may hold none. */
  readonly count: number
  readonly run: string
  readonly how: 'Redrive' | 'Discard'
}

/** Ranges never overlap, since what is handled is never handled again: the first offset is a key that no other marker has. */
export const markerRecord = (
  topic: string,
  partition: number,
  { topicId, topic: of, from, to, count, run, how }: Marker,
): OutgoingRecord => ({
  topic,
  partition,
  key: Buffer.from(`${topicId}/${from}`),
  value: Buffer.from(JSON.stringify({ t: topicId, d: of, f: from, e: to, n: count, r: run, h: how })),
  headers: [],
})

/** @throws Error: going on without knowing what was handled would handle it again. */
export function readMarker(record: LogRecord): Marker | undefined {
  if (record.value === null || record.value.length === 0) return undefined
  const where = `${record.topic}[${record.partition}] offset ${record.offset}`
  try {
    const { t, d, f, e, n, r, h } = JSON.parse(record.value.toString()) as Record<string, unknown>
    if (typeof t === 'string' && typeof f === 'number' && typeof e === 'number' && typeof n === 'number' && typeof r === 'string')
      return {
        topicId: t,
        ...(typeof d === 'string' && { topic: d }),
        from: f,
        to: e,
        count: n,
        run: r,
        how: h === 'Discard' ? 'Discard' : 'Redrive',
      }
  } catch {
    // told below
  }
  throw new Error(`${where} is not a marker of Sluice: nobody else may write to this topic; delete the record (sluice clean)`)
}

/** What was handled of one partition; asked by offset. */
export class Handled {
  #markers: Marker[] = []
  #sorted = true

  add(marker: Marker): void {
    this.#sorted &&= marker.from >= (this.#markers.at(-1)?.from ?? 0)
    this.#markers.push(marker)
  }

  get size(): number {
    return this.#markers.length
  }

  /** Dead letters that a run has handled. */
  countOf(run: string): number {
    return this.#markers.reduce((sum, marker) => (marker.run === run ? sum + marker.count : sum), 0)
  }

  /** The marker that covers the offset. */
  at(offset: number): Marker | undefined {
    if (!this.#sorted) this.#markers.sort((a, b) => a.from - b.from)
    this.#sorted = true
    let low = 0
    let high = this.#markers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#markers[middle]?.from ?? Infinity) <= offset) low = middle + 1
      else high = middle
    }
    const found = this.#markers[low - 1]
    return found !== undefined && offset < found.to ? found : undefined
  }
}
