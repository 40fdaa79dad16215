import { describe, expect, test } from '@jest/globals'
import { fingerprint, projection, semanticallyEqual } from './equality.ts'

describe('semantic equality', () => {
  test.each([
    { a: { x: 1, y: [2] }, b: { y: [2], x: 1 }, want: true },
    { a: { x: 1, y: undefined }, b: { x: 1 }, want: true },
    { a: { x: 1, y: null }, b: { x: 1 }, want: false },
    { a: [1, 2], b: [2, 1], want: false },
    { a: undefined, b: {}, want: false },
    { a: '1', b: 1, want: false },
  ])('should be $want of $a and $b', ({ a, b, want }) => {
    expect(semanticallyEqual(a, b)).toBe(want)
    expect(fingerprint(a) === fingerprint(b)).toBe(want)
  })
})

describe('the projection of a live object on an intent', () => {
  test.each([
    { what: 'fields that the intent does not name', live: { a: 1, b: 2 }, intent: { a: 1 }, want: { a: 1 } },
    { what: 'a changed field', live: { a: { b: 3 } }, intent: { a: { b: 1 } }, want: { a: { b: 3 } } },
    {
      what: 'containers of others',
      live: { list: [{ name: 'sidecar' }, { name: 'worker', image: 'x', pull: 'Always' }] },
      intent: { list: [{ name: 'worker', image: 'x' }] },
      want: { list: [{ name: 'worker', image: 'x' }] },
    },
    { what: 'a missing container', live: { list: [] }, intent: { list: [{ name: 'worker' }] }, want: { list: [undefined] } },
    { what: 'a list of plain values as a whole', live: { drop: ['ALL', 'X'] }, intent: { drop: ['ALL'] }, want: { drop: ['ALL', 'X'] } },
    { what: 'a field of another type', live: { a: 'text' }, intent: { a: { b: 1 } }, want: { a: 'text' } },
  ])('should show $what', ({ live, intent, want }) => {
    expect(projection(live, intent)).toEqual(want)
  })
})
