import { describe, expect, test } from '@jest/globals'
import { Partitioner, murmur2, partitionOf } from './partitioner.ts'

describe('murmur2', () => {
  // Vectors of Kafka's own UtilsTest.testMurmur2.
  test.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('should hash %s as the Java client does', (text, want) => {
    expect(murmur2(Buffer.from(text))).toBe(want)
  })
})

describe('partitions', () => {
  test('should be positive for a negative hash', () => {
    expect(partitionOf(Buffer.from('21'), 12)).toBe((-973932308 & 0x7fffffff) % 12)
  })

  test('should spread null keys evenly', () => {
    const partitioner = new Partitioner()
    const counts = [0, 0, 0]
    for (let i = 0; i < 300; i += 1) counts[partitioner.choose(null, 3)]! += 1
    expect(counts).toEqual([100, 100, 100])
  })

  test('should keep a key in its place', () => {
    const partitioner = new Partitioner()
    const key = Buffer.from('order-1')
    expect(partitioner.choose(key, 7)).toBe(partitioner.choose(key, 7))
  })
})
