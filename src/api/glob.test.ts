import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { anyGlob, matchesGlob } from './glob.ts'

const word = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 })
const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?'), maxLength: 8 })
const asRegExp = (glob: string) => new RegExp(`^${glob.replaceAll('.', '\\.').replace(/\*+/g, '.*').replaceAll('?', '.')}$`)

describe('glob', () => {
  test('should match what the regular expression of the same meaning matches', () => {
    fc.assert(
      fc.property(pattern, word, (glob, name) => {
        expect(matchesGlob(glob, name)).toBe(asRegExp(glob).test(name))
      }),
      { numRuns: 2_000 },
    )
  })

  test('should match every name when any pattern of a list does, and none for an empty list', () => {
    fc.assert(
      fc.property(
        fc.array(pattern, { maxLength: 4 }),
        word,
        (globs, name) => anyGlob(globs)(name) === globs.some(glob => matchesGlob(glob, name)),
      ),
    )
    expect(anyGlob([])('a')).toBe(false)
  })

  test('should take steps that grow with the name, not explode with the stars', () => {
    // Backtracking over each star would need about 249^20 steps: this would never return.
    expect(matchesGlob(`${'*a'.repeat(20)}b`, 'a'.repeat(249))).toBe(false)
  })
})
