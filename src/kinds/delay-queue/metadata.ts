import type { Judged } from './limits.ts'

/** What the commit of the input carries: where to read the journal from, how many records each tier holds, by role, and by what limits was judged. */
interface Metadata {
  readonly j: number
  readonly f: Readonly<Record<string, number>>
  readonly l?: readonly Judged[]
}

export function encodeMetadata(
  journalFrom: number,
  far: readonly (readonly [role: string, count: number])[],
  judged: readonly Judged[],
): string {
  const f = Object.fromEntries(far.filter(([, count]) => count !== 0))
  return JSON.stringify({ j: journalFrom, f, ...(judged.length > 0 && { l: judged }) } satisfies Metadata)
}

/** Nothing readable (never committed, or offsets set by hand) reads as: all of the journal. */
export function readMetadata(metadata: string | undefined): {
  readonly journalFrom: number | 'earliest'
  readonly far: Readonly<Record<string, number>>
  readonly judged: readonly Judged[]
} {
  try {
    const { j, f, l = [] } = JSON.parse(metadata ?? '') as Partial<Metadata>
    if (typeof j === 'number' && typeof f === 'object') return { journalFrom: j, far: f, judged: l }
  } catch {
    // not ours
  }
  return { journalFrom: 'earliest', far: {}, judged: [] }
}
