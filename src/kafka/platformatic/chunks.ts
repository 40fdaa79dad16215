/** Topics per request: Kafka's controller takes a request whole or not at all, and a larger answer gains nothing. */
export const CHUNK = 1_000

/** Cuts a list into requests of at most `CHUNK` items and at most `maxWeight` in all; a single heavier item goes alone. */
export function chunked<T>(items: readonly T[], weightOf: (item: T) => number = () => 1, maxWeight = CHUNK): readonly (readonly T[])[] {
  const chunks: T[][] = []
  let weight = 0
  for (const item of items) {
    const last = chunks.at(-1)
    const own = weightOf(item)
    if (last === undefined || last.length >= CHUNK || weight + own > maxWeight) {
      chunks.push([item])
      weight = own
    } else {
      last.push(item)
      weight += own
    }
  }
  return chunks
}

/** Groups by key, in order of first sight. */
export function grouped<T, K>(items: Iterable<T>, keyOf: (item: T) => K): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
