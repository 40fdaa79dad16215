const SEED = 0x9747b28c
const M = 0x5bd1e995
const R = 24

/**
 * The 32-bit murmur2 of Kafka's Java client (`Utils.murmur2`), as a signed integer: what decides where a Java producer puts a key. Kept to the letter,
 * since messages of one key written by others and by us must share a partition.
 */
export function murmur2(data: Uint8Array): number {
  const { length } = data
  const words = length & ~3
  let hash = SEED ^ length
  for (let at = 0; at < words; at += 4) {
    let k = byte(data, at) | (byte(data, at + 1) << 8) | (byte(data, at + 2) << 16) | (byte(data, at + 3) << 24)
    k = Math.imul(k, M)
    k ^= k >>> R
    hash = Math.imul(hash, M) ^ Math.imul(k, M)
  }
  const rest = length - words
  if (rest === 3) hash ^= byte(data, words + 2) << 16
  if (rest >= 2) hash ^= byte(data, words + 1) << 8
  if (rest >= 1) hash = Math.imul(hash ^ byte(data, words), M)
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}

/** The index is below the length wherever this is called. */
const byte = (data: Uint8Array, at: number): number => data[at] ?? 0

/** Partition of a key as Java's default partitioner has it. */
export const partitionOf = (key: Uint8Array, partitions: number): number => (murmur2(key) & 0x7fffffff) % partitions

/** Chooses partitions: keys as Java does, null keys one after the other. */
export class Partitioner {
  #turn = 0

  choose(key: Buffer | null, partitions: number): number {
    if (key !== null) return partitionOf(key, partitions)
    this.#turn = (this.#turn + 1) % 0x7fffffff
    return this.#turn % partitions
  }
}
