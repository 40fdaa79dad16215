/** What the commit of the input carries: where to read the journal from, and how many records each tier holds, by role. */
interface Metadata {
  readonly j: number
  readonly f: Readonly<Record<string, number>>
}

export function encodeMetadata(journalFrom: number, far: readonly (readonly [role: string, count: number])[]): string {
  return JSON.stringify({ j: journalFrom, f: Object.fromEntries(far.filter(([, count]) => count !== 0)) } satisfies Metadata)
}

/** Nothing readable (never committed, or offsets set by hand) reads as: all of the journal. */
export function readMetadata(metadata: string | undefined): {
  readonly journalFrom: number | 'earliest'
  readonly far: Readonly<Record<string, number>>
} {
  try {
    const { j, f } = JSON.parse(metadata ?? '') as Partial<Metadata>
    if (typeof j === 'number' && typeof f === 'object') return { journalFrom: j, far: f }
  } catch {
    // not ours
  }
  return { journalFrom: 'earliest', far: {} }
}
