import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { Reader, compressionsAlgorithms } from '@platformatic/kafka'
import type { KeySample } from '../admin.ts'

/** Offset, length, leader epoch, magic, checksum, attributes, and so on up to and with the number of records. */
const HEADER_BYTES = 61
const LENGTH_AT = 8
const MAGIC_AT = 16
const ATTRIBUTES_AT = 21
const COUNT_AT = 57
/** What `length` does not count: the offset and itself. */
const LENGTH_COUNTS_FROM = 12

const MAGIC = 2
const CODEC = 0b111
const CONTROL = 1 << 5

/** A look, not a reading: nobody learns more from the next thousand records of a batch. */
const MAX_RECORDS_PER_BATCH = 500
/** A few bytes may unpack to a gigabyte: what is larger than this, packed or unpacked, is not looked into. */
const MAX_PACKED_BYTES = 256 * 2 ** 10
const MAX_UNPACKED_BYTES = 16 * 2 ** 20

const UNPACK: Readonly<Record<number, (packed: Buffer) => Buffer>> = {
  1: packed => gunzipSync(packed, { maxOutputLength: MAX_UNPACKED_BYTES }),
  2: packed => compressionsAlgorithms.snappy.decompressSync(packed),
  3: packed => compressionsAlgorithms.lz4.decompressSync(packed),
  4: packed => zstdDecompressSync(packed, { maxOutputLength: MAX_UNPACKED_BYTES }),
}

/**
 * Counts records with and without a key in a piece of a log, as a fetch brings it: whole batches, the last one perhaps cut off. Control records (the marks of
 * transactions), formats older than Kafka 0.11, and what cannot be unpacked are not counted.
 * https://kafka.apache.org/documentation/#recordbatch
 */
export function countKeys(log: Buffer): KeySample {
  let records = 0
  let withoutKey = 0
  for (const batch of batchesOf(log)) {
    const counted = countBatch(batch)
    records += counted.records
    withoutKey += counted.withoutKey
  }
  return { records, withoutKey }
}

function* batchesOf(log: Buffer): Generator<Buffer> {
  for (let at = 0; log.length - at >= HEADER_BYTES;) {
    const bytes = LENGTH_COUNTS_FROM + log.readInt32BE(at + LENGTH_AT)
    if (bytes < HEADER_BYTES) return
    yield log.subarray(at, at + bytes)
    at += bytes
  }
}

const NOTHING: KeySample = { records: 0, withoutKey: 0 }

function countBatch(batch: Buffer): KeySample {
  const attributes = batch.readInt16BE(ATTRIBUTES_AT)
  if (batch.readInt8(MAGIC_AT) !== MAGIC || (attributes & CONTROL) !== 0) return NOTHING
  const content = contentOf(batch.subarray(HEADER_BYTES), attributes & CODEC)
  return content === undefined ? NOTHING : countRecords(content, batch.readInt32BE(COUNT_AT))
}

function contentOf(content: Buffer, codec: number): Buffer | undefined {
  if (codec === 0) return content
  if (content.length > MAX_PACKED_BYTES) return undefined
  try {
    return UNPACK[codec]?.(content)
  } catch {
    // Cut off, too large when unpacked, or a codec of a Kafka to come.
    return undefined
  }
}

function countRecords(content: Buffer, count: number): KeySample {
  const reader = Reader.from(content)
  let records = 0
  let withoutKey = 0
  while (records < Math.min(count, MAX_RECORDS_PER_BATCH)) {
    const keyBytes = readKeyLength(reader, content.length)
    if (keyBytes === undefined) break
    records++
    if (keyBytes < 0) withoutKey++
  }
  return { records, withoutKey }
}

/** Leaves the reader at the next record; undefined where the batch was cut off before the key. */
function readKeyLength(reader: Reader, end: number): number | undefined {
  try {
    const bytes = reader.readVarInt()
    const next = reader.position + bytes
    // Attributes; then how much later and further on than the first record of the batch.
    reader.skip(1)
    reader.readVarInt64()
    reader.readVarInt()
    const keyBytes = reader.readVarInt()
    reader.position = Math.min(next, end)
    return keyBytes
  } catch {
    return undefined
  }
}
