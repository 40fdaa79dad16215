import { describe, expect, test } from '@jest/globals'
import { createRecordsBatch } from '@platformatic/kafka'
import { countKeys } from './record-keys.ts'

type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** A batch as a producer sends it; `null` is a record without a key. */
function batch(keys: readonly (string | null)[], compression: Compression = 'none', value = 'a value'): Buffer {
  const messages = keys.map(key => ({ ...(key === null ? {} : { key: Buffer.from(key) }), value: Buffer.from(value), topic: 't' }))
  return createRecordsBatch(messages, { compression }).buffer
}
const ATTRIBUTES_AT = 21
const withAttributes = (of: Buffer, change: (attributes: number) => number): Buffer => {
  const changed = Buffer.from(of)
  changed.writeInt16BE(change(changed.readInt16BE(ATTRIBUTES_AT)), ATTRIBUTES_AT)
  return changed
}

describe('counting keys', () => {
  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'should tell records with and without a key, compression %s',
    compression => {
      const log = Buffer.concat([batch(['a', null, 'b'], compression), batch([null], compression), batch(['', 'c'], compression)])
      expect(countKeys(log)).toEqual({ records: 6, withoutKey: 2 })
    },
  )

  test('should count what is there of a batch that was cut off, wherever that was', () => {
    const whole = Buffer.concat([batch(['a', 'b']), batch([null, 'c', null])])
    const counts = Array.from({ length: whole.length + 1 }, (_, bytes) => countKeys(whole.subarray(0, bytes)))
    expect(counts.at(-1)).toEqual({ records: 5, withoutKey: 2 })
    counts.reduce((before, now) => {
      expect(now.records - before.records).toBeGreaterThanOrEqual(0)
      expect(now.withoutKey - before.withoutKey).toBeGreaterThanOrEqual(0)
      return now
    })
  })

  test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('should leave out a %s batch that was cut off', compression => {
    const whole = batch(Array<null>(50).fill(null), compression)
    expect(countKeys(Buffer.concat([batch(['a']), whole.subarray(0, whole.length - 9)]))).toEqual({ records: 1, withoutKey: 0 })
  })

  test('should not count the marks of transactions', () => {
    const mark = withAttributes(batch([null]), attributes => attributes | (1 << 5))
    expect(countKeys(Buffer.concat([batch(['a']), mark]))).toEqual({ records: 1, withoutKey: 0 })
  })

  test('should leave out what it cannot unpack: codecs to come, formats of old, what would take too much memory', () => {
    const unknown = withAttributes(batch([null]), attributes => attributes | 7)
    const old = Buffer.from(batch([null]))
    old.writeInt8(1, 16)
    const bomb = batch([null], 'gzip', 'x'.repeat(17 * 2 ** 20))
    const large = batch([null], 'lz4', Array.from({ length: 80_000 }, (_, i) => String(i * 7919)).join())
    expect(bomb.length).toBeLessThan(100_000)
    for (const log of [unknown, old, bomb, large]) expect(countKeys(log)).toEqual({ records: 0, withoutKey: 0 })
  })

  test('should look at some records of a large batch, not at all', () => {
    expect(countKeys(batch(Array<null>(2_000).fill(null)))).toEqual({ records: 500, withoutKey: 500 })
  })

  test('should make nothing of bytes that are no batch', () => {
    expect(countKeys(Buffer.alloc(0))).toEqual({ records: 0, withoutKey: 0 })
    expect(countKeys(Buffer.alloc(500))).toEqual({ records: 0, withoutKey: 0 })
    expect(countKeys(Buffer.alloc(500, 0xff))).toEqual({ records: 0, withoutKey: 0 })
  })
})
