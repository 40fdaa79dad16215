import type { Reader } from '@platformatic/kafka'

/** Compact arrays carry their length plus one; zero is null. */
export const lengthOf = (reader: Reader): number => Math.max(0, reader.readUnsignedVarInt() - 1)
