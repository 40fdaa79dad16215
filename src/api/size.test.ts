import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { formatSize, parseSize, SIZE_PATTERN } from './size.ts'

describe('size', () => {
  test.each([
    ['512Mi', 536_870_912],
    ['10G', 10_000_000_000],
    ['1k', 1_000],
    ['1048576', 1_048_576],
    [1_048_576, 1_048_576],
    ['-1', -1],
    [-1, -1],
    [0, 0],
    ['7Pi', 7 * 2 ** 50],
  ])('should read %j', (size, bytes) => {
    expect(parseSize(size)).toBe(bytes)
  })

  test.each(['', '1.5Gi', '-2', '1K', '1gb', ' 1', '1e9', '1Ei', '12345678901234567', 1.5, -2, NaN, 1e21])('should refuse %j', size => {
    expect(() => parseSize(size)).toThrow('is not a size such as')
  })

  test.each(['9Pi', '9999999999999999k', '9007199254740992'])('should refuse %s, which a number cannot hold', size => {
    expect(() => parseSize(size)).toThrow('above 2^53-1')
  })

  test('should accept exactly what the pattern of the CRD does, where it fits', () => {
    const nearly = fc
      .tuple(fc.nat(5_000), fc.constantFrom('', 'k', 'K', 'M', 'Mi', 'G', 'Gi', 'Ti', 'i', 'm', ' '))
      .map(parts => parts.join(''))
    const reads = (text: string) => {
      try {
        return parseSize(text) >= 0
      } catch {
        return false
      }
    }
    fc.assert(fc.property(nearly, text => reads(text) === new RegExp(SIZE_PATTERN).test(text)))
  })

  test.each([
    [-1, 'unlimited'],
    [37, '37'],
    [1024, '1Ki'],
    [1.5 * 2 ** 30, '1.5Gi'],
  ])('should show %d as %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text)
  })
})
